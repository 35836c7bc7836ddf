"""What calls that show a fault have in common, and others have not: a host, a version, a customer's tier."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from glasshouse_collector.insights.chance import likelihood_gain
from glasshouse_collector.insights.evidence.clue import Clue, Rows
from glasshouse_collector.insights.evidence.shown import shown_times
from glasshouse_collector.insights.findings import MOST_SHOWN, Evidence, EvidenceKind, RootCause
from glasshouse_collector.insights.spans import SEARCHED_AROUND, Spans, times
from glasshouse_collector.insights.windows import Question
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_COMPARED: Final = 300
"""Calls that show it, and others, of which attributes are read."""
MOST_KEY, MOST_VALUE = 100, 200
"""Characters; longer ones are texts, not names of anything."""
_MOST_VALUES: Final = 50
"""Values of one key, the frequent ones."""
_MOST_TOLD: Final = 3
_FEWEST: Final = 5
"""Calls on either side below which nothing is compared, and with a value below which it is not read."""
_LEAST: Final = 3.0
"""Nats: 20 times likelier than chance."""
_MOST_HAVE: Final = 0.5
"""What fewer of the calls have that show it does not describe them."""
_AS_MANY: Final = 1.5
_NEARLY_ALL: Final = 0.8
"""Of the calls that show it, so many are of the one instance that is to blame."""
_FAR_FEWER: Final = 0.5
"""Of other calls, at most such a part of that share is."""
_VERSION: Final = "service.version"
_INSTANCES: Final = ("k8s.pod.name", "service.instance.id", "container.id", "host.name", "k8s.node.name")
_NAMES: Final = (_VERSION, *_INSTANCES)
"""Of keys that say the same, the earlier one is told."""
_OUTCOME: Final = re.compile(r"(^|[._])(error|exception|response|status|status_code)([._]|$)", re.IGNORECASE)
"""Keys of how a call ended: that follows from the fault."""
_READ: Final = f"""
SELECT Key, Value, max(Place) AS OfResource, uniqExactIf(Id, Bad) AS Has, uniqExactIf(Id, NOT Bad) AS Had,
    groupArraySortedIf({MOST_SHOWN})(TraceId, Bad) AS Traces
FROM (
    SELECT Id, TraceId, Bad, toString(Name) AS Key, Value, Place
    FROM (
        SELECT cityHash64(TraceId, SpanId) AS Id, TraceId, Id IN ({{bad}}) AS Bad,
            arrayConcat(mapKeys(SpanAttributes), mapKeys(ResourceAttributes)) AS Names,
            arrayConcat(mapValues(SpanAttributes), mapValues(ResourceAttributes)) AS Values,
            arrayMap((name, at) -> at > length(SpanAttributes), Names, arrayEnumerate(Names)) AS Places
        FROM otel_traces
        WHERE ServiceName = {{{{service:String}}}} AND SpanName = {{{{operation:String}}}} AND ({{when}})
            AND Id IN ({{ids}}) LIMIT 1 BY Id
    ) ARRAY JOIN Names AS Name, Values AS Value, Places AS Place
    WHERE Value != '' AND lengthUTF8(Key) <= {MOST_KEY} AND lengthUTF8(Value) <= {MOST_VALUE}
)
GROUP BY Key, Value HAVING Has + Had >= {_FEWEST}
ORDER BY Has + Had DESC, Key, Value LIMIT {_MOST_VALUES} BY Key
"""  # noqa: S608  (constants; ids are numbers, names parameters)


@dataclass(frozen=True, slots=True)
class _Sides:
    """Spans of one place, a row a trace: those that show it, and others, of the incident or from before."""

    bad: Rows
    good: Rows
    of_incident: bool

    @property
    def words(self) -> str:
        """What the others are."""
        return "of the others" if self.of_incident else "before"


@dataclass(frozen=True, slots=True)
class _Common:
    """An attribute's value, and the shares of calls that have it: that show the fault, and that do not."""

    key: str
    value: str
    of_resource: bool
    after: float
    before: float
    gain: float
    traces: tuple[str, ...]


def with_attributes(  # noqa: PLR0913, PLR0917  (all that an analysis has)
    store: ProjectStore,
    question: Question,
    spans: Spans,
    clues: Sequence[Clue],
    causes: Sequence[RootCause],
    limits: QueryLimits,
) -> list[RootCause]:
    """Return the causes, the first with what its calls have in common; raises `EngineFailure`.

    That is told beside its score, not counted in it: it says which calls are hit, not that any are.
    """
    sides = _sides(spans, _telling_rows(clues, causes[0])) if causes else None
    if sides is None:
        return list(causes)
    common = _in_common(_read(store, question, spans, sides, limits), sides)
    cause = causes[0]
    shown = tuple(_evidence(spans, sides, each) for each in _told(common))
    resource = cause.resource or (_instance(common) if sides.of_incident else "")
    return [replace(cause, evidence=(*cause.evidence, *shown), resource=resource), *causes[1:]]


def _telling_rows(clues: Sequence[Clue], cause: RootCause) -> Rows:
    """Return the rows of the strongest clue of the cause, of its own kind if there is one."""
    shown = [
        clue for clue in clues if clue.service == cause.service and len(clue.rows) and clue.sort != "metric"
    ]
    if not shown:
        return np.zeros(0, np.int32)
    return max(shown, key=lambda clue: (clue.kind is cause.kind, clue.strength)).rows


def _sides(spans: Spans, rows: Rows) -> _Sides | None:
    """Return what to compare: spans of the place that shows it most, in the incident if there are others."""
    if not len(rows):
        return None
    place = int(np.bincount(spans.place[rows]).argmax())
    bad = _one_a_trace(spans, rows[spans.place[rows] == place])
    others = (spans.place == place) & ~np.isin(spans.trace, spans.trace[rows])
    for of_incident in (True, False):
        good = _one_a_trace(spans, np.flatnonzero(others & (spans.incident == of_incident)))
        if min(len(bad), len(good)) >= _FEWEST:
            return _Sides(_spread(bad), _spread(good), of_incident)
    return None


def _one_a_trace(spans: Spans, rows: Rows) -> Rows:
    """Return the first row of each trace, in time's order: calls of one trace are no two observations."""
    first: Rows = rows[np.unique(spans.trace[rows], return_index=True)[1]]
    return first[np.lexsort((spans.ids[first], spans.start[first]))]


def _spread(rows: Rows) -> Rows:
    """Return at most `MOST_COMPARED` of the rows, from all of their time."""
    if len(rows) <= MOST_COMPARED:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_COMPARED).astype(np.int64)]


def _read(
    store: ProjectStore, question: Question, spans: Spans, sides: _Sides, limits: QueryLimits
) -> list[dict[str, Any]]:
    windows = (question.incident,) if sides.of_incident else (question.incident, *question.baselines)
    bad, good = (", ".join(map(str, spans.ids[rows].tolist())) for rows in (sides.bad, sides.good))
    sql = _READ.format(when=times(windows, SEARCHED_AROUND), bad=bad, ids=f"{bad}, {good}")
    place = spans.places[spans.place[sides.bad[0]]]
    names = {"service": place.service, "operation": place.operation}
    rows: list[dict[str, Any]] = store.query_arrow(sql, names, limits=limits).to_pylist()
    return rows


def _in_common(rows: list[dict[str, Any]], sides: _Sides) -> list[_Common]:
    """Return what is plainly more frequent where the fault shows, the plainest first."""
    doubt = float(np.log(max(1, len(rows))))
    found = []
    for row in rows:
        has, had, bad, good = row["Has"], row["Had"], len(sides.bad), len(sides.good)
        after, before = has / bad, had / good
        gain = float(likelihood_gain(has, bad, had, good)) - doubt
        if gain < _LEAST or after < max(_MOST_HAVE, _AS_MANY * before) or _OUTCOME.search(row["Key"]):
            continue
        of_resource, traces = bool(row["OfResource"]), tuple(row["Traces"])
        found.append(_Common(row["Key"], row["Value"], of_resource, after, before, gain, traces))
    return sorted(found, key=lambda each: (-each.gain, _rank(each.key), each.key, each.value))


def _rank(key: str) -> int:
    return _NAMES.index(key) if key in _NAMES else len(_NAMES)


def _told(common: list[_Common]) -> list[_Common]:
    """Return the plainest; a resource's attributes that always come together are told by one of them."""
    told: dict[object, _Common] = {}
    for each in common:
        told.setdefault((each.after, each.before) if each.of_resource else each, each)
    return list(told.values())[:_MOST_TOLD]


def _instance(common: list[_Common]) -> str:
    """Return the pod, instance or host to blame, where it is one of several."""
    blamed = {
        each.key: each.value
        for each in reversed(common)
        if each.after >= _NEARLY_ALL and each.before <= _FAR_FEWER * each.after
    }
    return next((blamed[key] for key in _INSTANCES if key in blamed), "")


def _evidence(spans: Spans, sides: _Sides, each: _Common) -> Evidence:
    place = spans.places[spans.place[sides.bad[0]]]
    start, end = shown_times(spans, sides.bad)
    return Evidence(
        kind=EvidenceKind.RELEASE if each.key == _VERSION else EvidenceKind.ATTRIBUTE,
        text=f"{each.key} = {each.value} in {each.after:.0%} of the calls that show it, "
        f"{each.before:.0%} {sides.words}",
        weight=each.gain,
        service=place.service,
        operation=place.operation,
        before=each.before,
        after=each.after,
        unit="share of calls",
        start=start,
        end=end,
        trace_ids=each.traces,
        attribute=each.key,
    )
