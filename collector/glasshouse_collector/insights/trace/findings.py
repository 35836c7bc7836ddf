"""What is said of one trace; times are nanoseconds since the Unix epoch, durations nanoseconds."""

from dataclasses import dataclass

from glasshouse_collector.insights.findings import FaultKind


@dataclass(frozen=True, slots=True)
class SiblingTraces:
    """Normal traces of the same root service and operation: none of their spans failed, none was slow.

    `start` and `end` are between when they were looked for; `durations` of their roots.
    """

    count: int
    start: int
    end: int
    median_duration: int | None
    p95_duration: int | None
    trace_ids: tuple[str, ...]
    """Some of them."""


@dataclass(frozen=True, slots=True)
class JudgedSpan:
    """A span and what is usual at its place: `usual_…` are None where no sibling has such a span.

    A place is the way from the root: services and operations. `seen_in` is the share of siblings that
    have a span there.
    """

    span_id: str
    parent_span_id: str
    service: str
    operation: str
    kind: str
    depth: int
    start: int
    duration: int
    own_time: int
    usual_own_time: int | None
    usual_p95: int | None
    seen_in: float
    failed: bool
    unusual: bool


@dataclass(frozen=True, slots=True)
class CallDifference:
    """Spans at a place: `count` here, `usual_count` is the siblings' median."""

    service: str
    operation: str
    parent_service: str
    parent_operation: str
    count: int
    usual_count: int
    seen_in: float
    span_ids: tuple[str, ...]
    """Those here; of calls that are missing, the spans that usually make them."""


@dataclass(frozen=True, slots=True)
class LineDifference:
    """Log records of one template that a service writes: `count` here, `seen_in` the share of siblings."""

    service: str
    template: str
    severity: int
    count: int
    seen_in: float
    log_ids: tuple[str, ...]
    """Those here; of a line that is missing, none."""
    trace_ids: tuple[str, ...]
    """Of a line that is missing: siblings that have it."""


@dataclass(frozen=True, slots=True)
class SpanFinding:
    """A place that explains what is unusual; `score` is between 0 and 1, the best first."""

    span_ids: tuple[str, ...]
    service: str
    operation: str
    kind: FaultKind
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class TraceExplanation:
    """One trace against its normal siblings; `compared` is false where there are too few of them."""

    trace_id: str
    service: str
    operation: str
    start: int
    duration: int
    span_count: int
    errors: int
    siblings: SiblingTraces
    compared: bool
    summary: str
    findings: tuple[SpanFinding, ...]
    spans: tuple[JudgedSpan, ...]
    missing_calls: tuple[CallDifference, ...]
    extra_calls: tuple[CallDifference, ...]
    missing_lines: tuple[LineDifference, ...]
    extra_lines: tuple[LineDifference, ...]
    truncated: bool
    notes: tuple[str, ...]
