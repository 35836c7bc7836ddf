"""Adds or renames resource attributes."""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from glasshouse_collector.core.batch import Batch
from glasshouse_collector.core.components import ComponentConfig, Services

_COLUMN = "ResourceAttributes"
_SERVICE = "ServiceName"


class ResourceConfig(ComponentConfig):
    """What every record's resource shall say."""

    rename: dict[str, str] = Field(
        {}, description="old key to new key; an attribute of the new key gives way"
    )
    add: dict[str, str] = Field({}, description="key to value, where the resource does not say it itself")
    set: dict[str, str] = Field({}, description="key to value, whatever the resource says")


class ResourceProcessor:
    """Renames, then adds and sets resource attributes; `ServiceName` follows `service.name`.

    A pure function of the batch.
    """

    Config: ClassVar[type[ComponentConfig]] = ResourceConfig

    def __init__(self, config: ResourceConfig, services: Services) -> None:
        del services
        self._config = config

    def process(self, batch: Batch) -> Batch:
        """Return the batch with its resources changed."""
        records = batch.records
        index = records.schema.get_field_index(_COLUMN)
        resources = records.column(index)
        rows = np.repeat(np.arange(len(resources)), np.diff(np.asarray(resources.offsets)))
        parts = [self._kept(rows, resources)]
        everyone = np.arange(len(resources))
        parts = [
            (everyone, *_same(key, value, len(everyone))) for key, value in self._config.add.items()
        ] + parts
        parts += [(everyone, *_same(key, value, len(everyone))) for key, value in self._config.set.items()]
        changed = _map(len(resources), parts, resources.type)
        records = records.set_column(index, records.schema.field(index), changed)
        return batch.with_records(_with_service(records, changed))

    def _kept(self, rows: np.ndarray[Any, Any], resources: Any) -> tuple[Any, Any, Any]:
        """Return the attributes as (row, key, value), renamed ones last, so that they win."""
        keys, values = resources.keys.cast(pa.string()), resources.items.cast(pa.string())
        if not self._config.rename:
            return rows, keys, values
        old = pa.array(self._config.rename.keys(), pa.string())
        new = pa.array(self._config.rename.values(), pa.string())
        place = pc.index_in(keys, old)
        renamed = pc.coalesce(new.take(place), keys)
        order = np.argsort(np.asarray(pc.is_valid(place)), kind="stable")
        return rows[order], renamed.take(pa.array(order)), values.take(pa.array(order))


def _same(key: str, value: str, count: int) -> tuple[Any, Any]:
    return pa.repeat(key, count), pa.repeat(value, count)


def _map(count: int, parts: list[tuple[Any, Any, Any]], kind: Any) -> Any:
    """Build the maps anew: sorted by key, and where a key stands twice in a row, the last part wins."""
    rows = np.concatenate([part[0] for part in parts])
    keys = pa.concat_arrays([part[1] for part in parts]).dictionary_encode()
    values = pa.concat_arrays([part[2] for part in parts]).dictionary_encode()
    names = np.asarray(keys.dictionary.cast(pa.binary()), dtype=object)
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort(names)] = np.arange(len(names))
    by_key = rank[np.asarray(keys.indices)]
    order = np.lexsort((np.arange(len(rows)), by_key, rows))
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (np.diff(rows[order]) != 0) | (np.diff(by_key[order]) != 0)
    chosen = order[last]
    offsets = np.concatenate(([0], np.cumsum(np.bincount(rows[chosen], minlength=count)))).astype(np.int32)
    picked = pa.array(chosen)
    return pa.MapArray.from_arrays(pa.array(offsets), keys.take(picked), values.take(picked), type=kind)


def _with_service(records: pa.RecordBatch, resources: Any) -> pa.RecordBatch:
    index = records.schema.get_field_index(_SERVICE)
    names = pc.fill_null(pc.map_lookup(_plain(resources), pa.scalar("service.name"), "last"), "")
    return records.set_column(index, records.schema.field(index), names.dictionary_encode())


def _plain(resources: Any) -> Any:
    """Return the maps without dictionaries, which `map_lookup` does not read."""
    return pa.MapArray.from_arrays(
        resources.offsets, resources.keys.cast(pa.string()), resources.items.cast(pa.string())
    )
