"""An incident in words, as the API tells it."""

from typing import Literal

from pydantic import BaseModel, Field

from glasshouse_collector.api.insights.incident_model import IncidentSummary
from glasshouse_collector.api.insights.model import TIME, RootCauseShown, TimeWindow
from glasshouse_collector.api.times import Time


class ErrorGroupShown(BaseModel):
    """Errors of one type at one place of a service."""

    type: str
    service: str
    place: str = Field(description="The frame that raised it, a span's name, or a logger")
    message: str = Field(description="The last one's")
    count: int
    first_seen: Time = Field(description=TIME)
    last_seen: Time = Field(description=TIME)
    trace_ids: list[str]


class ServiceError(BaseModel):
    """A type of error of a service."""

    service: str
    type: str


class DependentErrorsShown(BaseModel):
    """Errors of different services that came in the same traces."""

    groups: list[ServiceError]
    shared_traces: int = Field(description="How many traces have all of them")
    trace_ids: list[str]


class MomentShown(BaseModel):
    """Something that happened."""

    time: Time = Field(description=TIME)
    text: str
    service: str
    kind: str = Field(description="change, release, instance, began, cause, evidence, first_error or ended")


class ChangeShown(BaseModel):
    """A resource attribute of a service that took another value."""

    time: Time = Field(description=f"When it was first seen; {TIME}")
    service: str
    attribute: str
    before: str = Field(description="Empty: it came")
    after: str = Field(description="Empty: it went")


class SimilarIncident(BaseModel):
    """An earlier incident like this one, and what was found to be its cause."""

    id: str
    title: str
    start_time: Time
    end_time: Time | None
    found: str = Field(description="What a user said was the cause, else what the analysis found")
    likeness: float = Field(ge=0, le=1)


class Insights(TimeWindow):
    """What broke in the last minutes, where, since when and why."""

    lookback_minutes: int
    incident_summary: str = Field(description="What happened; plainly that nothing did, where it is so")
    root_cause: str = Field(description="Empty: none was found")
    suggestion: str = Field(description="What to do")
    confidence: float = Field(ge=0, le=1, description="In the root cause")
    error_groups: list[ErrorGroupShown]
    dependent_error_groups: list[DependentErrorsShown]
    timeline: list[MomentShown] = Field(description="The earliest first")
    recent_changes: list[ChangeShown]
    similar_incidents: list[SimilarIncident]
    root_causes: list[RootCauseShown] = Field(description="The best first")
    incidents: list[IncidentSummary] = Field(
        description="Those of this time; the first is the one that is explained"
    )
    analyzed: TimeWindow | None = Field(
        description="The window that the root causes are about; null: nothing was wrong"
    )
    baselines: list[TimeWindow] = Field(description="The normal times that it was compared with")
    patterns: list[str] = Field(description="What is known of such incidents and fits, by its id")
    source: Literal["rules", "llm"] = Field(description="Whether a language model worded it")
    model: str = Field(description="Which one, where it did")
    fallback_reason: str = Field(description="Why a model that is set up did not word it")
    notes: list[str] = Field(description="What was not there, or not looked at")
