"""What an analysis says: root causes, best first, each with the evidence it rests on."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from glasshouse_collector.insights.windows import Question

MOST_ROOT_CAUSES: Final = 10
MOST_SHOWN: Final = 5
"""Trace ids and log records that one piece of evidence names."""


class FaultKind(StrEnum):
    """What went wrong at the root."""

    EXCEPTION = "exception"
    """Own code fails, and nothing that it calls explains it."""
    EARLY_RETURN = "early_return"
    """Work that is usually done is not, and nothing fails loudly: calls and log lines are missing."""
    REPEATED_CALLS = "repeated_calls"
    """It makes calls more often than it did, or others than it did, and nothing else is different."""
    CPU_CONTENTION = "cpu_contention"
    """Own work takes longer, and the processor is busy or throttled."""
    SLOW_CODE = "slow_code"
    """Own work takes longer, and the processor is not busier: it waits, sleeps, holds a lock."""
    NETWORK_DELAY = "network_delay"
    """Time is lost between the spans of callers and of one service."""
    DEPENDENCY_ERROR = "dependency_error"
    """Calls to something that sends no telemetry fail."""
    DEPENDENCY_SLOW = "dependency_slow"
    """Calls to something that sends no telemetry take longer."""
    POOL_EXHAUSTED = "pool_exhausted"
    """It waits for connections or workers that are not given back."""
    BAD_RELEASE = "bad_release"
    """A new version alone is wrong or slow."""
    MEMORY_LEAK = "memory_leak"
    """Memory grows and is not given back."""
    SILENT = "silent"
    """A service stopped serving, or telling of it."""
    OVERLOAD = "overload"
    """More is asked than before, and it is slower or fails for that."""
    UNKNOWN = "unknown"


class EvidenceKind(StrEnum):
    """What a piece of evidence was seen in."""

    ERRORS = "errors"
    EXCEPTION = "exception"
    OWN_TIME = "own_time"
    WAITING = "waiting"
    MISSING_CALLS = "missing_calls"
    NEW_CALLS = "new_calls"
    LOG_PATTERN = "log_pattern"
    MISSING_LOG = "missing_log"
    METRIC = "metric"
    ATTRIBUTE = "attribute"
    RELEASE = "release"
    TRAFFIC = "traffic"
    PROPAGATION = "propagation"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was seen, in a sentence with its numbers, and where anybody can see it too.

    `weight` is its share of the candidate's score; `before` and `after` are in `unit`, and None where
    there is nothing to compare with. `log_ids` are ids of `GET /api/v1/logs/{id}/context`.
    """

    kind: EvidenceKind
    text: str
    weight: float
    service: str
    operation: str
    before: float | None
    after: float | None
    unit: str
    start: int
    end: int
    trace_ids: tuple[str, ...] = ()
    log_ids: tuple[str, ...] = ()
    metric: str = ""
    template: str = ""
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class PathStep:
    """A place that the fault reached, and what it did there."""

    service: str
    operation: str
    effect: str


@dataclass(frozen=True, slots=True)
class RootCause:
    """A place and a kind of fault, with why it is taken for the cause.

    `confidence` grows with the score and its lead over the others;
    docs/insights-accuracy.md has which share was right of what was said with it. `path` leads from the
    cause to the symptom. `resource` is a pod, an instance or a host where it is one of several, and
    `dependency` what failed or was slow without sending telemetry of its own.
    """

    service: str
    operation: str
    kind: FaultKind
    score: float
    confidence: float
    reason: str
    evidence: tuple[Evidence, ...]
    path: tuple[PathStep, ...]
    resource: str = ""
    dependency: str = ""
    start: int = 0


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found, and in how much; `one_in` traces one was looked at where there are too many.

    `symptoms` are the operations where requests come in that became slower or fail, worst first.
    """

    question: Question
    root_causes: tuple[RootCause, ...]
    symptoms: tuple[PathStep, ...]
    traces: int
    spans: int
    log_records: int
    one_in: int
    notes: tuple[str, ...]
