"""Rows for every table, which differ in every column."""

from typing import Any

import pyarrow as pa

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.core.schema import TABLE_COLUMNS

NOON = 1_900_000_800 * 10**9 + 123_456_789
"""2030-03-17 18:00:00 UTC and some nanoseconds: no retention drops it."""


def _value(  # noqa: PLR0911  (one line a type)
    name: str, kind: pa.DataType, row: int, batch: str
) -> Any:
    fixed = {
        "Project": "default",
        "BatchId": batch,
        "BatchRow": row,
        "TraceId": f"{row:032x}",
        "SpanId": f"{row:016x}",
    }
    if name in fixed:
        return fixed[name]
    if pa.types.is_timestamp(kind):
        return NOON + row
    if pa.types.is_map(kind):
        return [("http.route", f"/é/{row}"), ("user.id", str(row % 3))] if row % 5 else []
    if pa.types.is_list(kind):
        return [_value(name.partition(".")[2], kind.value_type, row + i, batch) for i in range(row % 3)]
    if pa.types.is_boolean(kind):
        return row % 2 == 0
    if pa.types.is_floating(kind):
        return row + 0.5
    if pa.types.is_integer(kind):
        return (2**64 - 1 - row) if kind == pa.uint64() else (-row if kind == pa.int32() else row % 256)
    return f"{name}-{row % 4}"


def make_rows(signal: Signal, count: int = 10, batch: str = "j-0-1", first: int = 0) -> pa.RecordBatch:
    """Return rows that differ in every column, in the table's very schema."""
    schema = TABLE_COLUMNS[signal]
    columns = [
        pa.array(
            [_value(field.name, field.type, row, batch) for row in range(first, first + count)], field.type
        )
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
