"""Clues in how often a service is asked: what takes longer may be asked for more than it can do."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from glasshouse_collector.insights.constants import Constants
from glasshouse_collector.insights.evidence.clue import Clue, Rows
from glasshouse_collector.insights.evidence.shown import entry_operation, shown_times, shown_traces
from glasshouse_collector.insights.findings import Evidence, EvidenceKind, FaultKind
from glasshouse_collector.insights.spans import Spans
from glasshouse_collector.insights.tree import NONE
from glasshouse_collector.insights.windows import Question

_WHOLE: Final = 10
"""Requests a second from which on none but whole ones are told."""


def surge_clues(question: Question, spans: Spans, clues: Sequence[Clue], constants: Constants) -> list[Clue]:
    """Return a clue for each service that takes longer, and is asked far more often than in any baseline.

    As strong as so many requests are unlikely at the rate of the busiest baseline (Poisson).
    """
    if not question.baselines:
        return []
    found = (
        _clue(question, spans, service, constants)
        for service in sorted({clue.service for clue in clues if clue.sort == "timing"})
    )
    return [clue for clue in found if clue is not None]


def _clue(question: Question, spans: Spans, service: str, constants: Constants) -> Clue | None:
    entries = _entries(spans, service)
    windows = (question.incident, *question.baselines)
    asked = np.bincount(spans.window[entries], minlength=len(windows))
    seconds = np.array([window.seconds for window in windows])
    every = np.array([spans.one_in[0], *[spans.one_in[1]] * len(question.baselines)])
    rates = asked * every / seconds
    now, before = float(rates[0]), float(rates[1:].max())
    if not before or now < constants.surge * before:
        return None
    expected = before * seconds[0] / every[0]
    evidence = float(asked[0] * np.log(asked[0] / expected) - (asked[0] - expected))
    strength = min(constants.most_alone, evidence)
    if strength < constants.least_evidence:
        return None
    rows = entries[spans.incident[entries]]
    start, end = shown_times(spans, rows)
    return Clue(
        service=service,
        operation=entry_operation(spans, rows),
        kind=FaultKind.OVERLOAD,
        strength=strength,
        evidence=Evidence(
            kind=EvidenceKind.TRAFFIC,
            text=f"{service} is asked {_told(now)} times a second, {_told(before)} before",
            weight=strength,
            service=service,
            operation="",
            before=before,
            after=now,
            unit="requests a second",
            start=start,
            end=end,
            trace_ids=shown_traces(spans, rows),
        ),
        group=f"traffic {service}",
        sort="metric",
        rows=rows,
    )


def _entries(spans: Spans, service: str) -> Rows:
    """Return the spans by which a service is asked from outside."""
    named = [number for number, name in enumerate(spans.services) if name == service]
    own = np.isin(spans.service, named)
    parent = spans.tree.parent
    inside = (parent != NONE) & (spans.service[parent] == spans.service)
    return np.flatnonzero(own & ~inside)


def _told(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= _WHOLE else f"{rate:.2g}"
