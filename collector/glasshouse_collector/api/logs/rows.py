"""Rows of `otel_logs` as the API tells them."""

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from glasshouse_collector.api.json_values import json_values
from glasshouse_collector.api.logs.model import LogRecord
from glasshouse_collector.api.logs.place import LogPlace
from glasshouse_collector.api.scope import InstrumentationScope
from glasshouse_collector.api.times import rfc3339

_TEXT: Final = ("Project", "BatchId", "TraceId", "SpanId", "SeverityText", "ServiceName", "EventName", "Body")
_COLUMNS: Final = {
    **dict.fromkeys((*_TEXT, "ScopeName", "ScopeVersion"), "String"),
    **dict.fromkeys(("ResourceAttributes", "ScopeAttributes", "LogAttributes"), "Map(String, String)"),
    **dict.fromkeys(("TraceFlags", "SeverityNumber"), "UInt8"),
    "BatchRow": "UInt32",
    "Nanos": "Int64",
}
LOG_COLUMNS: Final = ", ".join(
    "toUnixTimestamp64Nano(Timestamp) AS Nanos" if name == "Nanos" else f"`{name}`" for name in _COLUMNS
)
"""What a SELECT has to name: all columns at once would read more, each for half a millisecond."""


def log_records(table: pa.Table) -> list[LogRecord]:
    """Return the rows of an answer that has `LOG_COLUMNS`."""
    if not table.num_rows:
        return []
    values = [json_values(table.column(name), kind) for name, kind in _COLUMNS.items()]
    return [_record(dict(zip(_COLUMNS, row, strict=True))) for row in zip(*values, strict=True)]


def _record(row: Mapping[str, Any]) -> LogRecord:
    place = LogPlace(int(row["Nanos"]), row["BatchId"], row["BatchRow"])
    return LogRecord(
        id=place.id,
        project=row["Project"],
        time=rfc3339(place.time),
        time_unix_nano=str(place.time),
        trace_id=row["TraceId"] or None,
        span_id=row["SpanId"] or None,
        trace_flags=row["TraceFlags"],
        severity_text=row["SeverityText"],
        severity_number=row["SeverityNumber"],
        service_name=row["ServiceName"],
        event_name=row["EventName"],
        body=row["Body"],
        scope=InstrumentationScope(name=row["ScopeName"], version=row["ScopeVersion"]),
        resource_attributes=row["ResourceAttributes"],
        scope_attributes=row["ScopeAttributes"],
        attributes=row["LogAttributes"],
    )
