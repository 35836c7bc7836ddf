"""Incidents as the API tells them."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, Field

from glasshouse_collector.api.insights.feedback_model import FeedbackShown
from glasshouse_collector.api.insights.model import AnalysisAnswer
from glasshouse_collector.api.times import Time, rfc3339
from glasshouse_collector.core.incidents import Incident, Severity

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_of(moment: datetime) -> str:
    """Return a time of the database as the API tells times."""
    return rfc3339((moment - _EPOCH) // timedelta(microseconds=1) * 1000)


class IncidentSummary(BaseModel):
    """Signals that belong together in time and along the call graph."""

    id: str = Field(description="12 hex digits; empty where it was found for this answer and is not kept")
    title: str
    status: Literal["open", "resolved"]
    severity: Severity
    start_time: Time
    end_time: Time | None = Field(description="null: it goes on")
    last_seen: Time = Field(description="The end of the last minute in which something was wrong")
    services: list[str] = Field(description="Those it touches, the root first")
    signals: list[str] = Field(description="What was noticed, one sentence each")

    @classmethod
    def of(cls, incident: Incident) -> "IncidentSummary":
        """Return an incident as it is told."""
        return cls.model_validate(_told(incident))


class IncidentDetails(IncidentSummary):
    """One incident, with what its analysis found and what users said of it."""

    analysis: AnalysisAnswer | None = Field(description="null: it has not been analysed yet")
    feedback: list[FeedbackShown] = Field(description="The latest first, at most 100")


class IncidentPage(BaseModel):
    """Incidents, those that began last first."""

    incidents: list[IncidentSummary]
    next_cursor: str | None = Field(description="For the page after this one; null: there is none")
    start_time: Time
    end_time: Time


def _told(incident: Incident) -> dict[str, object]:
    return {
        "id": incident.id,
        "title": incident.title,
        "status": incident.status,
        "severity": incident.severity,
        "start_time": time_of(incident.started_at),
        "end_time": time_of(incident.ended_at) if incident.ended_at else None,
        "last_seen": time_of(incident.last_seen_at),
        "services": list(incident.services),
        "signals": list(incident.signals),
    }


def incident_details(incident: Incident, feedback: list[FeedbackShown]) -> IncidentDetails:
    """Return an incident with its analysis."""
    return IncidentDetails.model_validate(
        {**_told(incident), "analysis": incident.answer or None, "feedback": feedback}
    )
