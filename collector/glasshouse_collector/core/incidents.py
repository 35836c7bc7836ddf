"""An incident: a time in which something was wrong, and what is known of it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

IncidentStatus = Literal["open", "resolved"]

INSIGHTS_SERVICE: Final = "glasshouse-insights"
"""`service.name` of the log records that tell of incidents; what looks for incidents passes over it."""


class Severity(StrEnum):
    """How bad it is, as alerts have it; the worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Incident:
    """Signals that belong together in time and along the call graph.

    `id` is 12 hex digits. `services` is the blast radius, the root first, and `signals` are one sentence
    each. `answer` is what `POST /api/v1/insights/analyze` answers for it, empty until it was analysed;
    `fingerprint` is `service|kind|operation` of the best cause, or of the first signal before that.
    `last_seen_at` is the end of the last minute in which something was wrong.
    """

    id: str
    project: str
    started_at: datetime
    ended_at: datetime | None
    last_seen_at: datetime
    status: IncidentStatus
    severity: Severity
    title: str
    services: tuple[str, ...]
    signals: tuple[str, ...]
    answer: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class PastIncident:
    """One that is like another: `found` is the cause a user named, else the first cause of its analysis.

    `likeness` is between 0 and 1.
    """

    incident: Incident
    found: str
    likeness: float
