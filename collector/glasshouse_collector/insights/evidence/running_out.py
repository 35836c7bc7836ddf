"""Clues in metrics: a service that runs out of processor, of memory, of places in a pool."""

from typing import Final

from glasshouse_collector.insights.evidence.clue import Clue
from glasshouse_collector.insights.findings import Evidence, EvidenceKind, FaultKind
from glasshouse_collector.insights.resources import Resource, Shift
from glasshouse_collector.insights.windows import Question

_MOST: Final = 20.0
"""Nats: a metric alone never says more than that, as it does not say that anybody suffers."""
_KINDS: Final = {
    Resource.PROCESSOR: FaultKind.CPU_CONTENTION,
    Resource.MEMORY: FaultKind.MEMORY_LEAK,
    Resource.POOL: FaultKind.POOL_EXHAUSTED,
}


def resource_clues(question: Question, shifts: list[Shift]) -> list[Clue]:
    """Return a clue a shift."""
    return [_clue(question, shift) for shift in shifts]


def _clue(question: Question, shift: Shift) -> Clue:
    strength = min(_MOST, shift.evidence)
    unit = f" {shift.unit}" if shift.unit and shift.unit != "1" else ""
    return Clue(
        service=shift.service,
        operation="",
        kind=_KINDS[shift.resource],
        strength=strength,
        evidence=Evidence(
            kind=EvidenceKind.METRIC,
            text=f"{shift.metric}: {shift.before:.3g}{unit} → {shift.after:.3g}{unit}",
            weight=strength,
            service=shift.service,
            operation="",
            before=shift.before,
            after=shift.after,
            unit=shift.unit,
            start=shift.since,
            end=question.incident.end,
            metric=shift.metric,
        ),
        group=f"{shift.resource} {shift.service}",
        sort="metric",
        resource=shift.instance,
    )
