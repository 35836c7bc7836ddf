"""Batches to try processors on."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from glasshouse_collector.core.batch import Batch, Origin, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.exposition import MetricsPage
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.schema import DECODED

Row = dict[str, Any]


def column(kind: pa.DataType, values: list[Any]) -> Any:
    """Build an array of `kind`, dictionaries within maps and lists included."""
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode()
    if pa.types.is_map(kind):
        pairs = [sorted((value or {}).items()) for value in values]
        offsets = [0]
        for pair in pairs:
            offsets.append(offsets[-1] + len(pair))
        keys = column(kind.key_type, [key for pair in pairs for key, _ in pair])
        items = column(kind.item_type, [item for pair in pairs for _, item in pair])
        return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), keys, items, type=kind)
    if pa.types.is_list(kind):
        offsets = [0]
        for value in values:
            offsets.append(offsets[-1] + len(value or []))
        flat = column(kind.value_type, [item for value in values for item in value or []])
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat, type=kind)
    zero = {"string": "", "double": 0.0, "bool": False}.get(str(kind), 0)
    return pa.array([zero if value is None else value for value in values], kind)


@pytest.fixture
def batch() -> Callable[..., Batch]:
    """Return a maker of batches from rows; what a row leaves out is empty."""

    def make(*rows: Row, signal: Signal = Signal.TRACES) -> Batch:
        schema = DECODED[signal]
        columns = []
        for field in schema:
            values = [row.get(field.name) for row in rows]
            if pa.types.is_dictionary(field.type):
                values = [value or "" for value in values]
            columns.append(column(field.type, values))
        return Batch(signal, pa.RecordBatch.from_arrays(columns, schema=schema), Origin("j", 0, 0, 0))

    return make


@pytest.fixture
def services() -> Services:
    """Return services with metrics of their own."""
    services = Services()
    services.provide(Metrics, Metrics())
    services.provide(MetricsPage, MetricsPage())
    return services
