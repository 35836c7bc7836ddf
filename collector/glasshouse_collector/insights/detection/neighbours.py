"""Who calls whom: which services' troubles may be one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_SPANS: Final = 200_000
"""Spans that are looked at; of more, those of one trace in so many."""
_LOOKED_BACK: Final = 45
"""Minutes: a service that is silent now was called then."""
_SPANS: Final = "SELECT count() AS Spans FROM otel_traces WHERE {when}"
_EDGES: Final = """
SELECT DISTINCT c.Service AS Caller, s.Service AS Called
FROM (SELECT ServiceName AS Service, arrayJoin(arrayConcat(
        [cityHash64(TraceId, ParentSpanId)],
        arrayMap((trace, span) -> cityHash64(trace, span), Links.TraceId, Links.SpanId))) AS Pair
    FROM otel_traces WHERE {when} AND (ParentSpanId != '' OR notEmpty(Links.SpanId))) AS s
INNER JOIN (SELECT ServiceName AS Service, cityHash64(TraceId, SpanId) AS Pair
    FROM otel_traces WHERE {when}) AS c ON s.Pair = c.Pair
WHERE Caller != Called AND Caller != '' AND Called != '' LIMIT 10000
"""

Neighbours = Mapping[str, frozenset[str]]
"""The services that call a service, or are called by it."""


def read_callers(store: ProjectStore, minute: int, limits: QueryLimits) -> set[tuple[str, str]]:
    """Return who called whom up to a minute (of the Unix epoch), and with it; raises `EngineFailure`."""
    first, last = max(minute + 1 - _LOOKED_BACK, 0) * 60, (minute + 1) * 60
    when = (
        f"Timestamp >= fromUnixTimestamp64Nano({first * 10**9}) "
        f"AND Timestamp < fromUnixTimestamp64Nano({last * 10**9})"
    )
    spans = store.query_arrow(_SPANS.format(when=when), limits=limits)["Spans"][0].as_py()
    if (one_in := -(-spans // MOST_SPANS)) > 1:
        when += f" AND cityHash64(TraceId) % {one_in} = 0"
    rows = store.query_arrow(_EDGES.format(when=when), limits=limits).to_pylist()
    return {(row["Caller"], row["Called"]) for row in rows}


def neighbours_of(calls: Iterable[tuple[str, str]]) -> Neighbours:
    """Return for each service those beside it."""
    found: dict[str, set[str]] = defaultdict(set)
    for caller, called in calls:
        found[caller].add(called)
        found[called].add(caller)
    return {service: frozenset(beside) for service, beside in found.items()}


def belong_together(one: Iterable[str], other: Iterable[str], neighbours: Neighbours) -> bool:
    """Tell whether services of both are the same, call each other, or have a neighbour in common.

    The one between two that are in trouble may be well by itself.
    """
    ones, others = set(one), set(other)
    beside_one = ones.union(*(neighbours.get(service, frozenset()) for service in ones))
    if beside_one & others:
        return True
    return bool(beside_one & others.union(*(neighbours.get(service, frozenset()) for service in others)))


def roots_of(services: Iterable[str], calls: Iterable[tuple[str, str]]) -> Mapping[str, frozenset[str]]:
    """Return the services that what is wrong with some of them may come from, each with those it explains.

    What fails or is slow is passed on to callers. A root calls none of the others, neither itself nor by
    one between that is well; of services in a circle each is one.
    """
    called: dict[str, set[str]] = defaultdict(set)
    for caller, callee in calls:
        called[caller].add(callee)
    among = set(services)
    below = {service: _below(service, among, called) for service in among}
    roots = {service for service in among if all(service in below[deeper] for deeper in below[service])}
    return {
        root: frozenset(each for each in among if each == root or (root in below[each] and each not in roots))
        for root in roots
    }


def _below(service: str, among: set[str], called: Mapping[str, set[str]]) -> set[str]:
    """Return those that a service reaches through others of them, and one that is well between two."""
    found: set[str] = set()
    waiting = [service]
    while waiting:
        near = called.get(waiting.pop(), set())
        beyond = {each for well in near - among for each in called.get(well, ())}
        new = ((near | beyond) & among) - found
        found |= new
        waiting += new
    return found
