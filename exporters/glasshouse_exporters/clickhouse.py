"""Delivers batches to ClickHouse, each record exactly once."""

import asyncio
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glasshouse_collector.core.batch import Batch
from glasshouse_collector.core.components import ComponentConfig, Services
from glasshouse_collector.core.errors import Retryable
from glasshouse_collector.core.schema import TIME_COLUMN
from glasshouse_collector.store import Store

_NANOSECONDS_A_DAY = 86_400 * 10**9


class ClickHouseConfig(ComponentConfig):
    """Nothing to set here: where the store is stands under `storage`."""


class ClickHouseExporter:
    """Inserts a batch as one block a partition, and asks instead of guessing after a failure.

    An insert is atomic only within one partition, so a batch is split by day first, and each part
    carries a token of its own, by which the store ignores a second arrival. The token is not
    trusted alone: a store killed between noting the token and keeping the rows would ignore the
    very rows it lost. So a batch in doubt is looked up by its batch id and row numbers, before and after
    it is inserted once more under its token, by which tables of counts take it that a kill kept from it.
    """

    Config: ClassVar[type[ComponentConfig]] = ClickHouseConfig

    def __init__(self, config: ClickHouseConfig, services: Services) -> None:
        del config
        self._services = services

    async def start(self) -> None:
        """Wait for the store: `Retryable` until it is connected and its tables are there."""
        self._store()

    async def export(self, batch: Batch) -> None:
        """Insert the batch; return once every row of it is in the store."""
        await asyncio.to_thread(self._export, self._store(), batch)

    async def stop(self) -> None:
        """Nothing to finish: the store belongs to the service."""

    def _store(self) -> Store:
        try:
            return self._services.get(Store)
        except LookupError:
            raise Retryable("the store is not connected yet") from None

    def _export(self, store: Store, batch: Batch) -> None:
        for day, records in by_day(batch.records, TIME_COLUMN[batch.signal]):
            token = f"{batch.origin.batch_id}-{batch.signal}-{day}"
            if batch.origin.in_doubt:
                store.insert_again(batch.signal, records, token=token)
            else:
                store.insert(batch.signal, records, token=token)


def by_day(records: pa.RecordBatch, time_column: str) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Split rows by day of UTC (days since the Unix epoch), in the order of the days."""
    times = records.column(records.schema.get_field_index(time_column)).cast(pa.int64())
    extent = pc.min_max(times)
    first, last = (extent[end].as_py() // _NANOSECONDS_A_DAY for end in ("min", "max"))
    if first == last:
        yield first, records
        return
    days = np.asarray(times) // _NANOSECONDS_A_DAY
    for day in np.unique(days):
        yield int(day), records.take(pa.array(np.flatnonzero(days == day)))
