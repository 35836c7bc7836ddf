"""Clues in what is not there: a service that other traces used to reach, and none reaches now."""

import numpy as np

from glasshouse_collector.insights.constants import Constants
from glasshouse_collector.insights.evidence.clue import Clue
from glasshouse_collector.insights.evidence.shown import entry_operation
from glasshouse_collector.insights.findings import Evidence, EvidenceKind, FaultKind
from glasshouse_collector.insights.spans import Spans
from glasshouse_collector.insights.windows import Question


def silence_clues(question: Question, spans: Spans, constants: Constants) -> list[Clue]:
    """Return a clue for each service without a span in the incident, though traces there go on.

    As strong as none is unlikely where so many traces as expected reach it at random (Poisson).
    """
    before = ~spans.incident
    now, then = spans.traces(spans.incident), spans.traces(before)
    if not now or not then:
        return []
    clues = []
    for service in np.setdiff1d(np.unique(spans.service[before]), np.unique(spans.service[spans.incident])):
        rows = np.flatnonzero(before & (spans.service == service))
        expected = spans.traces(rows) * now / then
        strength = min(constants.most_alone, float(expected - np.log(len(spans.services))))
        if strength <= 0:
            continue
        name = spans.services[service]
        clues.append(
            Clue(
                service=name,
                operation=entry_operation(spans, rows),
                kind=FaultKind.SILENT,
                strength=strength,
                evidence=Evidence(
                    kind=EvidenceKind.TRAFFIC,
                    text=f"{name} is in none of {now} traces, about {expected:.0f} were to be expected",
                    weight=strength,
                    service=name,
                    operation="",
                    before=float(expected),
                    after=0.0,
                    unit="traces",
                    start=question.incident.start,
                    end=question.incident.end,
                ),
                group=f"silence {name}",
                sort="behaviour",
            )
        )
    return clues
