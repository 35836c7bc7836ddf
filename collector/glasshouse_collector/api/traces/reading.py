"""Reads one trace from the store: its spans, its log records, and who links to it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from glasshouse_collector.api.logs.model import LogRecord
from glasshouse_collector.api.logs.rows import LOG_COLUMNS, log_records
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.api.traces.model import LinkingSpan, PathSegment, Trace
from glasshouse_collector.api.traces.shape import shape_of
from glasshouse_collector.api.traces.span_rows import (
    Extent,
    SpanRow,
    read_extent,
    read_spans,
    rows_of,
    timed,
    trace_span,
)
from glasshouse_collector.store import ProjectStore, QueryLimits, log_times

MOST_RECORDS: Final = 10_000
"""Spans, and log records, of one answer; a trace with more is told as truncated."""
_MOST_LINKING: Final = 100
_NEAR: Final = 3600 * 10**9
"""How long before and after a trace its log records, and after it who links to it, are looked for."""

_LOGS: Final = f"""
SELECT {LOG_COLUMNS}
FROM otel_logs WHERE TraceId = {{trace_id:String}} AND {{between}}
ORDER BY Timestamp, BatchRow
LIMIT {{most:UInt64}}
"""  # noqa: S608  (our own column names; values are parameters)
_BETWEEN: Final = (
    "Timestamp >= fromUnixTimestamp64Nano({first:Int64}) "
    "AND Timestamp <= fromUnixTimestamp64Nano({until:Int64})"
)
_LINKING: Final = f"""
SELECT TraceId, SpanId, ServiceName, SpanName, toUnixTimestamp64Nano(Timestamp) AS Nanos,
    arrayFilter((span, trace) -> trace = {{trace_id:String}}, `Links.SpanId`, `Links.TraceId`) AS Linked
FROM otel_traces
PREWHERE notEmpty(`Links.TraceId`)
WHERE has(`Links.TraceId`, {{trace_id:String}}) AND {_BETWEEN}
ORDER BY Timestamp, TraceId, SpanId
LIMIT {{most:UInt64}}
"""  # noqa: S608  (values are parameters)
"""Few spans have links. PREWHERE, which the engine does not choose here, reads how many each span has, and of
those with some the rest: a third of the CPU."""
_LINKING_COLUMNS: Final = {
    **dict.fromkeys(("TraceId", "SpanId", "ServiceName", "SpanName"), "String"),
    "Nanos": "Int64",
    "Linked": "Array(String)",
}


def read_trace(
    store: ProjectStore, trace_id: str, limits: QueryLimits, most: int = MOST_RECORDS
) -> Trace | None:
    """Return a trace, None where nothing of it is kept; raises `EngineFailure`.

    `trace_id` is 32 hex digits in lower case. Where spans of it are kept, log records are looked for near
    them, else by their own index at whatever time.
    """
    extent = read_extent(store, trace_id, limits)
    if extent is None:
        logs = read_trace_logs(store, trace_id, None, most + 1, limits)
        return _told(trace_id, [], logs, [], extent, most) if logs else None
    # One thread beside this one: on two cores a third made both wait.
    with ThreadPoolExecutor(max_workers=1) as beside:
        records = beside.submit(read_trace_logs, store, trace_id, extent, most + 1, limits)
        linking = beside.submit(_read_linking, store, trace_id, extent, limits)
        spans = read_spans(store, trace_id, extent, most + 1, limits)
        return _told(trace_id, spans, records.result(), linking.result(), extent, most)


def read_trace_logs(
    store: ProjectStore, trace_id: str, extent: Extent | None, most: int, limits: QueryLimits
) -> list[LogRecord]:
    """Return the first `most` log records of a trace, near its spans where they are known.

    Raises `EngineFailure`.
    """
    asked: dict[str, str | int] = {"trace_id": trace_id, "most": most}
    between = "1"
    if extent is not None:
        between = log_times("{first:Int64}", "{until:Int64}", until="<=")
        asked |= {"first": max(0, extent.first - _NEAR), "until": _after(extent)}
    sql = _LOGS.replace("{between}", between)
    return log_records(store.query_arrow(sql, asked, limits=limits.of_one_thread() if extent else limits))


def _read_linking(
    store: ProjectStore, trace_id: str, extent: Extent, limits: QueryLimits
) -> list[LinkingSpan]:
    asked: dict[str, str | int] = {"trace_id": trace_id, "most": _MOST_LINKING}
    asked |= {"first": extent.first, "until": _after(extent)}
    found = store.query_arrow(_LINKING, asked, limits=limits.of_one_thread())
    return [
        LinkingSpan(
            trace_id=row["TraceId"],
            span_id=row["SpanId"],
            service_name=row["ServiceName"],
            name=row["SpanName"],
            start_time=rfc3339(int(row["Nanos"])),
            linked_span_ids=row["Linked"],
        )
        for row in rows_of(found, _LINKING_COLUMNS)
    ]


def _after(extent: Extent) -> int:
    return min(extent.finish + _NEAR, 2**63 - 1)


def _each_once(spans: Sequence[SpanRow]) -> list[SpanRow]:
    """Return the spans without those that arrived again: a sender that heard no answer sends anew.

    A client and a server may share an id (B3): these are two.
    """
    keys = ((row["SpanId"], row["SpanKind"], row["ServiceName"], row["Nanos"]) for row in spans)
    return list(dict(zip(keys, spans, strict=True)).values())


def _told(  # noqa: PLR0913, PLR0917  (what was read of it)
    trace_id: str,
    spans: Sequence[SpanRow],
    logs: Sequence[LogRecord],
    linking: list[LinkingSpan],
    extent: Extent | None,
    most: int,
) -> Trace:
    rows = _each_once(spans[:most])
    times = [timed(row) for row in rows]
    shape = shape_of(times)
    first, last = min((it.start for it in times), default=0), max((it.end for it in times), default=0)
    count, errors = len(rows), sum(row["StatusCode"] == "Error" for row in rows)
    if extent is not None and len(spans) > most:  # what is told of the whole is not made of the told part
        first, last = extent.first, max(extent.finish, last)
        count, errors = max(extent.spans, len(spans)), max(extent.errors, errors)
    return Trace(
        trace_id=trace_id,
        duration_ns=last - first,
        services=list(dict.fromkeys(row["ServiceName"] for row in rows)),
        span_count=count,
        errors=errors,
        critical_path=[
            PathSegment(
                span_id=rows[it.span]["SpanId"],
                start_time_unix_nano=str(it.start),
                duration_ns=it.end - it.start,
            )
            for it in shape.critical_path
        ],
        spans=[
            trace_span(row, depth, self_time)
            for row, depth, self_time in zip(rows, shape.depths, shape.self_times, strict=True)
        ],
        logs=list(logs[:most]),
        linked_from=linking,
        truncated=len(spans) > most or len(logs) > most,
    )
