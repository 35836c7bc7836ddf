"""What a span usually does, and which spans did otherwise.

What happens in a span is a set of events: calls it makes, lines it logs, how often each, how it ends. For
every operation the shares of its spans with an event are compared between incident and baselines; what
differs by more than chance would bring is a deviation, and says with which probability a span that shows it
does so for the fault rather than as it happens anyway.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from glasshouse_collector.insights.chance import likelihood_gain
from glasshouse_collector.insights.contexts import Contexts, groups_of
from glasshouse_collector.insights.records import Records
from glasshouse_collector.insights.spans import Flags, Ints, Places, Spans
from glasshouse_collector.insights.tree import NONE

_MOST_TIMES: Final = 3
"""An event that happens more often in one span is counted as happening so often."""
_MOST_PAIRED: Final = 24
"""Of so many events of an operation, the frequent ones, it is learned which come equally often."""
_ALWAYS: Final = 0.9
"""Events go together where they come equally often in so large a share of the baselines' spans."""
_FEWEST: Final = 5
"""Spans of the baselines from which that can be learned."""
_USUAL: Final = 0.95
"""An error in so large a share of an operation's spans is usual there."""
_ERROR_LEVEL: Final = 17
_BITS: Final = 24


class EventKind(IntEnum):
    """What happens in a span."""

    CALL = 0
    STATEMENT = 1
    ERROR_STATEMENT = 2
    TEMPLATE = 3
    FAILURE = 4
    FEWER = 5


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens in spans, at least `times` times.

    `subject` is a place among the spans' places (`CALL`), the records' statements or templates, or the
    spans' exceptions (`FAILURE`). `FEWER`: `subject` and `other` are events of the first three kinds, and
    the first comes less often than the second, though they go together.
    """

    kind: EventKind
    subject: int
    times: int = 1
    other: tuple[EventKind, int] | None = None
    of: EventKind | None = None


@dataclass(frozen=True, slots=True)
class Deviation:
    """An event that is more (`more`) or less frequent in the spans of a place than it was.

    `before` and `after` are shares of spans; `evidence` says how much likelier what was counted is with two
    shares than with one, as a logarithm, less what comes of looking at many events. `spans` are the rows in
    the incident that show it, each for the fault with `probability`.
    """

    place: int
    event: Event
    more: bool
    before: float
    after: float
    evidence: float
    probability: float
    spans: Places


@dataclass(frozen=True, slots=True)
class _Events:
    """Columns of equal length: the event of that code happened in that span; no pair comes twice."""

    span: Places
    code: Ints
    pairs: list[tuple[int, int]]
    """What a code of the kind `FEWER` means: codes of the two events."""

    def decoded(self, code: int) -> Event:
        """Return what a code stands for."""
        kind, subject, times = EventKind(code >> (_BITS + 2)), (code >> 2) & ((1 << _BITS) - 1), code & 3
        if kind is not EventKind.FEWER:
            return Event(kind, subject, times)
        first, second = (self.decoded(each) for each in self.pairs[subject])
        return Event(kind, first.subject, 1, (second.kind, second.subject), first.kind)


def find_deviations(
    spans: Spans, contexts: Contexts, records: Records, least_evidence: float
) -> list[Deviation]:
    """Return what spans of the incident do otherwise than those of the baselines did.

    The baselines are taken together, and each for itself: one that the fault had already reached would
    hide it. Spans that an unusual error disturbed are no model of what spans do.
    """
    found: dict[tuple[int, Event, bool], Deviation] = {}
    baselines = spans.baselines()
    calm = ~_disturbed(spans, records)
    for baseline in baselines:
        events = _events(spans, contexts, records, baseline & calm)
        for each in _deviations(
            spans, contexts, events, (baseline, baseline & calm), least_evidence + np.log(len(baselines))
        ):
            key = each.place, each.event, each.more
            if key not in found or found[key].evidence < each.evidence:
                found[key] = each
    return list(found.values())


def _disturbed(spans: Spans, records: Records) -> Flags:
    """Tell which spans of the baselines have an error above, below or in them that is unusual there."""
    marked = np.zeros(len(spans), np.bool_)
    error = records.severity >= _ERROR_LEVEL
    rows, statements = records.span[error], records.statement.codes[error]
    count = len(records.statement.texts) + len(spans.exception.texts)
    failed = np.flatnonzero(spans.failed)
    rows = np.concatenate([rows, failed])
    what = np.concatenate([statements, len(records.statement.texts) + spans.exception.codes[failed]])
    before = ~spans.incident
    rows, what = rows[before[rows]], what[before[rows]]
    kinds, kind = np.unique(spans.place[rows].astype(np.int64) * count + what, return_inverse=True)
    share = np.bincount(kind, minlength=len(kinds)) / np.maximum(
        1, np.bincount(spans.place[before], minlength=len(spans.places))[kinds // count]
    )
    marked[rows[share[kind] < _USUAL]] = True
    carried = marked | spans.tree.below(marked)
    return carried | spans.tree.above(marked)


def _code(kind: EventKind, subject: Places | Ints, times: int | Ints = 1) -> Ints:
    return (int(kind) << (_BITS + 2)) + (subject.astype(np.int64) << 2) + times


def _events(spans: Spans, contexts: Contexts, records: Records, normal: Flags) -> _Events:
    called, calling = _calls(spans, contexts)
    failed = np.flatnonzero(spans.failed)
    error = records.severity >= _ERROR_LEVEL
    statement = np.where(
        error,
        _code(EventKind.ERROR_STATEMENT, records.statement.codes),
        _code(EventKind.STATEMENT, records.statement.codes),
    )
    span = np.concatenate([spans.tree.parent[called], records.span])
    code = np.concatenate([_code(EventKind.CALL, calling), statement])
    rows, codes, counts = _counted(span, code)
    parts = [
        (rows[counts >= times], codes[counts >= times] + times - 1) for times in range(1, _MOST_TIMES + 1)
    ]
    parts.append((records.span, _code(EventKind.TEMPLATE, records.template.codes)))
    parts.append((failed.astype(np.int32), _code(EventKind.FAILURE, spans.exception.codes[failed])))
    fewer, pairs = _fewer(contexts, normal, spans.incident, (rows, codes, counts))
    parts.append(fewer)
    rows, codes, _ = _counted(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return _Events(rows, codes, pairs)


def _calls(spans: Spans, contexts: Contexts) -> tuple[Places, Places]:
    """Return the rows of spans that are called by another, and as what their caller sees them.

    A span around a single call to another service makes whatever call it is for: which one says what is
    asked of the caller, not how it does. Only whether it is answered counts, as a call to place -1 + 1.
    """
    parent = spans.tree.parent
    called = np.flatnonzero(parent != NONE).astype(np.int32)
    alone = contexts.callee[parent[called]] != NONE
    return called, np.where(alone, 0, spans.place[called] + 1)


def _counted(span: Places, code: Ints) -> tuple[Places, Ints, Ints]:
    """Return the different pairs of a span and a code, and how often each comes."""
    order = np.lexsort((code, span))
    span, code = span[order], code[order]
    new = np.r_[True, (span[1:] != span[:-1]) | (code[1:] != code[:-1])] if len(span) else np.zeros(0, bool)
    first = np.flatnonzero(new)
    return span[first], code[first], np.diff(np.r_[first, len(span)])


def _fewer(
    contexts: Contexts, normal: Flags, incident: Flags, counted: tuple[Places, Ints, Ints]
) -> tuple[tuple[Places, Ints], list[tuple[int, int]]]:
    """Return in which spans an event comes less often than one with which it goes together."""
    rows, codes, counts = counted
    pairs: list[tuple[int, int]] = []
    found: list[tuple[Places, Ints]] = [(np.zeros(0, np.int32), np.zeros(0, np.int64))]
    for members in groups_of(contexts.number[rows]):
        codes_here, column = np.unique(codes[members], return_inverse=True)
        frequent = np.argsort(-np.bincount(column), kind="stable")[:_MOST_PAIRED]
        spans_here, row = np.unique(rows[members], return_inverse=True)
        table = np.zeros((len(spans_here), len(codes_here)), np.int32)
        table[row, column] = counts[members]
        table = table[:, frequent]
        before = normal[spans_here]
        if before.sum() < _FEWEST or before.all():
            continue
        equal = (table[before, :, None] == table[before, None, :]).mean(axis=0) >= _ALWAYS
        for first, second in np.argwhere(equal):
            lacking = spans_here[table[:, first] < table[:, second]]
            if len(lacking) and incident[lacking].any():
                pairs.append((int(codes_here[frequent[first]]), int(codes_here[frequent[second]])))
                which = _code(EventKind.FEWER, np.full(len(lacking), len(pairs) - 1))
                found.append((lacking.astype(np.int32), which))
    span, code = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return (span, code), pairs


def _deviations(
    spans: Spans, contexts: Contexts, events: _Events, baselines: tuple[Flags, Flags], least_evidence: float
) -> Iterator[Deviation]:
    """Compare shares; `baselines` are those for errors, and those for everything else."""
    context = contexts.number
    now = _Sizes.of(spans, context, spans.incident)
    then = [_Sizes.of(spans, context, baseline) for baseline in baselines]
    place = context[events.span]
    in_now = spans.incident[events.span]
    in_then = [baseline[events.span] for baseline in baselines]
    for members in groups_of(place):
        here = int(place[members[0]])
        codes, which = np.unique(events.code[members], return_inverse=True)
        error = np.isin(codes >> (_BITS + 2), (EventKind.ERROR_STATEMENT, EventKind.FAILURE))
        size = len(codes)
        has = np.bincount(which[in_now[members]], minlength=size)
        had, before, traces_before = (
            np.where(error, *both)
            for both in zip(
                *(
                    (np.bincount(which[flags[members]], minlength=size), n.spans[here], n.traces[here])
                    for flags, n in zip(in_then, then, strict=True)
                ),
                strict=True,
            )
        )
        after, traces_after = now.spans[here], now.traces[here]
        if not after or not before.any():
            continue
        evidence = likelihood_gain(
            has * (traces_after / after),
            traces_after,
            had * (traces_before / np.maximum(before, 1)),
            np.maximum(traces_before, 1),
        ) - np.where(error, np.log(np.maximum(error.sum(), 1)), np.log(size))
        old, new = (had + 0.5) / (before + 1), (has + 0.5) / (after + 1)
        more = new > old
        rows_here = np.flatnonzero((context == here) & spans.incident)
        for at in np.flatnonzero((evidence > least_evidence) & (before > 0) & (more | ~error)):
            showing = events.span[members[in_now[members] & (which == at)]]
            yield Deviation(
                place=int(spans.place[rows_here[0]]),
                event=events.decoded(int(codes[at])),
                more=bool(more[at]),
                before=had[at] / before[at],
                after=has[at] / after,
                evidence=float(evidence[at]),
                probability=1 - old[at] / new[at] if more[at] else 1 - (1 - old[at]) / (1 - new[at]),
                spans=showing if more[at] else np.setdiff1d(rows_here, showing),
            )


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
