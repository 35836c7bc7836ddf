"""Clues in where time goes: own work, the ways in and out of a service, what sends no telemetry."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from glasshouse_collector.insights.constants import Constants
from glasshouse_collector.insights.contexts import Contexts
from glasshouse_collector.insights.evidence.clue import Clue
from glasshouse_collector.insights.evidence.shown import entry_operation, shown_times, shown_traces
from glasshouse_collector.insights.findings import Evidence, EvidenceKind, FaultKind
from glasshouse_collector.insights.spans import Floats, Spans
from glasshouse_collector.insights.timing import Mechanism, Slowdown
from glasshouse_collector.insights.tree import NONE

_MILLISECOND: Final = 1e6
_WHOLE: Final = 10
"""Milliseconds from which on none but whole ones are told."""


def timing_clues(
    spans: Spans,
    contexts: Contexts,
    slowdowns: list[Slowdown],
    constants: Constants,
    usual_times: float = 1.0,
) -> list[Clue]:
    """Return the clues of slowdowns, as strong as they matter to the traces that have them.

    One matters in full where it adds `usual_times` what such traces usually take.
    """
    touched = _Touched(spans, contexts, slowdowns, constants.untouched)
    usual = usual_times * _usual_durations(spans)
    return [clue for each in slowdowns for clue in _clues(spans, contexts, each, touched, usual)]


class _Touched:
    """Which share of the calls into a service, and out of it, takes longer on the way."""

    def __init__(self, spans: Spans, contexts: Contexts, slowdowns: list[Slowdown], untouched: float) -> None:
        self._untouched = untouched
        slow = np.zeros(len(spans), np.bool_)
        for each in slowdowns:
            if each.mechanism is Mechanism.WAY:
                slow[each.spans] = True
        way = np.flatnonzero((contexts.callee != NONE) & spans.incident)
        count = len(spans.services)
        self._into = _shares(spans.service[contexts.callee[way]], slow[way], count)
        self._out = _shares(spans.service[way], slow[way], count)

    def caller(self, service: int) -> float:
        """Return how much the way out of a service is its own doing."""
        return self._blame(self._out[service], self._into[service])

    def callee(self, service: int) -> float:
        """Return how much the way into a service is its own doing."""
        return self._blame(self._into[service], self._out[service])

    def _blame(self, here: float, there: float) -> float:
        return here if np.isnan(there) else here * (self._untouched + (1 - self._untouched) * there)


def _shares(service: npt.NDArray[Any], slow: npt.NDArray[np.bool_], count: int) -> Floats:
    """Return of each service the share that is slow; none (NaN) where it has no such call."""
    calls = np.bincount(service, minlength=count)
    shares: Floats = np.where(calls > 0, np.bincount(service, slow, count) / np.maximum(calls, 1), np.nan)
    return shares


def _usual_durations(spans: Spans) -> Floats:
    """Return of each span how long traces like its own usually take, in nanoseconds."""
    roots = spans.tree.roots()
    before = np.flatnonzero((spans.tree.depth == 0) & ~spans.incident)
    overall = float(np.median(spans.duration[before])) if len(before) else 1.0
    usual = np.full(len(spans.places), overall)
    for place in np.unique(spans.place[before]):
        usual[place] = np.median(spans.duration[before[spans.place[before] == place]])
    found: Floats = np.maximum(usual[spans.place[roots]], 1.0)
    return found


def _clues(
    spans: Spans, contexts: Contexts, each: Slowdown, touched: _Touched, usual: Floats
) -> Iterator[Clue]:
    traces = spans.traces(each.spans)
    matters = min(1.0, each.excess / traces / float(np.median(usual[each.spans])))
    plainest = each.spans[np.argsort(-spans.tree.own[each.spans])]
    for service, kind, share, told, evidence_kind in _blamed(spans, each, touched):
        strength = each.evidence * matters * share
        start, end = shown_times(spans, each.spans)
        before = None if each.before is None else each.before / _MILLISECOND
        after = each.after / _MILLISECOND
        yield Clue(
            service=spans.services[service],
            operation=_operation(spans, each, service),
            kind=kind,
            strength=strength,
            evidence=Evidence(
                kind=evidence_kind,
                text=f"{told}: {_grown(before, after)} in {len(each.spans)} of {each.of} calls",
                weight=strength,
                service=spans.services[service],
                operation=spans.places[each.place].operation,
                before=before,
                after=after,
                unit="ms",
                start=start,
                end=end,
                trace_ids=shown_traces(spans, plainest),
            ),
            group=f"{each.mechanism.name} {each.place} {each.other} {service}",
            sort="timing",
            rows=plainest if service == each.service else contexts.callee[plainest],
            dependency=spans.peer.texts[each.other] if each.mechanism is Mechanism.DEPENDENCY else "",
        )


def _grown(before: float | None, after: float) -> str:
    """Return times in words; they are in milliseconds."""
    return f"{_told(after)}, none known before" if before is None else f"{_told(before)} → {_told(after)}"


def _told(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if milliseconds >= _WHOLE else f"{milliseconds:.2g} ms"


def _blamed(
    spans: Spans, each: Slowdown, touched: _Touched
) -> Iterator[tuple[int, FaultKind, float, str, EvidenceKind]]:
    """Yield whom a slowdown may be due to, as which fault, how much, in words, and as which evidence."""
    share = len(each.spans) / each.of
    operation = spans.places[each.place].operation
    if each.mechanism is Mechanism.WORK:
        yield each.service, FaultKind.SLOW_CODE, share, f"own time of {operation}", EvidenceKind.OWN_TIME
        return
    if each.mechanism is Mechanism.DEPENDENCY:
        peer = spans.peer.texts[each.other] or "what sends no telemetry"
        told = f"calls of {operation} to {peer}"
        yield each.service, FaultKind.DEPENDENCY_SLOW, share, told, EvidenceKind.WAITING
        return
    caller, callee = spans.services[each.service], spans.services[each.other]
    told = f"on the way between {caller} and {callee}"
    for service, blame in (
        (each.service, touched.caller(each.service)),
        (each.other, touched.callee(each.other)),
    ):
        if blame > 0:
            yield service, FaultKind.NETWORK_DELAY, blame, told, EvidenceKind.WAITING


def _operation(spans: Spans, each: Slowdown, service: int) -> str:
    if service == each.service:
        return entry_operation(spans, each.spans)
    parent = spans.tree.parent
    called = np.flatnonzero(np.isin(parent, each.spans) & (spans.service == service))
    return spans.places[int(np.bincount(spans.place[called]).argmax())].operation if len(called) else ""
