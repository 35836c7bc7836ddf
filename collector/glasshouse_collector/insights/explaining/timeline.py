"""What happened when: changes, the beginning, what the evidence shows, first errors, the end."""

from collections.abc import Iterator, Sequence
from typing import Final

from glasshouse_collector.insights.explaining.explanation import Change, ErrorGroup, Moment, MomentKind
from glasshouse_collector.insights.explaining.wording import kind, place, shortened, times
from glasshouse_collector.insights.findings import Analysis

MOST_MOMENTS: Final = 40
_MOST_ERRORS: Final = 10
_MOST_EVIDENCE: Final = 6
_MOST_TEXT: Final = 300


def timeline(
    analysis: Analysis, errors: Sequence[ErrorGroup], changes: Sequence[Change]
) -> tuple[Moment, ...]:
    """Return the moments in order, each text once; of very many errors go first."""
    every = [*_bounds(analysis), *_of_evidence(analysis), *_of_changes(changes), *_of_errors(errors)]
    first: dict[str, Moment] = {}
    for moment in every:
        known = first.setdefault(moment.text, moment)
        if moment.time < known.time:
            first[moment.text] = moment
    kept = list(first.values())[:MOST_MOMENTS]
    return tuple(sorted(kept, key=lambda moment: (moment.time, _ORDER[moment.kind], moment.text)))


_ORDER: Final = {kind.value: place for place, kind in enumerate(MomentKind)}


def _bounds(analysis: Analysis) -> Iterator[Moment]:
    incident = analysis.question.incident
    yield Moment(incident.start, "the time that was asked about begins", "", MomentKind.BEGAN)
    yield Moment(incident.end, "the time that was asked about ends", "", MomentKind.ENDED)


def _of_evidence(analysis: Analysis) -> Iterator[Moment]:
    for cause in analysis.root_causes[:1]:
        if cause.start:
            text = f"{place(cause.service, cause.operation)}: {kind(cause)}"
            yield Moment(cause.start, shortened(text, _MOST_TEXT), cause.service, MomentKind.CAUSE)
        for evidence in sorted(cause.evidence, key=lambda each: -each.weight)[:_MOST_EVIDENCE]:
            if evidence.start:
                text = shortened(evidence.text, _MOST_TEXT)
                yield Moment(evidence.start, text, evidence.service, MomentKind.EVIDENCE)


def _of_changes(changes: Sequence[Change]) -> Iterator[Moment]:
    for change in changes:
        yield Moment(change.time, shortened(told(change), _MOST_TEXT), change.service, _kind_of(change))


def told(change: Change) -> str:
    """Return a change in words."""
    if not change.before:
        return f"a new instance of {change.service} is seen first: {change.after} ({change.attribute})"
    if not change.after:
        return f"an instance of {change.service} is seen last: {change.before} ({change.attribute})"
    return f"{change.attribute} of {change.service} changes from {change.before} to {change.after}"


def _kind_of(change: Change) -> MomentKind:
    if not change.before or not change.after:
        return MomentKind.INSTANCE
    return (
        MomentKind.RELEASE
        if "version" in change.attribute or "image" in change.attribute
        else MomentKind.CHANGE
    )


def _of_errors(errors: Sequence[ErrorGroup]) -> Iterator[Moment]:
    for group in errors[:_MOST_ERRORS]:
        message = f": {shortened(group.message, 120)}" if group.message else ""
        text = f"first {group.type} in {group.service}, {times(group.count, 'time')} in all{message}"
        yield Moment(group.first_seen, shortened(text, _MOST_TEXT), group.service, MomentKind.FIRST_ERROR)
