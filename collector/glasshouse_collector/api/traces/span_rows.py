"""Rows of `otel_traces`: the spans of one trace, found by the times that the lookup table gives it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from glasshouse_collector.api.json_values import json_values
from glasshouse_collector.api.scope import InstrumentationScope
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.api.traces.model import SpanEvent, SpanLink, SpanStatus, TraceSpan
from glasshouse_collector.api.traces.shape import TimedSpan
from glasshouse_collector.store import ProjectStore, QueryLimits

SpanRow = Mapping[str, Any]

_ATTRIBUTES: Final = "Map(String, String)"
_COLUMNS: Final = {
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
SELECT count() AS found, toUnixTimestamp64Nano(min(Start)) AS first, toUnixTimestamp64Nano(max(End)) AS last,
    toUnixTimestamp64Nano(max(greatest(Finish, End))) AS finish, sum(Spans) AS spans, sum(Errors) AS errors
FROM otel_traces_trace_id_ts PREWHERE TraceId = {trace_id:String}
SETTINGS use_skip_indexes_on_data_read = 0
"""
"""The index of ids is asked before anything is read: few of all the parts are left to open."""
_SPANS: Final = f"""
SELECT {_listed(_COLUMNS)}
FROM otel_traces
PREWHERE TraceId = {{trace_id:String}}
WHERE Timestamp >= fromUnixTimestamp64Nano({{first:Int64}})
  AND Timestamp <= fromUnixTimestamp64Nano({{last:Int64}})
ORDER BY Timestamp, Duration DESC, SpanId
LIMIT {{most:UInt64}}
SETTINGS merge_tree_min_rows_for_concurrent_read = 16384, merge_tree_min_bytes_for_concurrent_read = 1,
    local_filesystem_read_method = 'pread'
"""  # noqa: S608  (our own column names; values are parameters)
"""PREWHERE: the engine would read project and time before the id. A trace of more than eight spans, each in a
granule of its own, is read by several threads; none hands its reads, some twenty a span, to yet another."""


@dataclass(frozen=True, slots=True)
class Extent:
    """From when to when a trace is, in nanoseconds since the Unix epoch, and how much there is of it."""

    first: int
    """When the first span began."""
    last: int
    """When the last span began."""
    finish: int
    """When the last span ended."""
    spans: int
    errors: int


def read_extent(store: ProjectStore, trace_id: str, limits: QueryLimits) -> Extent | None:
    """Return a trace's extent; None where no span of it is kept. Raises `EngineFailure`."""
    [row] = store.query_arrow(_EXTENT, {"trace_id": trace_id}, limits=limits.of_one_thread()).to_pylist()
    if not row.pop("found"):
        return None
    return Extent(**row)


def read_spans(
    store: ProjectStore, trace_id: str, extent: Extent, most: int, limits: QueryLimits
) -> list[SpanRow]:
    """Return the first `most` spans of a trace, in the order of time. Raises `EngineFailure`."""
    asked: dict[str, str | int] = {"trace_id": trace_id, "most": most}
    asked |= {"first": extent.first, "last": extent.last}
    return rows_of(store.query_arrow(_SPANS, asked, limits=limits), _COLUMNS)


def rows_of(table: pa.Table, columns: Mapping[str, str]) -> list[SpanRow]:
    """Return an answer's rows; `columns` are names with their ClickHouse types."""
    if not table.num_rows:
        return []
    values = [json_values(table.column(name), kind) for name, kind in columns.items()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def timed(row: SpanRow) -> TimedSpan:
    """Return what a trace's shape is made of."""
    start = int(row["Nanos"])
    return TimedSpan(row["SpanId"], row["ParentSpanId"] or None, start, start + max(0, int(row["Duration"])))


def trace_span(row: SpanRow, depth: int, self_time: int) -> TraceSpan:
    """Return the span as the API tells it."""
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
        scope=InstrumentationScope(name=row["ScopeName"], version=row["ScopeVersion"]),
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
