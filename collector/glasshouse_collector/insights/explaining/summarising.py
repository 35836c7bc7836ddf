"""The summary of an incident, and its cause, in sentences with their numbers."""

from collections.abc import Iterator, Sequence
from typing import Final

from glasshouse_collector.insights.explaining.explanation import Change, ErrorGroup
from glasshouse_collector.insights.explaining.timeline import told
from glasshouse_collector.insights.explaining.wording import (
    kind,
    listed,
    moment,
    place,
    sentence,
    shortened,
    span_of,
    sure,
    times,
)
from glasshouse_collector.insights.findings import Analysis, RootCause

_MOST_SYMPTOMS: Final = 2
_MOST_EVIDENCE: Final = 4
_MOST_TRACES: Final = 3
_MOST_MESSAGE: Final = 160


def summary(analysis: Analysis, groups: Sequence[ErrorGroup], unusual: Sequence[ErrorGroup]) -> str:
    """Return what happened: when, what requests met with, the errors, whom it reached, how much was seen."""
    said = [*_what(analysis, groups, unusual), *_reached(analysis), _looked_at(analysis)]
    return " ".join(sentence(text) for text in said if text)


def _what(analysis: Analysis, groups: Sequence[ErrorGroup], unusual: Sequence[ErrorGroup]) -> Iterator[str]:
    time = span_of(analysis.question.incident)
    if analysis.symptoms:
        effects = [f"{place(step.service, step.operation)}: {step.effect}" for step in analysis.symptoms]
        yield f"From {time}, {'; '.join(effects[:_MOST_SYMPTOMS])}"
        more = len(effects) - _MOST_SYMPTOMS
        if more > 0:
            yield f"So {'is' if more == 1 else 'are'} {times(more, 'other entry operation')}"
    elif analysis.root_causes:
        yield f"From {time}, something is wrong that no entry operation shows"
    else:
        compared = "nothing was found that differs enough from normal times"
        alone = "no cause was found, without normal times to compare with"
        yield f"From {time}, {compared if analysis.question.baselines else alone}"
    yield _errors(groups, unusual, compared=bool(analysis.question.baselines))


def _errors(groups: Sequence[ErrorGroup], unusual: Sequence[ErrorGroup], *, compared: bool) -> str:
    if not groups:
        return "There are no errors in this time"
    if not unusual:
        return f"The {times(sum(group.count for group in groups), 'error')} of this time came as often before"
    worst = unusual[0]
    often = " came more often than in normal times" if compared else ""
    message = f": {shortened(worst.message, _MOST_MESSAGE)}" if worst.message else ""
    return (
        f"{times(sum(group.count for group in unusual), 'error')} in "
        f"{listed([group.service for group in unusual])}{often}; most often "
        f"{worst.type} in {worst.service} ({times(worst.count, 'time')}){message}"
    )


def _reached(analysis: Analysis) -> Iterator[str]:
    if analysis.root_causes:
        cause = analysis.root_causes[0]
        yield f"Where it comes from is {sure(cause.confidence)} {place(cause.service, cause.operation)}"
        reached = [step.service for step in cause.path if step.service != cause.service]
        if reached:
            yield f"It reaches {listed(reached)}"


def _looked_at(analysis: Analysis) -> str:
    seen = (
        f"Looked at {times(analysis.traces, 'trace')}, {times(analysis.spans, 'span')} and "
        f"{times(analysis.log_records, 'log record')}"
    )
    return f"{seen}, one trace in {analysis.one_in:,}" if analysis.one_in > 1 else seen


def cause_in_words(analysis: Analysis, changes: Sequence[Change]) -> str:
    """Return the cause: where, what, since when, why; with what changed there, and traces to look at.

    Empty where none was found.
    """
    if not analysis.root_causes:
        return ""
    return " ".join(sentence(text) for text in _cause(analysis.root_causes[0], changes) if text)


def _cause(cause: RootCause, changes: Sequence[Change]) -> Iterator[str]:
    since = f", since {moment(cause.start)}" if cause.start else ""
    only = f" (instance {cause.resource} alone)" if cause.resource else ""
    yield f"{place(cause.service, cause.operation)}{only}: {kind(cause)}{since}"
    yield cause.reason
    evidence = sorted(cause.evidence, key=lambda each: -each.weight)[:_MOST_EVIDENCE]
    for each in evidence:
        if each.text not in cause.reason:
            yield each.text
    yield from (f"At {moment(change.time)}, {told(change)}" for change in changes if _concerns(change, cause))
    steps = [_step(step.service, step.operation, step.effect) for step in cause.path[1:]]
    if steps:
        yield f"From there it reached {', then '.join(steps)}"
    traces = list(dict.fromkeys(trace for each in evidence for trace in each.trace_ids))[:_MOST_TRACES]
    if traces:
        yield f"Traces that show it: {', '.join(traces)}"


def _step(service: str, operation: str, effect: str) -> str:
    return f"{place(service, operation)} ({effect})" if effect else place(service, operation)


def _concerns(change: Change, cause: RootCause) -> bool:
    return change.service == cause.service and bool(change.before and change.after)
