"""Where time goes that used not to: own work, the way between services, what sends no telemetry.

Only time on a trace's critical path counts, so that nobody is blamed for waiting. A span's own time is
compared with that of the baselines' spans in the same context; beyond what they reached, it is excess.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from glasshouse_collector.insights.chance import Floats, likelihood_gain
from glasshouse_collector.insights.constants import Constants
from glasshouse_collector.insights.contexts import Contexts, groups_of
from glasshouse_collector.insights.spans import Flags, Places, Spans
from glasshouse_collector.insights.tree import NONE


class Mechanism(IntEnum):
    """In what a span spent its own time."""

    WORK = 0
    WAY = 1
    """Between a span that waits for another service and that service's span."""
    DEPENDENCY = 2
    """In a call whose other side sends no telemetry."""


@dataclass(frozen=True, slots=True)
class Slowdown:
    """Spans of one context that take longer by themselves; times in nanoseconds.

    `service` is whose spans they are; `other` the service called (`WAY`) or the name of what is
    (`DEPENDENCY`). `excess` is the time beyond what was usual, of all together, `spans` the rows that are
    slower than usual; `of` is how many there are, of which so many are slower.
    """

    place: int
    mechanism: Mechanism
    service: int
    other: int
    before: float | None
    after: float
    evidence: float
    excess: float
    spans: Places
    of: int


def find_slowdowns(spans: Spans, contexts: Contexts, baseline: Flags, constants: Constants) -> list[Slowdown]:
    """Return what takes longer in the incident than in a baseline, by more than chance brings."""
    own = spans.tree.own.astype(np.float64)
    mechanism, other = _mechanisms(spans, contexts)
    work = mechanism == Mechanism.WORK
    group = _numbers(mechanism, spans.service, other, np.where(mechanism == Mechanism.WAY, 0, spans.place))
    # Ways between services are alike, so that one that is hardly known may be held against all; work is not.
    alike = np.where(work, len(Mechanism) + group, mechanism)
    usual = _usual(own, baseline, (contexts.timed, group, alike), constants)
    timed = _Timed(own, usual, baseline, mechanism, other, constants)
    groups = list(groups_of(group))
    found = (_slowdown(spans, timed, rows, len(groups)) for rows in groups)
    return [each for each in found if each is not None and each.evidence >= constants.least_evidence]


@dataclass(frozen=True, slots=True)
class _Timed:
    """Of each span its own time, what was usual in a baseline, whether it is of that, and what it is."""

    own: Floats
    usual: Floats
    baseline: Flags
    mechanism: Places
    other: Places
    constants: Constants

    @property
    def slow(self) -> Flags:
        return self.own > self.usual

    def tail(self, mechanism: int) -> float:
        """Return how fast ever slower spans become rarer in the baseline (Pareto's index).

        The estimate is Hill's, drawn towards a heavy tail where there is little to go by.
        """
        rows = np.flatnonzero(self.slow & self.baseline & (self.mechanism == mechanism))
        logs = np.log(self.own[rows] / np.maximum(self.usual[rows], 1))
        first = self.constants.first_spans
        return float((len(rows) + first) / (logs.sum() + first / self.constants.heavy))


def _slowdown(spans: Spans, timed: _Timed, rows: npt.NDArray[np.intp], groups: int) -> Slowdown | None:
    now, before = rows[spans.incident[rows]], rows[timed.baseline[rows]]
    slower = now[timed.slow[now]].astype(np.int32)
    if not len(slower):
        return None
    first = timed.constants.first_spans
    share = len(slower) / len(now)
    slow_before = timed.slow[before].sum() + first * timed.constants.slow_first
    share_before = slow_before / (len(before) + first)
    if share <= share_before:
        return None
    traces_before = spans.traces(before) + first
    mechanism = int(timed.mechanism[slower[0]])
    evidence = (
        likelihood_gain(spans.traces(slower), spans.traces(now), share_before * traces_before, traces_before)
        + _tail_gain(_greatest(spans, slower, timed.own[slower] / timed.usual[slower]), timed.tail(mechanism))
        - np.log(groups)
    )
    return Slowdown(
        place=int(np.bincount(spans.place[slower]).argmax()),
        mechanism=Mechanism(mechanism),
        service=int(spans.service[slower[0]]),
        other=int(timed.other[slower[0]]),
        before=float(np.median(timed.own[before])) if len(before) else None,
        after=float(np.median(timed.own[slower])),
        evidence=float(evidence),
        excess=float((timed.own[slower] - timed.usual[slower]).sum()),
        spans=slower,
        of=len(now),
    )


def _usual(own: Floats, baseline: Flags, groupings: tuple[Places, ...], constants: Constants) -> Floats:
    """Return what is usual for each span, by the finest grouping in which the baseline has enough of them."""
    usual = np.full(len(own), np.inf)
    for grouping in reversed(groupings):
        for rows in groups_of(grouping):
            before = own[rows[baseline[rows]]]
            if len(before) >= constants.fewest_timed:
                median, upper = np.quantile(before, (0.5, 0.75))
                most = median * (1 + constants.beyond) + constants.scatter * (upper - median)
                usual[rows] = max(1.0, most)
            elif len(before):
                usual[rows] = np.maximum(usual[rows], (1 + constants.beyond) * before.max())
    return usual


def _tail_gain(beyond: Floats, tail: float) -> float:
    """Return by how much slow traces are likelier with a heavier tail of their own."""
    logs = np.log(np.maximum(beyond, 1 + 1e-9))
    own = len(logs) / logs.sum()
    return float((np.log(own / tail) - (own - tail) * logs).sum()) if own < tail else 0.0


def _greatest(spans: Spans, rows: Places, values: Floats) -> Floats:
    """Return the greatest value of each trace."""
    _, trace = np.unique(spans.trace[rows], return_inverse=True)
    found = np.zeros(int(trace.max()) + 1)
    np.maximum.at(found, trace, values)
    return found


def _numbers(*columns: Places) -> Places:
    """Return a number for each different combination of the columns' values."""
    number = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        number = np.unique(number * (int(column.max(initial=0)) + 2) + column + 1, return_inverse=True)[1]
    return number.astype(np.int32)


def _mechanisms(spans: Spans, contexts: Contexts) -> tuple[Places, Places]:
    """Return of each span in what it spends its own time, and with whom."""
    parent = spans.tree.parent
    leaf = np.bincount(parent[parent != NONE], minlength=len(spans)) == 0
    way = contexts.callee != NONE
    known = np.array([bool(text) for text in spans.peer.texts], np.bool_)[spans.peer.codes]
    outside = leaf & (spans.outgoing | known)
    mechanism = np.where(way, Mechanism.WAY, np.where(outside, Mechanism.DEPENDENCY, Mechanism.WORK))
    other = np.where(way, spans.service[contexts.callee], spans.peer.codes)
    return mechanism.astype(np.int32), other.astype(np.int32)
