"""What a span usually does, and which spans did otherwise.

For every operation the shares of its spans in which something happens are compared between incident and
baselines; what differs by more than chance would bring is a deviation, and says with which probability a
span that shows it does so for the fault rather than as it happens anyway.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from glasshouse_collector.insights.chance import likelihood_gain
from glasshouse_collector.insights.constants import Constants
from glasshouse_collector.insights.contexts import Contexts
from glasshouse_collector.insights.events import Event, EventKind, Events, events_of
from glasshouse_collector.insights.records import ERROR_LEVEL, Records
from glasshouse_collector.insights.spans import Flags, Floats, Ints, Places, Spans


@dataclass(frozen=True, slots=True)
class Deviation:
    """An event that is more (`more`) or less frequent in the spans of a place than it was.

    `before` and `after` are shares of all spans of the place; `evidence` says how much likelier what was
    counted is with two shares than with one, as a logarithm, less what comes of looking at many events.
    `spans` are the rows in the incident that show it, each for the fault with `probability`.
    """

    place: int
    event: Event
    more: bool
    before: float
    after: float
    evidence: float
    probability: float
    spans: Places


def find_deviations(
    spans: Spans, contexts: Contexts, records: Records, constants: Constants
) -> list[Deviation]:
    """Return what spans of the incident do otherwise than those of the baselines did.

    The baselines are taken together, and each for itself: one that the fault had already reached would
    hide it. Spans that an unusual error disturbed are no model of what spans do.
    """
    found: dict[tuple[int, Event, bool], Deviation] = {}
    baselines = spans.baselines()
    least = constants.least_evidence + float(np.log(len(baselines)))
    constants = replace(constants, least_evidence=least)
    calm = ~_disturbed(spans, records, constants)
    every = np.ones(len(spans), np.bool_)
    for baseline in baselines:
        events = events_of(spans, contexts, records, baseline & calm, constants)
        errors = events.of_errors
        for each in (
            *_deviations(spans, spans.place, events.only(errors), (baseline, every), constants),
            *_deviations(spans, contexts.number, events.only(~errors), (baseline, calm), constants),
        ):
            key = each.place, each.event, each.more
            if key not in found or found[key].evidence < each.evidence:
                found[key] = each
    return list(found.values())


def _disturbed(spans: Spans, records: Records, constants: Constants) -> Flags:
    """Tell which spans have an error above, below or in them that is unusual there.

    In the incident only those whose error was there before too, and has not become more frequent: what it
    leaves undone is no news, and the baselines' spans that it disturbs are left out as well.
    """
    error = records.severity >= ERROR_LEVEL
    failed = np.flatnonzero(spans.failed)
    said = len(records.statement.texts)
    rows = np.concatenate([records.span[error], failed])
    what = np.concatenate([records.statement.codes[error], said + spans.exception.codes[failed]])
    kinds, kind = np.unique(
        spans.place[rows].astype(np.int64) * (said + len(spans.exception.texts)) + what, return_inverse=True
    )
    place = kinds // (said + len(spans.exception.texts))
    now, before = (
        (
            np.bincount(kind[which[rows]], minlength=len(kinds)),
            np.bincount(spans.place[which], minlength=len(spans.places))[place],
        )
        for which in (spans.incident, ~spans.incident)
    )
    share = before[0] / np.maximum(1, before[1])
    unusual = (share > 0) & (share < constants.usual_error)
    more = np.zeros(len(kinds), np.bool_)
    both = unusual & (now[1] > 0)
    has, had = np.minimum(now[0], now[1]), np.minimum(before[0], before[1])
    more[both] = (has * before[1] > had * now[1])[both] & (
        likelihood_gain(has[both], now[1][both], had[both], before[1][both]) > constants.least_evidence
    )
    marked = np.zeros(len(spans), np.bool_)
    marked[rows[unusual[kind] & (~spans.incident[rows] | ~more[kind])]] = True
    carried = marked | spans.tree.below(marked)
    return carried | spans.tree.above(marked)


def _deviations(
    spans: Spans,
    group: Places,
    events: Events,
    sides: tuple[Flags, Flags],
    constants: Constants,
) -> Iterator[Deviation]:
    """Compare shares among the spans of each group; what groups of one place have in common is added up.

    `sides` are the baseline, whose shares are told, and the spans of it and of the incident that count.
    """
    if not len(events.span):
        return
    baseline, wanted = sides
    compared = _Compared.of(
        spans, group, events, (spans.incident & wanted, baseline & wanted), constants.calm
    )
    told = _Compared.of(spans, spans.place, events, (spans.incident, baseline), constants.calm).told()
    together: dict[tuple[int, int, bool], list[int]] = defaultdict(list)
    for pair in np.flatnonzero(compared.gain > constants.another_context):
        together[int(compared.place[pair]), int(compared.code[pair]), bool(compared.more[pair])].append(
            int(pair)
        )
    for (place, code, more), pairs in together.items():
        event = events.decoded(code)
        if not more and event.kind in {EventKind.ERROR_STATEMENT, EventKind.FAILURE}:
            continue
        gain = float(compared.gain[pairs].sum()) - constants.another_context * (len(pairs) - 1)
        evidence = gain - float(np.log(compared.looked_at[pairs].max()))
        if event.kind is EventKind.TEMPLATE:
            evidence *= constants.of_values
        if evidence <= constants.least_evidence:
            continue
        showing = np.concatenate([compared.showing(pair, more=more) for pair in pairs])
        old, new = compared.shares(pairs)
        before, after = told[place, code]
        yield Deviation(
            place=place,
            event=event,
            more=more,
            before=before,
            after=after,
            evidence=evidence,
            probability=1 - old / new if more else 1 - (1 - old) / (1 - new),
            spans=showing,
        )


@dataclass(frozen=True, slots=True)
class _Compared:
    """Columns of equal length, a row a pair of a group and an event: in how many spans it happens."""

    spans: Spans
    incident: Flags
    group_of: Places
    events: Events
    pair_of: Ints
    """Of each event its pair."""
    group: Ints
    code: Ints
    place: Ints
    has: Ints
    had: Ints
    after: Ints
    before: Ints
    looked_at: Ints
    """How many events are compared in the pair's group."""
    gain: Floats

    @classmethod
    def of(
        cls,
        spans: Spans,
        group: Places,
        events: Events,
        sides: tuple[Flags, Flags],
        calm: float,
    ) -> "_Compared":
        incident, baseline = sides
        codes, code = np.unique(events.code, return_inverse=True)
        groups = group[events.span].astype(np.int64)
        pairs, pair_of = np.unique(groups * len(codes) + code, return_inverse=True)
        pair_group, pair_code = pairs // len(codes), codes[pairs % len(codes)]
        now, then = _Sizes.of(spans, group, incident), _Sizes.of(spans, group, baseline)
        has = np.bincount(pair_of[incident[events.span]], minlength=len(pairs))
        had = np.bincount(pair_of[baseline[events.span]], minlength=len(pairs))
        after, before = now.spans[pair_group], then.spans[pair_group]
        traces, traces_before = now.traces[pair_group], then.traces[pair_group]
        if not baseline.any() and events.of_errors.all():
            before, traces_before = np.full(len(pairs), calm), np.full(len(pairs), calm)
        known = (after > 0) & (before > 0)
        gain = np.zeros(len(pairs))
        gain[known] = likelihood_gain(
            has[known] * (traces / np.maximum(after, 1))[known],
            traces[known],
            had[known] * (traces_before / np.maximum(before, 1))[known],
            traces_before[known],
        )
        place = np.zeros(int(group.max()) + 1, np.int64)
        place[group] = spans.place
        looked_at = np.bincount(pair_group)[pair_group]
        return cls(
            spans,
            incident,
            group,
            events,
            pair_of,
            pair_group,
            pair_code,
            place[pair_group],
            has,
            had,
            after,
            before,
            looked_at,
            gain,
        )

    @property
    def more(self) -> Flags:
        """Whether it happens in a larger share of spans than before."""
        more: Flags = self.has * self.before > self.had * self.after
        return more

    def shares(self, pairs: list[int]) -> tuple[float, float]:
        """Return the shares of spans before and after, never quite none nor all."""
        had, before = self.had[pairs].sum(), self.before[pairs].sum()
        has, after = self.has[pairs].sum(), self.after[pairs].sum()
        return float((had + 0.5) / (before + 1)), float((has + 0.5) / (after + 1))

    def told(self) -> dict[tuple[int, int], tuple[float, float]]:
        """Return by place and event the shares of spans before and after, as counted."""
        had, has = self.had / np.maximum(self.before, 1), self.has / np.maximum(self.after, 1)
        columns = (self.place.tolist(), self.code.tolist(), had.tolist(), has.tolist())
        return {(place, code): (old, new) for place, code, old, new in zip(*columns, strict=True)}

    def showing(self, pair: int, *, more: bool) -> Places:
        """Return the rows in the incident where it happens (`more`), or does not."""
        happened = self.events.span[self.pair_of == pair]
        rows: Places = happened[self.incident[happened]]
        if more:
            return rows
        every = np.flatnonzero((self.group_of == self.group[pair]) & self.incident)
        lacking: Places = np.setdiff1d(every, rows).astype(np.int32)
        return lacking


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How many spans of each place there are, and of how many traces."""

    spans: Ints
    traces: Ints

    @classmethod
    def of(cls, spans: Spans, context: Places, rows: Flags) -> "_Sizes":
        here, count = context[rows].astype(np.int64), int(context.max(initial=-1)) + 1
        traces = np.unique(here * len(spans.trace_ids) + spans.trace[rows]) // len(spans.trace_ids)
        return cls(np.bincount(here, minlength=count), np.bincount(traces, minlength=count))
