"""Words an analysis by rules: nothing is said that the analysis or the store does not show."""

from collections.abc import Mapping, Sequence
from typing import Final

from glasshouse_collector.insights.explaining.changes import read_changes
from glasshouse_collector.insights.explaining.errors import (
    read_dependent_errors,
    read_error_groups,
    read_usual_errors,
)
from glasshouse_collector.insights.explaining.explanation import ErrorGroup, Explanation
from glasshouse_collector.insights.explaining.suggesting import suggestion
from glasshouse_collector.insights.explaining.summarising import cause_in_words, summary
from glasshouse_collector.insights.explaining.timeline import timeline
from glasshouse_collector.insights.findings import Analysis
from glasshouse_collector.insights.incidents import PastIncident
from glasshouse_collector.insights.knowledge import Knowledge, Symptoms, load_knowledge
from glasshouse_collector.store import ProjectStore, QueryLimits

_MOST_MATCHED: Final = 3
_SURE: Final = 0.5
"""The confidence below which nobody is advised by what the first cause is taken for."""
_MUCH: Final = 2.0
"""So many times as often as in normal times, and an error belongs to the incident."""


def explain(
    store: ProjectStore,
    analysis: Analysis,
    past: Sequence[PastIncident],
    limits: QueryLimits,
    *,
    knowledge: Knowledge | None = None,
) -> Explanation:
    """Return the analysis in words, with the errors, changes and moments of its time.

    `knowledge` is what is built in unless it is given. Raises `EngineFailure`.
    """
    question = analysis.question
    groups = read_error_groups(store, question.incident, limits)
    usual = read_usual_errors(store, question.baselines, limits) if groups else {}
    changes = read_changes(store, question, limits)
    unusual = _unusual(groups, usual, question.incident.seconds)
    fitting = (knowledge or load_knowledge()).fitting(_symptoms(analysis, unusual))
    matched = fitting[:_MOST_MATCHED]
    return Explanation(
        incident_summary=summary(analysis, groups, unusual),
        root_cause=cause_in_words(analysis, changes),
        suggestion=suggestion(analysis, matched, changes, past),
        error_groups=groups,
        dependent_error_groups=read_dependent_errors(store, question.incident, limits) if groups else (),
        timeline=timeline(analysis, unusual or groups, changes),
        confidence=analysis.root_causes[0].confidence if analysis.root_causes else 0.0,
        recent_changes=changes,
        similar_incidents=tuple(past),
        patterns=tuple(pattern.id for pattern in matched),
        source="rules",
    )


def _unusual(
    groups: Sequence[ErrorGroup], usual: Mapping[tuple[str, str, str], float], seconds: float
) -> tuple[ErrorGroup, ...]:
    """Return the errors that came much more often than in normal times; all where none are known."""
    return tuple(
        group
        for group in groups
        if group.count / seconds > _MUCH * usual.get((group.service, group.type, group.place), 0.0)
    )


def _symptoms(analysis: Analysis, errors: Sequence[ErrorGroup]) -> Symptoms:
    """Return what patterns are held against: what the first cause shows, and what else went wrong."""
    cause = next((it for it in analysis.root_causes[:1] if it.confidence >= _SURE), None)
    own = [group for group in errors if cause and group.service == cause.service]
    others = [group for group in errors if not cause or group.service != cause.service]
    evidence = cause.evidence if cause else ()
    return Symptoms(
        kinds=[cause.kind] if cause else [],
        messages=[*(group.message for group in own), *(each.template for each in evidence)],
        exceptions=[group.type for group in own],
        metrics=[each.metric for each in evidence if each.metric],
        other_messages=[group.message for group in others],
        other_exceptions=[group.type for group in others],
        most_frequent=max((group.count for group in errors), default=0),
    )
