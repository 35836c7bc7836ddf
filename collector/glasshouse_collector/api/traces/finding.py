"""Finds the traces of a page: those that are asked for, in the order that is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.traces.conditions import DURATION, TraceConditions
from glasshouse_collector.api.traces.place import TOLD_DIGITS, TracePlace
from glasshouse_collector.store import ProjectStore, QueryLimits

Sort = Literal["newest", "oldest", "longest", "shortest", "most_spans", "most_errors"]

_FIRST_SPAN: Final = 5 * 60 * 10**9
_HOUR: Final = 3600 * 10**9
_DAY: Final = 24 * _HOUR
_WIDER: Final = 64
"""At most so much wider is each span of time that is looked through than the one before."""
_PLACE: Final = "greatest(toUnixTimestamp64Nano(min(Start)), {})"
_VALUES: Final[dict[Sort, str]] = {
    "newest": _PLACE,
    "oldest": _PLACE,
    "longest": f"greatest({DURATION}, 0)",
    "shortest": f"greatest({DURATION}, 0)",
    "most_spans": "toInt64(sum(Spans))",
    "most_errors": "toInt64(sum(Errors))",
}
_ASCENDING: Final = frozenset({"oldest", "shortest"})
_BY_TIME: Final = frozenset({"newest", "oldest"})
_MOMENT: Final = "fromUnixTimestamp64Nano({})"
_SELECT: Final = """
SELECT TraceId, {value} AS value, {place} AS place
FROM otel_traces_trace_id_ts
WHERE {rows} AND {chosen}
GROUP BY TraceId
HAVING {whole}
ORDER BY value {direction}, TraceId {direction}
LIMIT {most}
SETTINGS {settings}
"""
_NESTED: Final = 3
"""So many conditions on spans are looked for one within the other, the rest together in what these leave: the
engine plans twenty within each other for 2.6 s."""
_TOGETHER: Final = "distributed_product_mode = 'local'"
"""On a cluster both tables have all of a trace on one shard: each looks for itself."""


@dataclass(frozen=True, slots=True)
class TraceQuestion:
    """Which traces are asked for: conditions, a range of time, an order, how many, and from where on.

    A trace is of the range when a span of it began within, and its place in time is where the first
    of these began.
    """

    conditions: TraceConditions
    range: TimeRange
    sort: Sort
    limit: int
    fingerprint: str
    after: TracePlace | None = None
    told: tuple[str, ...] = ()

    @property
    def ascending(self) -> bool:
        """Whether the least comes first."""
        return self.sort in _ASCENDING

    @property
    def by_time(self) -> bool:
        """Whether they are sorted by time: then not all of the range has to be looked through."""
        return self.sort in _BY_TIME


def find_traces(store: ProjectStore, asked: TraceQuestion, limits: QueryLimits) -> list[TracePlace]:
    """Return the places of the page's traces and, where there are more, of one after it.

    By time, the range is looked through in spans that grow, beginning at the page's end of it, the next as
    long as the traces that were found let expect. Any other order looks through the whole. Raises
    `EngineFailure`.
    """
    if not asked.by_time:
        return _find(store, _cheapest_first(store, asked, asked.range, limits), asked.range, limits)
    found: list[TracePlace] = []
    left, length = _from_cursor(asked), _FIRST_SPAN
    measured = False
    while left.start < left.end and len(found) <= asked.limit:
        span, left = _cut(left, length, newest=not asked.ascending)
        if not measured and not found:
            asked = _cheapest_first(store, asked, span, limits)
        some = _find(store, replace(asked, limit=asked.limit - len(found)), span, limits)
        found += some
        measured = measured or bool(some)
        wanted = asked.limit + 1 - len(found)
        length = min(length * _WIDER, length * 2 * wanted // len(some) if some else length * _WIDER)
        length = max(length, _FIRST_SPAN)
    return found


def _from_cursor(asked: TraceQuestion) -> TimeRange:
    if asked.after is None:
        return asked.range
    if asked.ascending:
        return asked.range.within(asked.after.value, asked.range.end)
    return asked.range.within(0, asked.after.value + 1)


def _cut(left: TimeRange, length: int, *, newest: bool) -> tuple[TimeRange, TimeRange]:
    """Return the next part of what is left, and the rest."""
    if newest:
        edge = max(left.start, left.end - length)
        return TimeRange(edge, left.end), TimeRange(left.start, edge)
    edge = min(left.end, left.start + length)
    return TimeRange(left.start, edge), TimeRange(edge, left.end)


def _cheapest_first(
    store: ProjectStore, asked: TraceQuestion, span: TimeRange, limits: QueryLimits
) -> TraceQuestion:
    """Order the conditions on spans by how many spans fulfil each: all after the first are cheap then.

    They are counted within five minutes of `span`.
    """
    terms = asked.conditions.spans
    if len(terms) < 2:  # noqa: PLR2004  (one needs no order)
        return asked
    sample, _ = _cut(span, _FIRST_SPAN, newest=not asked.ascending)
    some = Conditions([], {**asked.conditions.values})
    counts = ", ".join(f"countIf({term}) AS c{number}" for number, term in enumerate(terms))
    within = _spans_between(some, sample.start, sample.end)
    sql = f"SELECT {counts} FROM otel_traces WHERE {within} AND ({' OR '.join(terms)})"  # noqa: S608
    [row] = store.query_arrow(sql, some.values, limits=limits).to_pylist()
    ordered = [terms[number] for number in sorted(range(len(terms)), key=lambda number: row[f"c{number}"])]
    return replace(asked, conditions=replace(asked.conditions, spans=ordered))


def _find(
    store: ProjectStore, asked: TraceQuestion, span: TimeRange, limits: QueryLimits
) -> list[TracePlace]:
    """Return the first traces of those whose place in time is within `span`."""
    conditions = Conditions([], {**asked.conditions.values})
    whole = Conditions([*asked.conditions.whole], conditions.values)
    for bound, value in ((">=", span.start), ("<", span.end)):
        whole.add(f"place {bound} {whole.value(value, 'Int64')}")
    if not asked.by_time:
        first, end = whole.value(span.start, "Int64"), whole.value(span.end, "Int64")
        whole.add(f"countIf(End >= {_MOMENT.format(first)} AND Start < {_MOMENT.format(end)}) > 0")
    _go_on(asked, whole)
    start = conditions.value(asked.range.start, "Int64")
    # An insert's row of a trace begins with the trace's first span in it: a day before the range at most.
    rows = f"Start >= {_MOMENT.format(conditions.value(max(0, asked.range.start - _DAY), 'Int64'))}"
    reach = _reach(store, asked, span, limits) if asked.conditions.spans or asked.conditions.absent else 0
    sql = _SELECT.format(
        value=_VALUES[asked.sort].format(start),
        place=_PLACE.format(start),
        rows=rows,
        chosen=_chosen(asked, conditions, span, reach),
        whole=" AND ".join(f"({term})" for term in whole.terms),
        direction="ASC" if asked.ascending else "DESC",
        most=conditions.value(asked.limit + 1, "UInt64"),
        settings=_TOGETHER,
    )
    table = store.query_arrow(sql, conditions.values, limits=limits)
    return [TracePlace(row["value"], row["TraceId"]) for row in table.to_pylist()]


def _go_on(asked: TraceQuestion, whole: Conditions) -> None:
    """Leave out what earlier pages told."""
    if asked.after is None:
        return
    value, trace_id = whole.value(asked.after.value, "Int64"), whole.value(asked.after.trace_id, "String")
    whole.add(f"(value, TraceId) {'>' if asked.ascending else '<'} ({value}, {trace_id})")
    if asked.told:
        told = whole.value(str(list(asked.told)), "Array(String)")
        whole.add(f"NOT has({told}, right(TraceId, {TOLD_DIGITS}))")


def _chosen(asked: TraceQuestion, conditions: Conditions, span: TimeRange, reach: int) -> str:
    """Return what a trace's id has to fulfil: each condition of those that fulfil the ones before."""
    chosen = "1"
    for select, having in _selects(asked, conditions, span, reach):
        chosen = f"TraceId IN ({select} AND {chosen} {having})"
    if not asked.conditions.absent:
        return chosen
    between = _spans_between(conditions, span.start, reach)
    unwanted = " OR ".join(asked.conditions.absent)
    sql = f"SELECT TraceId FROM otel_traces WHERE ({unwanted}) AND {between} AND {chosen}"  # noqa: S608
    return f"{chosen} AND TraceId NOT IN ({sql})"


def _selects(
    asked: TraceQuestion, conditions: Conditions, span: TimeRange, reach: int
) -> Iterator[tuple[str, str]]:
    """Yield selects of ids, and what follows the condition that they are of those chosen before."""
    if not asked.conditions.spans and asked.by_time:
        first, last = conditions.value(span.start, "Int64"), conditions.value(span.end, "Int64")
        rows = f"Start < {_MOMENT.format(last)} AND "
        if span.start == asked.range.start:
            earliest = conditions.value(max(0, span.start - _DAY), "Int64")
            rows += f"Start >= {_MOMENT.format(earliest)} AND End >= {_MOMENT.format(first)}"
        else:
            rows += f"Start >= {_MOMENT.format(first)}"
        yield f"SELECT TraceId FROM otel_traces_trace_id_ts WHERE {rows}", ""  # noqa: S608
    between = _spans_between(conditions, span.start, reach)
    terms, rest = asked.conditions.spans[:_NESTED], asked.conditions.spans[_NESTED:]
    for term in terms:
        yield f"SELECT TraceId FROM otel_traces WHERE {term} AND {between}", ""  # noqa: S608
    if rest:
        each = " AND ".join(f"countIf({term}) > 0" for term in rest)
        some = f"SELECT TraceId FROM otel_traces WHERE ({' OR '.join(rest)}) AND {between}"  # noqa: S608
        yield some, f"GROUP BY TraceId HAVING {each}"


def _reach(store: ProjectStore, asked: TraceQuestion, span: TimeRange, limits: QueryLimits) -> int:
    """Return before when the spans of the traces within `span` began; the range's end, where that is near."""
    rest = asked.range.end - span.end
    if rest <= _HOUR or span.end - span.start > _HOUR:
        return asked.range.end
    conditions = Conditions()
    first, last = conditions.value(span.start, "Int64"), conditions.value(span.end, "Int64")
    earliest = conditions.value(max(0, asked.range.start - _DAY), "Int64")
    sql = (
        "SELECT toUnixTimestamp64Nano(max(End)) AS reach FROM otel_traces_trace_id_ts "  # noqa: S608
        f"WHERE Start >= {_MOMENT.format(earliest)} "
        "AND TraceId IN (SELECT TraceId FROM otel_traces_trace_id_ts "
        f"WHERE Start >= {_MOMENT.format(earliest)} AND End >= {_MOMENT.format(first)} "
        f"AND Start < {_MOMENT.format(last)}) SETTINGS {_TOGETHER}"
    )
    [row] = store.query_arrow(sql, conditions.values, limits=limits).to_pylist()
    return min(asked.range.end, max(int(row["reach"]), span.end) + 1)


def _spans_between(conditions: Conditions, start: int, end: int) -> str:
    first, last = conditions.value(start, "Int64"), conditions.value(end, "Int64")
    return f"Timestamp >= {_MOMENT.format(first)} AND Timestamp < {_MOMENT.format(last)}"
