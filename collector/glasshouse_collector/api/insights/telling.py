"""Analyses and explanations as the API's models."""

from collections.abc import Sequence
from dataclasses import dataclass

from glasshouse_collector.api.insights.explanation_model import (
    ChangeShown,
    DependentErrorsShown,
    ErrorGroupShown,
    Insights,
    MomentShown,
    ServiceError,
    SimilarIncident,
)
from glasshouse_collector.api.insights.incident_model import IncidentSummary, time_of
from glasshouse_collector.api.insights.model import AnalysisAnswer, RootCauseShown, TimeWindow
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.core.incidents import Incident, PastIncident
from glasshouse_collector.insights.answer import answer_of, cause_of, window_of
from glasshouse_collector.insights.explaining import Explanation
from glasshouse_collector.insights.findings import Analysis
from glasshouse_collector.insights.windows import Window


@dataclass(frozen=True, slots=True)
class Looked:
    """What was looked at: the last minutes, the incidents of that time, and what was not there."""

    lookback: Window
    minutes: int
    incidents: Sequence[Incident]
    notes: Sequence[str]
    analysed: bool
    """Whether an analysis was made: not where nothing was wrong."""


def analysis_answer(analysis: Analysis) -> AnalysisAnswer:
    """Return an analysis as it is told."""
    return AnalysisAnswer.model_validate(answer_of(analysis))


def insights_answer(looked: Looked, analysis: Analysis, explanation: Explanation) -> Insights:
    """Return an incident, or that there is none, as it is told."""
    question = analysis.question
    return Insights(
        start_time=rfc3339(looked.lookback.start),
        end_time=rfc3339(looked.lookback.end),
        lookback_minutes=looked.minutes,
        incident_summary=explanation.incident_summary,
        root_cause=explanation.root_cause,
        suggestion=explanation.suggestion,
        confidence=min(1.0, max(0.0, explanation.confidence)),
        root_causes=[RootCauseShown.model_validate(cause_of(cause)) for cause in analysis.root_causes],
        incidents=[IncidentSummary.of(incident) for incident in looked.incidents],
        analyzed=_window(question.incident) if looked.analysed else None,
        baselines=[_window(each) for each in question.baselines] if looked.analysed else [],
        patterns=list(explanation.patterns),
        source=explanation.source,
        model=explanation.model,
        fallback_reason=explanation.fallback_reason,
        notes=[*looked.notes, *analysis.notes],
        **_around(explanation),
    )


def _around(explanation: Explanation) -> dict[str, list[object]]:
    """Return what else happened at the time."""
    return {
        "error_groups": [
            ErrorGroupShown(
                type=group.type,
                service=group.service,
                place=group.place,
                message=group.message,
                count=group.count,
                first_seen=rfc3339(group.first_seen),
                last_seen=rfc3339(group.last_seen),
                trace_ids=list(group.trace_ids),
            )
            for group in explanation.error_groups
        ],
        "dependent_error_groups": [
            DependentErrorsShown(
                groups=[ServiceError(service=service, type=error) for service, error in errors.groups],
                shared_traces=errors.shared_traces,
                trace_ids=list(errors.trace_ids),
            )
            for errors in explanation.dependent_error_groups
        ],
        "timeline": [
            MomentShown(time=rfc3339(it.time), text=it.text, service=it.service, kind=it.kind)
            for it in explanation.timeline
        ],
        "recent_changes": [
            ChangeShown(
                time=rfc3339(it.time),
                service=it.service,
                attribute=it.attribute,
                before=it.before,
                after=it.after,
            )
            for it in explanation.recent_changes
        ],
        "similar_incidents": [_similar(past) for past in explanation.similar_incidents],
    }


def _similar(past: PastIncident) -> SimilarIncident:
    return SimilarIncident(
        id=past.incident.id,
        title=past.incident.title,
        start_time=time_of(past.incident.started_at),
        end_time=time_of(past.incident.ended_at) if past.incident.ended_at else None,
        found=past.found,
        likeness=past.likeness,
    )


def _window(window: Window) -> TimeWindow:
    return TimeWindow.model_validate(window_of(window))
