"""Compares two traces: what took longer, what is only in one, what differs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Final

from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.api.traces.comparison_model import (
    AttributeDifference,
    ComparedError,
    ComparedNode,
    ComparedTrace,
    Contributor,
    NodeSide,
    ServiceDifference,
    TraceComparison,
)
from glasshouse_collector.api.traces.matching import Node, ShapedTrace, match_traces
from glasshouse_collector.api.traces.span_rows import SpanRow, read_extent, read_spans
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_COMPARED: Final = 10_000
"""Spans of either trace; of one with more the first are compared, and it is told as truncated."""
_MOST_ATTRIBUTES: Final = 50
_MOST_CONTRIBUTORS: Final = 20
_MOST_ERRORS: Final = 100
_MOST_SERVICES: Final = 100
_MOST_TEXT: Final = 1000


def read_comparison(
    store: ProjectStore, a: str, b: str, limits: QueryLimits, most: int = MOST_COMPARED
) -> TraceComparison:
    """Return the comparison; raises `EngineFailure`, and `Problem` where no span of one is kept."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        other = beside.submit(_read, store, b, limits, most)
        first = _read(store, a, limits, most)
        rows = {"a": first, "b": other.result()}
    for field, trace_id in (("a", a), ("b", b)):
        if not rows[field]:
            raise Problem(HTTPStatus.NOT_FOUND, f"{field}: no span is kept of trace {trace_id}")
    left, right = (ShapedTrace.of(rows[field][:most]) for field in ("a", "b"))
    nodes = list(match_traces(left, right))
    told_a = _trace(a, left, truncated=len(rows["a"]) > most)
    told_b = _trace(b, right, truncated=len(rows["b"]) > most)
    return TraceComparison(
        a=told_a,
        b=told_b,
        duration_difference_ns=told_b.duration_ns - told_a.duration_ns,
        contributors=_contributors(left, right),
        errors_appeared=_errors(nodes, right, left, "b"),
        errors_gone=_errors(nodes, left, right, "a"),
        services=_services(left.rows, right.rows),
        nodes=_nodes(nodes, left, right),
    )


def _read(store: ProjectStore, trace_id: str, limits: QueryLimits, most: int) -> list[SpanRow]:
    extent = read_extent(store, trace_id, limits)
    return read_spans(store, trace_id, extent, most + 1, limits) if extent else []


def _start(trace: ShapedTrace) -> int:
    return int(trace.rows[0]["Nanos"])


def _trace(trace_id: str, trace: ShapedTrace, *, truncated: bool) -> ComparedTrace:
    end = max(int(row["Nanos"]) + int(row["Duration"]) for row in trace.rows)
    return ComparedTrace(
        trace_id=trace_id,
        start_time=rfc3339(_start(trace)),
        duration_ns=max(0, end - _start(trace)),
        spans=len(trace.rows),
        errors=sum(map(_failed, trace.rows)),
        truncated=truncated,
    )


def _failed(row: SpanRow) -> bool:
    return bool(row["StatusCode"] == "Error")


def _nodes(nodes: Iterable[Node], left: ShapedTrace, right: ShapedTrace) -> list[ComparedNode]:
    told: list[ComparedNode] = []
    numbers: dict[int, int] = {}
    for node in nodes:
        numbers[id(node)] = len(told)
        above = None if node.parent is None else told[numbers[id(node.parent)]]
        told.append(_node(len(told), node, above, left, right))
    return told


def _node(
    number: int, node: Node, above: ComparedNode | None, left: ShapedTrace, right: ShapedTrace
) -> ComparedNode:
    a, b = _side(left, node.a), _side(right, node.b)
    both = a is not None and b is not None
    return ComparedNode(
        id=number,
        parent=None if above is None else above.id,
        depth=0 if above is None else above.depth + 1,
        service_name=node.service,
        operation=node.name,
        occurrence=node.occurrence,
        found_in="both" if both else "b" if a is None else "a",
        a=a,
        b=b,
        duration_difference_ns=b.duration_ns - a.duration_ns if a and b else None,
        self_time_difference_ns=b.self_time_ns - a.self_time_ns if a and b else None,
        attributes=_different(left.rows[node.a]["SpanAttributes"], right.rows[node.b]["SpanAttributes"])
        if node.a is not None and node.b is not None
        else [],
    )


def _side(trace: ShapedTrace, number: int | None) -> NodeSide | None:
    if number is None:
        return None
    row = trace.rows[number]
    return NodeSide(
        span_id=row["SpanId"],
        start_offset_ns=int(row["Nanos"]) - _start(trace),
        duration_ns=int(row["Duration"]),
        self_time_ns=trace.shape.self_times[number],
        status=row["StatusCode"],
    )


def _different(a: Mapping[str, str], b: Mapping[str, str]) -> list[AttributeDifference]:
    if a == b:
        return []
    keys = sorted(key for key in {*a, *b} if a.get(key) != b.get(key))
    return [
        AttributeDifference(key=_cut(key), a=_cut(a.get(key)), b=_cut(b.get(key)))
        for key in keys[:_MOST_ATTRIBUTES]
    ]


def _cut(text: Any) -> Any:
    return f"{text[:_MOST_TEXT]}…" if text is not None and len(text) > _MOST_TEXT else text


def _contributors(left: ShapedTrace, right: ShapedTrace) -> list[Contributor]:
    """Return the operations whose self time differs most, with those that one trace lacks."""
    totals: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for side, trace in enumerate((left, right)):
        for row, self_time in zip(trace.rows, trace.shape.self_times, strict=True):
            total = totals[row["ServiceName"], row["SpanName"]]
            total[side] += 1
            total[2 + side] += self_time
    told = [
        Contributor(
            service_name=service,
            operation=name,
            spans_a=spans_a,
            spans_b=spans_b,
            self_time_a_ns=time_a,
            self_time_b_ns=time_b,
            self_time_difference_ns=time_b - time_a,
        )
        for (service, name), (spans_a, spans_b, time_a, time_b) in totals.items()
        if time_a != time_b
    ]
    told.sort(key=lambda it: -abs(it.self_time_difference_ns))
    return told[:_MOST_CONTRIBUTORS]


def _errors(nodes: Sequence[Node], trace: ShapedTrace, other: ShapedTrace, field: str) -> list[ComparedError]:
    """Return the spans of `trace`, which is `field`, that failed and whose counterpart did not."""
    found = []
    for number, node in enumerate(nodes):
        own, counterpart = (node.a, node.b) if field == "a" else (node.b, node.a)
        if own is None or not _failed(trace.rows[own]):
            continue
        if counterpart is not None and _failed(other.rows[counterpart]):
            continue
        row = trace.rows[own]
        message = _cut(row["StatusMessage"])
        found.append(
            ComparedError(
                node=number,
                service_name=node.service,
                operation=node.name,
                span_id=row["SpanId"],
                message=message,
            )
        )
    return found[:_MOST_ERRORS]


def _services(a: Sequence[SpanRow], b: Sequence[SpanRow]) -> list[ServiceDifference]:
    resources_a, resources_b = (
        {row["ServiceName"]: row["ResourceAttributes"] for row in reversed(rows)} for rows in (a, b)
    )
    told = [
        ServiceDifference(
            service_name=name, resource_attributes=_different(resources_a[name], resources_b[name])
        )
        for name in sorted(resources_a.keys() & resources_b.keys())
        if resources_a[name] != resources_b[name]
    ]
    return told[:_MOST_SERVICES]
