"""Clues in what spans do: calls and log lines that are missing or new, failures."""

import re
from collections.abc import Iterator
from typing import Final

import numpy as np

from glasshouse_collector.insights.behaviour import Deviation
from glasshouse_collector.insights.constants import Constants
from glasshouse_collector.insights.events import Event, EventKind
from glasshouse_collector.insights.evidence.clue import Clue
from glasshouse_collector.insights.evidence.shown import entry_operation, shown_times, shown_traces
from glasshouse_collector.insights.findings import Evidence, EvidenceKind, FaultKind
from glasshouse_collector.insights.records import Records
from glasshouse_collector.insights.spans import Floats, Spans
from glasshouse_collector.insights.tree import NONE

_MOST_OF: Final = 0.5
"""Of the spans that fail, so many are calls of something outside."""
_MOST_SHOWN: Final = 4

_THROWN: Final = re.compile(
    r"exception|traceback|panic|\w(Error|Exception|Fault|Throwable)\b|threw|thrown|raised"
    r"|stack ?trace|unhandled",
    re.IGNORECASE,
)
_POOL: Final = re.compile(
    r"pool.{0,40}(exhaust|limit|timeout|timed out|full|overflow)|too many (connections|clients)"
    r"|(connection|thread|worker).{0,20}not available|timeout.{0,40}(pool|checkout|acquir)",
    re.IGNORECASE,
)


def behaviour_clues(
    spans: Spans, records: Records, deviations: list[Deviation], constants: Constants
) -> list[Clue]:
    """Return the clues of deviations that nothing below their spans explains."""
    likely = [each for each in deviations if each.probability > constants.likely]
    below = spans.tree.most_below(_strengths(spans, likely))
    own = [(each, float((below[each.spans] < constants.explains * each.evidence).mean())) for each in likely]
    by_place: dict[int, list[tuple[Deviation, float]]] = {}
    for each, share in own:
        if share >= constants.least_own:
            strength = each.evidence * share**constants.own_power
            by_place.setdefault(each.place, []).append((each, strength))
    return [
        clue
        for place, found in by_place.items()
        for clue in _clues(spans, records, place, sorted(found, key=lambda it: -it[1]), constants)
    ]


def _strengths(spans: Spans, deviations: list[Deviation]) -> Floats:
    strength = np.zeros(len(spans))
    for each in deviations:
        strength[each.spans] = np.maximum(strength[each.spans], each.evidence)
    return strength


def _clues(
    spans: Spans,
    records: Records,
    place: int,
    found: list[tuple[Deviation, float]],
    constants: Constants,
) -> Iterator[Clue]:
    here = spans.places[place]
    kind, dependency = _kind(spans, records, [each for each, _ in found], constants)
    told: set[tuple[str, bool]] = set()
    for each, strength in found:
        said, evidence_kind, template = _said(spans, records, each)
        if (said, each.more) in told or len(told) == _MOST_SHOWN:
            continue
        told.add((said, each.more))
        start, end = shown_times(spans, each.spans)
        yield Clue(
            service=here.service,
            operation=entry_operation(spans, each.spans),
            kind=kind,
            strength=strength,
            evidence=Evidence(
                kind=evidence_kind,
                text=f"{here.operation}: {said} in {each.after:.0%} of its calls, {each.before:.0%} before",
                weight=strength,
                service=here.service,
                operation=here.operation,
                before=float(each.before),
                after=float(each.after),
                unit="share of calls",
                start=start,
                end=end,
                trace_ids=shown_traces(spans, each.spans),
                template=template,
            ),
            group=f"behaviour {here.service}",
            sort="behaviour",
            rows=each.spans,
            dependency=dependency,
        )


def _said(spans: Spans, records: Records, each: Deviation) -> tuple[str, EvidenceKind, str]:
    """Return what happens, in words, of which kind of evidence that is, and the log template if any."""
    event = each.event
    if event.kind is EventKind.FEWER and event.other is not None and event.of is not None:
        first = _subject(spans, records, Event(event.of, event.subject))
        second = _subject(spans, records, Event(*event.other))
        if event.of is EventKind.CALL:
            return f"{first} is not made with each {second}", EvidenceKind.MISSING_CALLS, ""
        return (
            f"{first} is not said with each {second}",
            EvidenceKind.MISSING_LOG,
            _text(records, event.of, event.subject),
        )
    what = _subject(spans, records, event)
    times = f" {event.times} times or more" if event.times > 1 else ""
    template = _text(records, event.kind, event.subject)
    if event.kind is EventKind.FAILURE:
        return f"{what}", EvidenceKind.EXCEPTION, ""
    if event.kind is EventKind.CALL:
        kind = EvidenceKind.NEW_CALLS if each.more else EvidenceKind.MISSING_CALLS
        return f"{what} is made{times}", kind, ""
    kind = EvidenceKind.LOG_PATTERN if each.more else EvidenceKind.MISSING_LOG
    return f"{what} is said{times}", kind, template


def _subject(spans: Spans, records: Records, event: Event) -> str:
    if event.kind is EventKind.CALL:
        if not event.subject:
            return "an answered call"
        called = spans.places[event.subject - 1]
        return f"the call {called.operation} ({called.service})"
    if event.kind is EventKind.FAILURE:
        return f"it fails with {spans.exception.texts[event.subject] or 'an error'}"
    return f"“{_text(records, event.kind, event.subject)}”"


def _text(records: Records, kind: EventKind, subject: int) -> str:
    if kind is EventKind.TEMPLATE:
        return records.template.texts[subject]
    if kind in {EventKind.STATEMENT, EventKind.ERROR_STATEMENT}:
        return records.statement.texts[subject]
    return ""


def _kind(
    spans: Spans, records: Records, found: list[Deviation], constants: Constants
) -> tuple[FaultKind, str]:
    """Return which kind of fault one operation's deviations are, and what failed outside, if anything."""
    texts = [_thrown_text(spans, records, each) for each in found if each.more]
    if any(_POOL.search(text) for text in texts):
        return FaultKind.POOL_EXHAUSTED, ""
    outside = next((_outside(spans, each) for each in found if _is_failure(each)), "")
    if outside:
        return FaultKind.DEPENDENCY_ERROR, outside
    if any(_is_failure(each) for each in found) or any(_THROWN.search(text) for text in texts):
        return FaultKind.EXCEPTION, ""
    return _kind_of_work(spans, found, constants), ""


def _kind_of_work(spans: Spans, found: list[Deviation], constants: Constants) -> FaultKind:
    """Return which kind of fault it is where nothing says that it failed."""
    if any(each.more and each.event.kind is EventKind.ERROR_STATEMENT for each in found):
        return FaultKind.EARLY_RETURN
    if all(each.more for each in found) and any(each.event.kind is EventKind.CALL for each in found):
        return FaultKind.REPEATED_CALLS
    lines_alone = all(_is_of_records(each) for each in found)
    if constants.cut_off_is_thrown and lines_alone and _calls(spans, found[0]):
        # All that the operation calls is still called; it was cut off where it would have said so.
        return FaultKind.EXCEPTION
    return FaultKind.EARLY_RETURN


def _is_failure(each: Deviation) -> bool:
    return each.more and each.event.kind is EventKind.FAILURE


def _is_of_records(each: Deviation) -> bool:
    kinds = {each.event.of or each.event.kind}
    return EventKind.CALL not in kinds


def _thrown_text(spans: Spans, records: Records, each: Deviation) -> str:
    if each.event.kind is EventKind.FAILURE:
        said = int(np.bincount(spans.message.codes[each.spans]).argmax())
        return f"{spans.exception.texts[each.event.subject]} {spans.message.texts[said]}"
    if each.event.kind is EventKind.ERROR_STATEMENT:
        rows = np.flatnonzero(records.statement.codes == each.event.subject)[:1]
        return records.template.texts[records.template.codes[rows[0]]] if len(rows) else ""
    return ""


def _outside(spans: Spans, each: Deviation) -> str:
    """Return the name of what is called by these spans, where they are calls that nobody else tells of."""
    outgoing = spans.outgoing[each.spans]
    if outgoing.mean() < _MOST_OF:
        return ""
    parent = spans.tree.parent
    leaf = ~np.isin(each.spans, parent[parent != NONE])
    if leaf.mean() < _MOST_OF:
        return ""
    peers = spans.peer.codes[each.spans]
    return spans.peer.texts[int(np.bincount(peers).argmax())] or "an unnamed dependency"


def _calls(spans: Spans, each: Deviation) -> bool:
    """Tell whether spans of the deviation's place call anything."""
    parent = spans.tree.parent
    rows = parent[parent != NONE]
    return bool((spans.place[rows] == each.place).any())
