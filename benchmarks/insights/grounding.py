"""Whether what a right answer cites is there, in the recording itself, and leads to the faulty service."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from glasshouse_collector.insights.windows import Window
from insights.asking import Answer
from insights.figures import recomputed
from insights.observing import Observed
from insights.recording import RecordedLog, RecordedSpan, Recording

_AROUND: Final = 60 * 10**9
"""A trace that began in a window has its last record at most so much later."""

LogOf = Callable[[str], Mapping[str, Any] | None]
Cause = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Grounding:
    """What does not hold of an answer, by what was checked; nothing: it is grounded.

    `numbers` counts the pieces of evidence whose numbers were computed again.
    """

    traces: tuple[str, ...]
    logs: tuple[str, ...]
    numbers_wrong: tuple[str, ...]
    path: tuple[str, ...]
    numbers: int

    @property
    def grounded(self) -> bool:
        """Whether everything that was checked holds."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """All that does not hold, in sentences."""
        return (*self.traces, *self.logs, *self.numbers_wrong, *self.path)


def grounding(answer: Answer, recording: Recording, log_of: LogOf) -> Grounding:
    """Hold the first cause of an answer, which names the right service, against the recording."""
    cause, case = answer.first, answer.case
    windows = (case.incident, *case.baselines)
    observed = Observed(case, recording)
    numbers = [(evidence, recomputed(evidence, observed)) for evidence in cause["evidence"]]
    checked = [(evidence, found) for evidence, found in numbers if found is not None]
    wrong = [f"{evidence['text']}: recorded {found.nearest}" for evidence, found in checked if not found.hold]
    return Grounding(
        tuple(_traces(cause, case.service, recording, windows)),
        tuple(_logs(cause, recording, log_of, windows)),
        tuple(wrong),
        tuple(_path(cause, case.service, recording)),
        len(checked),
    )


def _traces(cause: Cause, service: str, recording: Recording, windows: Sequence[Window]) -> Iterator[str]:
    """Say which cited traces are not recorded, of another time, or without the faulty service."""
    if not any(evidence["trace_ids"] or evidence["log_ids"] for evidence in cause["evidence"]):
        yield "no trace and no log record is cited"
    for evidence in cause["evidence"]:
        for trace_id in evidence["trace_ids"]:
            spans = recording.traces.get(trace_id, [])
            if not spans:
                yield f"trace {trace_id}: was not recorded"
            elif not any(span.service == service for span in spans):
                yield f"trace {trace_id}: has no span of {service}"
            elif not any(window.start <= span.start < window.end for span in spans for window in windows):
                yield f"trace {trace_id}: is of another time"


def _logs(cause: Cause, recording: Recording, log_of: LogOf, windows: Sequence[Window]) -> Iterator[str]:
    """Say which cited log records are not kept, not recorded so, of another service or time."""
    recorded = _by_time(recording.logs)
    for evidence in cause["evidence"]:
        for log_id in evidence["log_ids"]:
            log = log_of(log_id)
            if log is None:
                yield f"log record {log_id}: there is none"
                continue
            time = int(log["time_unix_nano"])
            same = [it for it in recorded.get(time, ()) if it.body == log["body"]]
            if not any(it.service == evidence["service"] for it in same):
                yield f"log record {log_id}: {evidence['service']} wrote none such"
            elif not any(window.start <= time < window.end + _AROUND for window in windows):
                yield f"log record {log_id}: is of another time"


def _path(cause: Cause, service: str, recording: Recording) -> Iterator[str]:
    """Say where the path does not begin at the faulty service, or a step never calls the one before."""
    steps = cause["path"]
    if not steps or steps[0]["service"] != service:
        yield f"the path does not begin at {service}"
        return
    cited = {it for evidence in cause["evidence"] for it in evidence["trace_ids"] if it in recording.traces}
    calls = {edge for trace_id in cited for edge in _calls(recording.traces[trace_id])}
    for step, caller in pairwise(steps):
        if (caller["service"], step["service"]) not in calls and caller["service"] != step["service"]:
            yield f"the path: {caller['service']} does not call {step['service']} in a trace that is cited"
    operations = {(span.service, span.name) for trace_id in cited for span in recording.traces[trace_id]}
    for step in steps:
        if step["operation"] and (step["service"], step["operation"]) not in operations:
            yield f"the path: no span {step['operation']} of {step['service']} in a trace that is cited"


def _calls(trace: Sequence[RecordedSpan]) -> Iterator[tuple[str, str]]:
    """Yield who calls whom in a trace."""
    by_id = {span.span_id: span for span in trace}
    for span in trace:
        parent = by_id.get(span.parent_id)
        if parent is not None and parent.service != span.service:
            yield parent.service, span.service


def _by_time(logs: Sequence[RecordedLog]) -> dict[int, list[RecordedLog]]:
    found: dict[int, list[RecordedLog]] = {}
    for log in logs:
        found.setdefault(log.time, []).append(log)
    return found
