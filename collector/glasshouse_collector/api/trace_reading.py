"""Reads one trace from the store."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pyarrow as pa

from glasshouse_collector.api.json_values import json_values
from glasshouse_collector.api.log_model import LogRecord
from glasshouse_collector.api.log_rows import LOG_COLUMNS, log_records
from glasshouse_collector.api.scope import Scope
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.api.trace_model import (
    PathSegment,
    SpanEvent,
    SpanLink,
    SpanStatus,
    Trace,
    TraceSpan,
)
from glasshouse_collector.api.trace_shape import TimedSpan, shape_of
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_RECORDS: Final = 10_000
"""Spans, and log records, of one answer; a trace with more is told as truncated."""

_ATTRIBUTES: Final = "Map(String, String)"
_SPAN_COLUMNS: Final = {
    **dict.fromkeys(("Project", "SpanId", "ParentSpanId", "TraceState", "SpanName", "SpanKind"), "String"),
    **dict.fromkeys(("ServiceName", "ScopeName", "ScopeVersion", "StatusCode", "StatusMessage"), "String"),
    **dict.fromkeys(("ResourceAttributes", "SpanAttributes"), _ATTRIBUTES),
    **dict.fromkeys(("Nanos", "Duration"), "Int64"),
    **dict.fromkeys(("Events.Name", "Links.TraceId", "Links.SpanId", "Links.TraceState"), "Array(String)"),
    **dict.fromkeys(("Events.Attributes", "Links.Attributes"), f"Array({_ATTRIBUTES})"),
    "EventNanos": "Array(Int64)",
}
_COMPUTED: Final = {
    "Nanos": "toUnixTimestamp64Nano(Timestamp)",
    "EventNanos": "arrayMap(t -> toUnixTimestamp64Nano(t), `Events.Timestamp`)",
}


def _listed(columns: Mapping[str, str]) -> str:
    """Return the columns as a SELECT names them: all at once would read more, each for half a millisecond."""
    return ", ".join(f"{_COMPUTED[name]} AS {name}" if name in _COMPUTED else f"`{name}`" for name in columns)


_EXTENT: Final = """
SELECT count() AS found, toUnixTimestamp64Nano(min(Start)) AS first, toUnixTimestamp64Nano(max(End)) AS last
FROM otel_traces_trace_id_ts WHERE TraceId = {trace_id:String}
"""
_SPANS: Final = f"""
SELECT {_listed(_SPAN_COLUMNS)}
FROM otel_traces
WHERE TraceId = {{trace_id:String}}
  AND Timestamp >= fromUnixTimestamp64Nano({{first:Int64}})
  AND Timestamp <= fromUnixTimestamp64Nano({{last:Int64}})
ORDER BY Timestamp, Duration DESC, SpanId
LIMIT {{most:UInt64}}
"""  # noqa: S608  (our own column names; values are parameters)
_LOGS: Final = f"""
SELECT {LOG_COLUMNS}
FROM otel_logs WHERE TraceId = {{trace_id:String}}
ORDER BY Timestamp, BatchRow
LIMIT {{most:UInt64}}
"""  # noqa: S608  (our own column names; values are parameters)


def read_trace(
    store: ProjectStore, trace_id: str, limits: QueryLimits, most: int = MOST_RECORDS
) -> Trace | None:
    """Return a trace, None where nothing of it is kept; raises `EngineFailure`.

    `trace_id` is 32 hex digits in lower case. Spans are found within the time that the lookup table
    gives the trace; log records, which may lie outside it, by their own index.
    """
    asked: dict[str, str | int] = {"trace_id": trace_id, "most": most + 1}
    with ThreadPoolExecutor(max_workers=1) as beside:
        records = beside.submit(store.query_arrow, _LOGS, asked, limits=limits)
        spans = _read_spans(store, asked, limits)
        logs = log_records(records.result())
    if not spans and not logs:
        return None
    truncated = len(spans) > most or len(logs) > most
    return _told(trace_id, spans[:most], logs[:most], truncated=truncated)


def _told(trace_id: str, rows: list[dict[str, Any]], logs: list[LogRecord], *, truncated: bool) -> Trace:
    timed = [_timed(row) for row in rows]
    shape = shape_of(timed)
    return Trace(
        trace_id=trace_id,
        duration_ns=max((it.end for it in timed), default=0) - min((it.start for it in timed), default=0),
        services=list(dict.fromkeys(row["ServiceName"] for row in rows)),
        errors=sum(row["StatusCode"] == "Error" for row in rows),
        critical_path=[
            PathSegment(
                span_id=rows[it.span]["SpanId"],
                start_time_unix_nano=str(it.start),
                duration_ns=it.end - it.start,
            )
            for it in shape.critical_path
        ],
        spans=[
            _span(row, depth, self_time)
            for row, depth, self_time in zip(rows, shape.depths, shape.self_times, strict=True)
        ],
        logs=logs,
        truncated=truncated,
    )


def _timed(row: Mapping[str, Any]) -> TimedSpan:
    start = int(row["Nanos"])
    return TimedSpan(row["SpanId"], row["ParentSpanId"] or None, start, start + int(row["Duration"]))


def _read_spans(
    store: ProjectStore, asked: Mapping[str, str | int], limits: QueryLimits
) -> list[dict[str, Any]]:
    [extent] = store.query_arrow(_EXTENT, asked, limits=limits).to_pylist()
    if not extent["found"]:
        return []
    between = {"first": extent["first"], "last": extent["last"]}
    table = store.query_arrow(_SPANS, {**asked, **between}, limits=limits)
    return _rows(table, _SPAN_COLUMNS)


def _rows(table: pa.Table, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    if not table.num_rows:
        return []
    values = [json_values(table.column(name), kind) for name, kind in columns.items()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _span(row: dict[str, Any], depth: int, self_time: int) -> TraceSpan:
    start, duration = int(row["Nanos"]), int(row["Duration"])
    return TraceSpan(
        project=row["Project"],
        span_id=row["SpanId"],
        parent_span_id=row["ParentSpanId"] or None,
        trace_state=row["TraceState"],
        name=row["SpanName"],
        kind=row["SpanKind"],
        service_name=row["ServiceName"],
        start_time=rfc3339(start),
        start_time_unix_nano=str(start),
        end_time=rfc3339(start + duration),
        end_time_unix_nano=str(start + duration),
        duration_ns=duration,
        self_time_ns=self_time,
        depth=depth,
        status=SpanStatus(code=row["StatusCode"], message=row["StatusMessage"]),
        scope=Scope(name=row["ScopeName"], version=row["ScopeVersion"]),
        resource_attributes=row["ResourceAttributes"],
        attributes=row["SpanAttributes"],
        events=[
            SpanEvent(time=rfc3339(int(nanos)), time_unix_nano=nanos, name=name, attributes=attributes)
            for nanos, name, attributes in zip(
                row["EventNanos"], row["Events.Name"], row["Events.Attributes"], strict=True
            )
        ],
        links=[
            SpanLink(trace_id=trace_id, span_id=span_id, trace_state=state, attributes=attributes)
            for trace_id, span_id, state, attributes in zip(
                row["Links.TraceId"],
                row["Links.SpanId"],
                row["Links.TraceState"],
                row["Links.Attributes"],
                strict=True,
            )
        ],
    )
