"""Reads a trace and its siblings: normal traces of the same root service and operation near it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from glasshouse_collector.insights.windows import SECOND, Window
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_SPANS: Final = 10_000
"""Of the trace itself; of one with more the first are looked at."""
MOST_SIBLINGS: Final = 100
MOST_SIBLING_SPANS: Final = 100_000
"""Of all siblings together."""
ENOUGH: Final = 5
"""Siblings below which nothing is said of what is usual."""
_PLENTY: Final = 30
"""Siblings with which nothing further away is looked for."""
_CANDIDATES: Final = 400
_NORMAL: Final = 0.75
"""The share of traces without errors, the fastest, that are taken for normal."""
_NEAR: Final = (3600 * SECOND, 24 * 3600 * SECOND)
"""How long before and after the trace siblings are looked for: the nearer ones first."""
_LATEST: Final = 2**63 - 1

_MASKED: Final = (
    "leftUTF8(replaceRegexpAll(toString(SpanName), "
    "'(/)(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}|[0-9]+\\\\b)"
    "|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}|\\\\b[0-9a-fA-F]{16,}\\\\b|[0-9]{4,}', '\\\\1*'), 200)"
)
"""An operation without the ids in its name, as `glasshouse_operations` has it."""
_COLUMNS: Final = f"""
    TraceId, cityHash64(TraceId, SpanId) AS Id,
    if(ParentSpanId = '', 0, cityHash64(TraceId, ParentSpanId)) AS Parent,
    toString(ServiceName) AS Service, {_MASKED} AS Operation, toString(SpanKind) AS Kind,
    toUnixTimestamp64Nano(Timestamp) AS Start, toInt64(least(Duration, 1000000000000000)) AS Duration,
    StatusCode = 'Error' AS Failed
"""
_BETWEEN: Final = (
    "Timestamp >= fromUnixTimestamp64Nano({first:Int64}) "
    "AND Timestamp <= fromUnixTimestamp64Nano({last:Int64})"
)
_EXTENT: Final = """
SELECT count() AS Found, toUnixTimestamp64Nano(min(Start)) AS First, toUnixTimestamp64Nano(max(End)) AS Last
FROM otel_traces_trace_id_ts WHERE TraceId = {trace_id:String}
"""
_OWN: Final = f"""
SELECT {_COLUMNS}, SpanId, ParentSpanId, StatusMessage, toString(SpanName) AS Name,
    indexOf(Events.Name, 'exception') AS Raised,
    if(Raised > 0, Events.Attributes[Raised]['exception.type'], SpanAttributes['error.type']) AS Exception,
    if(Raised > 0, Events.Attributes[Raised]['exception.message'], '') AS ExceptionMessage
FROM otel_traces WHERE TraceId = {{trace_id:String}} AND {_BETWEEN}
ORDER BY Timestamp, Duration DESC, SpanId LIMIT 1 BY Id LIMIT {{most:UInt64}}
"""  # noqa: S608  (our own column names; values are parameters)
_CANDIDATE: Final = f"""
SELECT TraceId, max(Duration) AS Longest FROM otel_traces
WHERE ServiceName = {{service:String}} AND {{name}} AND {_BETWEEN} AND StatusCode != 'Error'
    AND TraceId NOT IN ('', {{trace_id:String}}) AND ({{rooted:UInt8}} = 0 OR ParentSpanId = '')
GROUP BY TraceId ORDER BY cityHash64(TraceId) LIMIT {_CANDIDATES}
"""  # noqa: S608
_WHOLE: Final = """
SELECT TraceId, toInt64(sum(Spans)) AS Spans, toUnixTimestamp64Nano(min(Start)) AS First,
    toUnixTimestamp64Nano(max(End)) AS Last
FROM otel_traces_trace_id_ts WHERE TraceId IN {ids:Array(String)}
GROUP BY TraceId HAVING sum(Errors) = 0
"""
_SIBLINGS: Final = f"""
SELECT {_COLUMNS}, SpanId FROM otel_traces
WHERE TraceId IN {{ids:Array(String)}} AND {_BETWEEN} LIMIT 1 BY Id
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class OwnTrace:
    """The trace itself: its spans in the order of time, when the first began, whether there are more."""

    trace_id: str
    table: pa.Table
    first: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Root:
    """Where a trace begins; `rooted`: it has no parent, not even one that did not arrive."""

    service: str
    name: str
    operation: str
    """The name without ids."""
    duration: int
    rooted: bool


@dataclass(frozen=True, slots=True)
class ReadSiblings:
    """The siblings' spans, and the durations of those spans of theirs that are the root's like."""

    table: pa.Table
    trace_ids: tuple[str, ...]
    durations: tuple[int, ...]
    window: Window


def read_own(store: ProjectStore, trace_id: str, limits: QueryLimits) -> OwnTrace | None:
    """Return a trace, None where no span of it is kept; raises `EngineFailure`."""
    [extent] = store.query_arrow(_EXTENT, {"trace_id": trace_id}, limits=limits).to_pylist()
    if not extent["Found"]:
        return None
    asked: dict[str, str | int] = {"trace_id": trace_id, "most": MOST_SPANS + 1}
    asked |= {"first": extent["First"], "last": extent["Last"]}
    table = store.query_arrow(_OWN, asked, limits=limits)
    if not table.num_rows:
        return None
    truncated = table.num_rows > MOST_SPANS
    return OwnTrace(trace_id, table.slice(0, MOST_SPANS), extent["First"], truncated)


def read_siblings(store: ProjectStore, own: OwnTrace, root: Root, limits: QueryLimits) -> ReadSiblings:
    """Return normal traces near one, at most `MOST_SIBLINGS`; raises `EngineFailure`.

    Those with the very same name within an hour come first, then within a day, then those whose name
    differs in ids alone.
    """
    found: dict[str, int] = {}
    whole: dict[str, dict[str, int]] = {}
    window = Window(own.first, own.first + 1)
    for masked in (False, True):
        for near in _NEAR:
            window = Window(max(0, own.first - near), min(own.first + near, _LATEST))
            found = _candidates(store, own, root, window, limits, masked=masked)
            whole = _whole(store, list(found), limits)
            if len(whole) >= _PLENTY:
                break
        if len(whole) >= ENOUGH:
            break
    chosen = _normal({trace_id: found[trace_id] for trace_id in found if trace_id in whole}, whole)
    return ReadSiblings(
        _spans(store, chosen, whole, limits),
        tuple(chosen),
        tuple(found[trace_id] for trace_id in chosen),
        window,
    )


def _candidates(  # noqa: PLR0913  (where, which, when)
    store: ProjectStore, own: OwnTrace, root: Root, window: Window, limits: QueryLimits, *, masked: bool
) -> dict[str, int]:
    """Return traces with a span like the root that did not fail, by its duration."""
    name = f"{_MASKED} = {{operation:String}}" if masked else "SpanName = {operation:String}"
    table = store.query_arrow(
        _CANDIDATE.replace("{name}", name),
        {
            "service": root.service,
            "operation": root.operation if masked else root.name,
            "first": window.start,
            "last": window.end,
            "trace_id": own.trace_id,
            "rooted": int(root.rooted),
        },
        limits=limits,
    )
    return dict(zip(_strings(table, "TraceId"), table.column("Longest").to_pylist(), strict=True))


def _whole(store: ProjectStore, trace_ids: list[str], limits: QueryLimits) -> dict[str, dict[str, int]]:
    """Return of those without a failed span how many spans there are, and between which times."""
    if not trace_ids:
        return {}
    table = store.query_arrow(_WHOLE, {"ids": _array(trace_ids)}, limits=limits)
    rows = table.select(["Spans", "First", "Last"]).to_pylist()
    return dict(zip(_strings(table, "TraceId"), rows, strict=True))


def _normal(durations: dict[str, int], whole: dict[str, dict[str, int]]) -> list[str]:
    """Return the faster ones, as many as may be read, in the order in which they were found."""
    if not durations:
        return []
    longest = np.quantile(np.fromiter(durations.values(), np.float64), _NORMAL, method="higher")
    chosen: list[str] = []
    spans = 0
    for trace_id, duration in durations.items():
        spans += whole[trace_id]["Spans"]
        if spans > MOST_SIBLING_SPANS and chosen:
            break
        if duration <= longest:
            chosen.append(trace_id)
    return chosen[:MOST_SIBLINGS]


def _spans(
    store: ProjectStore, chosen: list[str], whole: dict[str, dict[str, int]], limits: QueryLimits
) -> pa.Table:
    asked: dict[str, str | int] = {"ids": _array(chosen), "first": 0, "last": 0}
    if chosen:
        asked["first"] = min(whole[trace_id]["First"] for trace_id in chosen)
        asked["last"] = max(whole[trace_id]["Last"] for trace_id in chosen)
    return store.query_arrow(_SIBLINGS, asked, limits=limits)


def _array(texts: list[str]) -> str:
    """Return texts as ClickHouse reads an array; ids of traces, which hold hex digits alone."""
    return "[" + ",".join(f"'{text}'" for text in texts if text.isalnum()) + "]"


def _strings(table: pa.Table, name: str) -> list[str]:
    return list(table.column(name).cast(pa.string()).to_pylist())
