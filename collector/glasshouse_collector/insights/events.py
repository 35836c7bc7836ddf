"""What happens in spans: calls they make, lines they log, how often each, how they end."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from glasshouse_collector.insights.constants import Constants
from glasshouse_collector.insights.contexts import Contexts, groups_of
from glasshouse_collector.insights.records import ERROR_LEVEL, Records
from glasshouse_collector.insights.spans import Flags, Ints, Places, Spans
from glasshouse_collector.insights.tree import NONE

_MOST_TIMES: Final = 3
"""An event that happens more often in one span is counted as happening so often."""
_MOST_PAIRED: Final = 24
"""Of so many events of an operation, the frequent ones, it is learned which come equally often."""
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
class Events:
    """Columns of equal length: the event of that code happened in that span; no pair comes twice."""

    span: Places
    code: Ints
    pairs: list[tuple[int, int]]
    """What a code of the kind `FEWER` means: codes of the two events."""

    @property
    def of_errors(self) -> Flags:
        """Which of them are errors."""
        errors: Flags = np.isin(self.code >> (_BITS + 2), (EventKind.ERROR_STATEMENT, EventKind.FAILURE))
        return errors

    def only(self, wanted: Flags) -> "Events":
        """Return those of the rows that are wanted."""
        return Events(self.span[wanted], self.code[wanted], self.pairs)

    def decoded(self, code: int) -> Event:
        """Return what a code stands for."""
        kind, subject, times = EventKind(code >> (_BITS + 2)), (code >> 2) & ((1 << _BITS) - 1), code & 3
        if kind is not EventKind.FEWER:
            return Event(kind, subject, times)
        first, second = (self.decoded(each) for each in self.pairs[subject])
        return Event(kind, first.subject, 1, (second.kind, second.subject), first.kind)


def _code(kind: EventKind, subject: Places | Ints, times: int | Ints = 1) -> Ints:
    return (int(kind) << (_BITS + 2)) + (subject.astype(np.int64) << 2) + times


def events_of(
    spans: Spans, contexts: Contexts, records: Records, normal: Flags, constants: Constants
) -> Events:
    """Return what happens in each span; from `normal` ones it is learned what goes together."""
    called, calling = _calls(spans, contexts)
    failed = np.flatnonzero(spans.failed)
    error = records.severity >= ERROR_LEVEL
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
    fewer, pairs = _fewer(contexts, normal, spans.incident, (rows, codes, counts), constants)
    parts.append(fewer)
    rows, codes, _ = _counted(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return Events(rows, codes, pairs)


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
    contexts: Contexts,
    normal: Flags,
    incident: Flags,
    counted: tuple[Places, Ints, Ints],
    constants: Constants,
) -> tuple[tuple[Places, Ints], list[tuple[int, int]]]:
    """Return in which spans an event comes less often than one with which it goes together."""
    rows, codes, counts = counted
    pairs: dict[tuple[int, int], int] = {}
    found: list[tuple[Places, Ints]] = [(np.zeros(0, np.int32), np.zeros(0, np.int64))]
    for members in groups_of(contexts.number[rows]):
        codes_here, column = np.unique(codes[members], return_inverse=True)
        frequent = np.argsort(-np.bincount(column), kind="stable")[:_MOST_PAIRED]
        spans_here, row = np.unique(rows[members], return_inverse=True)
        table = np.zeros((len(spans_here), len(codes_here)), np.int32)
        table[row, column] = counts[members]
        table = table[:, frequent]
        before = normal[spans_here]
        if before.sum() < constants.fewest_together or before.all():
            continue
        equal = (table[before, :, None] == table[before, None, :]).mean(axis=0) >= constants.together
        for first, second in np.argwhere(equal):
            lacking = spans_here[table[:, first] < table[:, second]]
            if len(lacking) and incident[lacking].any():
                pair = int(codes_here[frequent[first]]), int(codes_here[frequent[second]])
                which = _code(EventKind.FEWER, np.full(len(lacking), pairs.setdefault(pair, len(pairs))))
                found.append((lacking.astype(np.int32), which))
    span, code = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return (span, code), list(pairs)
