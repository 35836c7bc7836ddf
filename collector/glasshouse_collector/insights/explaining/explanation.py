"""What is told of an incident: sentences for whoever is on call, and what they rest on."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from glasshouse_collector.insights.incidents import PastIncident


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Errors of one type at one place of a service; times are nanoseconds since the Unix epoch.

    Of exceptions `place` is the frame that raised them, of failed spans their name, of log records the
    logger. `message` is the last one's.
    """

    type: str
    service: str
    place: str
    message: str
    count: int
    first_seen: int
    last_seen: int
    trace_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DependentErrors:
    """Errors of different services, each as (service, type), that came in the same traces."""

    groups: tuple[tuple[str, str], ...]
    shared_traces: int
    trace_ids: tuple[str, ...] = ()


class MomentKind(StrEnum):
    """What a moment is about."""

    CHANGE = "change"
    RELEASE = "release"
    INSTANCE = "instance"
    BEGAN = "began"
    CAUSE = "cause"
    EVIDENCE = "evidence"
    FIRST_ERROR = "first_error"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, at `time` (nanoseconds since the Unix epoch)."""

    time: int
    text: str
    service: str
    kind: str


@dataclass(frozen=True, slots=True)
class Change:
    """A resource attribute of a service that took another value, first seen at `time`.

    Of an instance (`service.instance.id`, …) that came `before` is empty, of one that went `after`.
    """

    time: int
    service: str
    attribute: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """An incident in words, by rules or by a language model whose words were checked.

    `patterns` are the ids of what is known of such incidents and fits this one, the best first.
    `fallback_reason` says why a model that was asked did not word it.
    """

    incident_summary: str
    root_cause: str
    suggestion: str
    error_groups: tuple[ErrorGroup, ...]
    dependent_error_groups: tuple[DependentErrors, ...]
    timeline: tuple[Moment, ...]
    confidence: float
    recent_changes: tuple[Change, ...]
    similar_incidents: tuple[PastIncident, ...]
    patterns: tuple[str, ...]
    source: Literal["rules", "llm"]
    fallback_reason: str = ""
    model: str = ""
