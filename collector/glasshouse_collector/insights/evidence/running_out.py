"""Clues in metrics: a service that runs out of processor, of memory, of places in a pool."""

from typing import Final

import numpy as np

from glasshouse_collector.insights.constants import Constants
from glasshouse_collector.insights.evidence.clue import Clue, Rows
from glasshouse_collector.insights.evidence.shown import entry_operation, shown_traces
from glasshouse_collector.insights.findings import Evidence, EvidenceKind, FaultKind
from glasshouse_collector.insights.resources import Resource, Shift
from glasshouse_collector.insights.spans import Spans
from glasshouse_collector.insights.windows import Question

_MEGABYTE: Final = 1e6
_WHOLE: Final = 10
"""From which on none but whole numbers are told."""
_KINDS: Final = {
    Resource.PROCESSOR: FaultKind.CPU_CONTENTION,
    Resource.MEMORY: FaultKind.MEMORY_LEAK,
    Resource.POOL: FaultKind.POOL_EXHAUSTED,
}


def resource_clues(question: Question, spans: Spans, shifts: list[Shift], constants: Constants) -> list[Clue]:
    """Return a clue a shift; it is taken for that of the operation that the service is asked for most."""
    return [
        _clue(question, spans, shift, _entries(spans, shift.service), constants.most_alone)
        for shift in shifts
    ]


def _amount(value: float, unit: str) -> str:
    """Return a metric's value in words; `unit` is UCUM's, as OpenTelemetry has it."""
    if unit == "By":
        return f"{value / _MEGABYTE:,.0f} MB" if value >= _MEGABYTE else f"{value:,.0f} bytes"
    number = f"{value:,.0f}" if value >= _WHOLE else f"{value:.2g}"
    return number if unit in {"", "1"} or unit.startswith("{") else f"{number} {unit}"


def _entries(spans: Spans, service: str) -> Rows:
    """Return the spans by which the service was asked in the incident, the longest first."""
    named = [number for number, name in enumerate(spans.services) if name == service]
    rows = np.flatnonzero(spans.incident & np.isin(spans.service, named))
    entries = np.unique(spans.tree.tops(spans.service)[rows])
    return entries[np.argsort(-spans.duration[entries], kind="stable")]


def _clue(question: Question, spans: Spans, shift: Shift, entries: Rows, most: float) -> Clue:
    strength = min(most, shift.evidence)
    return Clue(
        service=shift.service,
        operation=entry_operation(spans, entries) if len(entries) else "",
        kind=_KINDS[shift.resource],
        strength=strength,
        evidence=Evidence(
            kind=EvidenceKind.METRIC,
            text=f"{shift.metric}: {_amount(shift.before, shift.unit)} → {_amount(shift.after, shift.unit)}",
            weight=strength,
            service=shift.service,
            operation="",
            before=shift.before,
            after=shift.after,
            unit=shift.unit,
            start=shift.since,
            end=question.incident.end,
            trace_ids=shown_traces(spans, entries),
            metric=shift.metric,
        ),
        group=f"{shift.resource} {shift.service}",
        sort="metric",
        rows=entries,
        resource=shift.instance,
    )
