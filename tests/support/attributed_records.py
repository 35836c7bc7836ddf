"""Rows of spans and log records with attributes and exceptions, for tests that put them into a store."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.core.schema import TABLE_COLUMNS

NOON = 1_900_000_800 * 10**9
"""2030-03-17 18:00:00 UTC: no retention drops it."""
_DAY = 86_400 * 10**9
_RAISED = {
    "exception.type": "Gone",
    "exception.message": "no",
    "exception.stacktrace": 'Traceback (most recent call last):\n  File "/app/a.py", line 3, in get\n',
}


def records(
    signal: Signal,
    own: Sequence[Mapping[str, str]],
    *,
    batch: str = "j-0-1",
    time: int = NOON,
    raised: bool = False,
) -> pa.RecordBatch:
    """Return a row for each set of attributes; with `raised` each has an exception."""
    count = len(own)
    event = [[{"key": key, "value": value} for key, value in _RAISED.items()]] if raised else []
    values = {
        "Project": ["default"] * count,
        "BatchId": [batch] * count,
        "BatchRow": list(range(count)),
        "Timestamp": [time + number for number in range(count)],
        "ServiceName": ["shop"] * count,
        "TraceId": [f"{number:032x}" for number in range(count)],
        "SpanId": [f"{number + 1:016x}" for number in range(count)],
        "SpanAttributes": [list(told.items()) for told in own],
        "LogAttributes": [list({**told, **(_RAISED if raised else {})}.items()) for told in own],
        "ResourceAttributes": [[("service.name", "shop")]] * count,
        "Events.Name": [["exception"] if raised else []] * count,
        "Events.Timestamp": [[time + 10 * _DAY] if raised else []] * count,
        "Events.Attributes": [[[(it["key"], it["value"]) for it in told] for told in event]] * count,
    }
    schema = TABLE_COLUMNS[signal]
    columns = [
        pa.array(values.get(field.name, [_nothing(field.type)] * count), field.type) for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _nothing(kind: pa.DataType) -> object:
    if pa.types.is_map(kind) or pa.types.is_list(kind):
        return []
    return "" if pa.types.is_dictionary(kind) or pa.types.is_string(kind) else 0
