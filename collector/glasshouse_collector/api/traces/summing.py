"""Reads pages of trace summaries from the store."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from glasshouse_collector.api.json_values import json_values
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.api.traces.finding import TraceQuestion, find_traces
from glasshouse_collector.api.traces.page_model import RootSpan, TracePage, TraceService, TraceSummary
from glasshouse_collector.api.traces.place import TOLD_DIGITS, TraceCursor
from glasshouse_collector.store import ProjectStore, QueryLimits

_TEXTS: Final = ("TraceId", "span_id", "service", "name")
_TRACES: Final = """
SELECT TraceId, toUnixTimestamp64Nano(min(Start)) AS first, toUnixTimestamp64Nano(max(End)) AS last,
    toUnixTimestamp64Nano(max(Finish)) AS finish, sum(Spans) AS spans, sum(Errors) AS errors, sum(Oks) AS oks,
    argMinIf(RootSpanId, Start, RootSpanId != '') AS span_id,
    argMinIf(RootService, Start, RootSpanId != '') AS service,
    argMinIf(RootName, Start, RootSpanId != '') AS name
FROM otel_traces_trace_id_ts
WHERE TraceId IN {ids:Array(String)}
GROUP BY TraceId
"""
_SERVICES: Final = """
SELECT TraceId, item.1 AS service, countIf(item.2 = 0) AS spans, countIf(item.2 = 1) AS errors
FROM otel_traces_trace_id_ts
ARRAY JOIN arrayConcat(arrayMap(it -> (it, 0), Services), arrayMap(it -> (it, 1), FailedServices)) AS item
WHERE TraceId IN {ids:Array(String)}
GROUP BY TraceId, service
ORDER BY TraceId, spans DESC, service
"""
_EARLIEST: Final = """
SELECT TraceId, argMin(SpanId, (Timestamp, SpanId)) AS span_id,
    argMin(ServiceName, (Timestamp, SpanId)) AS service, argMin(SpanName, (Timestamp, SpanId)) AS name
FROM otel_traces
WHERE TraceId IN {ids:Array(String)}
  AND Timestamp >= fromUnixTimestamp64Nano({first:Int64})
  AND Timestamp <= fromUnixTimestamp64Nano({last:Int64})
GROUP BY TraceId
"""


def read_traces(store: ProjectStore, asked: TraceQuestion, limits: QueryLimits) -> TracePage:
    """Return the summaries of a page of traces; raises `EngineFailure`.

    What a trace has is read from the lookup table: its row of the one batch that was being inserted when
    the store was killed may be without counts, its times never are.
    """
    found = find_traces(store, asked, limits)
    page, more = found[: asked.limit], len(found) > asked.limit
    ids = [place.trace_id for place in page]
    told = (*asked.told, *(trace_id[-TOLD_DIGITS:] for trace_id in ids))
    return TracePage(
        traces=_summaries(store, ids, limits) if ids else [],
        next_cursor=TraceCursor(asked.range, page[-1], told, asked.fingerprint).written() if more else None,
        start_time=rfc3339(asked.range.start),
        end_time=rfc3339(asked.range.end),
    )


def _summaries(store: ProjectStore, ids: Sequence[str], limits: QueryLimits) -> list[TraceSummary]:
    asked = {"ids": str(list(ids))}
    traces = {row["TraceId"]: row for row in _rows(store, _TRACES, asked, limits)}
    rootless = [row for row in traces.values() if not row["span_id"]]
    earliest = _earliest(store, rootless, limits) if rootless else {}
    services: dict[str, list[TraceService]] = defaultdict(list)
    for row in _rows(store, _SERVICES, asked, limits):
        one = TraceService(name=row["service"], spans=row["spans"], errors=row["errors"])
        services[row["TraceId"]].append(one)
    # A trace whose retention ended since it was found is left out, and so is one without spans.
    return [
        _summary(traces[it], earliest.get(it, traces[it]), services[it])
        for it in ids
        if it in traces and (it in earliest or traces[it]["span_id"])
    ]


def _earliest(
    store: ProjectStore, rootless: Sequence[Mapping[str, Any]], limits: QueryLimits
) -> dict[str, Mapping[str, Any]]:
    between = {"first": min(row["first"] for row in rootless), "last": max(row["last"] for row in rootless)}
    asked = {"ids": str([row["TraceId"] for row in rootless]), **between}
    return {row["TraceId"]: row for row in _rows(store, _EARLIEST, asked, limits)}


def _rows(
    store: ProjectStore, sql: str, asked: Mapping[str, str | int], limits: QueryLimits
) -> list[dict[str, Any]]:
    """Return an answer's rows; texts that senders wrote may be no UTF-8."""
    table = store.query_arrow(sql, asked, limits=limits)
    columns = [
        json_values(column, "String") if name in _TEXTS else column.to_pylist()
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _summary(
    row: Mapping[str, Any], root: Mapping[str, Any], services: Sequence[TraceService]
) -> TraceSummary:
    return TraceSummary(
        trace_id=row["TraceId"],
        root=RootSpan(
            span_id=root["span_id"],
            service_name=root["service"],
            operation=root["name"],
            missing=root is not row,
        ),
        start_time=rfc3339(row["first"]),
        start_time_unix_nano=str(row["first"]),
        duration_ns=max(0, row["finish"] - row["first"]),
        status="error" if row["errors"] else "ok" if row["oks"] else "unset",
        spans=row["spans"],
        errors=row["errors"],
        services=list(services),
    )
