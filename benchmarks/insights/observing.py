"""What the spans of a case's windows did and how long, worked out a trace at a time, as plainly as can be."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from insights.cases import Case
from insights.recording import RecordedLog, RecordedSpan, Recording

Place = tuple[str, str]
"""Service and name of a span."""
_NOWHERE: Final[Place] = ("", "")


@dataclass(slots=True)
class ObservedSpan:
    """A span, by whom it was called, what it called and logged.

    `window` is 0 for spans of traces that began in the incident, 1 and on for those of the baselines. `own`
    is the time in nanoseconds that the span was on its trace's critical path and waited for no child.
    """

    span: RecordedSpan
    caller: Place
    window: int
    calls: list[RecordedSpan] = field(default_factory=list)
    logs: list[RecordedLog] = field(default_factory=list)
    own: int = 0

    @property
    def place(self) -> Place:
        """Its service and name."""
        return self.span.service, self.span.name

    @property
    def callee(self) -> Place:
        """The span of another service that it is around, if that is all that it calls."""
        alone = len(self.calls) == 1 and self.calls[0].service != self.span.service
        return (self.calls[0].service, self.calls[0].name) if alone else _NOWHERE


class Observed:
    """All spans of the traces that began in a window of the case."""

    def __init__(self, case: Case, recording: Recording) -> None:
        self._places: dict[Place, list[ObservedSpan]] = defaultdict(list)
        logs: dict[tuple[str, str], list[RecordedLog]] = defaultdict(list)
        for log in recording.logs:
            logs[log.trace_id, log.span_id].append(log)
        for trace in recording.traces.values():
            window = _window(case, min(span.start for span in trace))
            if window is not None:
                for observed in _observe(trace, window, logs):
                    self._places[observed.place].append(observed)

    def alike(self, service: str, operation: str) -> list[list[ObservedSpan]]:
        """Return the spans of an operation, all, and parted by their caller."""
        groups: dict[Place, list[ObservedSpan]] = defaultdict(list)
        every = self._places.get((service, operation), [])
        for each in every:
            groups[each.caller].append(each)
        return [every, *groups.values()]

    def working(self, service: str, operation: str) -> list[ObservedSpan]:
        """Return the spans of an operation that do more than to call another service once."""
        return [each for each in self._places.get((service, operation), []) if each.callee == _NOWHERE]

    def between(self, caller: str, callee: str) -> list[ObservedSpan]:
        """Return the spans of a service that are around a single call, to the other."""
        return [
            each
            for (service, _), spans in self._places.items()
            if service == caller
            for each in spans
            if each.callee[0] == callee
        ]


def _window(case: Case, began: int) -> int | None:
    for number, window in enumerate((case.incident, *case.baselines)):
        if window.start <= began < window.end:
            return number
    return None


def _observe(
    trace: Sequence[RecordedSpan], window: int, logs: Mapping[tuple[str, str], list[RecordedLog]]
) -> list[ObservedSpan]:
    spans = {span.span_id: span for span in trace}
    observed = {}
    for span in spans.values():
        parent = spans.get(span.parent_id)
        caller = (parent.service, parent.name) if parent is not None else _NOWHERE
        here = logs.get((span.trace_id, span.span_id), [])
        observed[span.span_id] = ObservedSpan(span, caller, window, [], list(here))
    for span in spans.values():
        if span.parent_id in spans and span.parent_id != span.span_id:
            observed[span.parent_id].calls.append(span)
    for each in observed.values():
        if each.caller == _NOWHERE:
            _walk(each, observed)
    return list(observed.values())


def _walk(root: ObservedSpan, observed: Mapping[str, ObservedSpan]) -> None:
    """Go back from the end of a trace: a span waits for the child that ends last, before it for another."""
    waiting = [(root, root.span.start, root.span.end)]
    while waiting:
        here, since, until = waiting.pop()
        here.own, cursor = until - since, until
        for call in sorted(here.calls, key=lambda it: (-it.end, -it.start)):
            begins, ends = max(call.start, since), min(call.end, cursor)
            if begins < ends:
                here.own -= ends - begins
                waiting.append((observed[call.span_id], begins, ends))
                cursor = begins
