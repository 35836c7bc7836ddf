"""One trace against its normal siblings, as the API tells it."""

from typing import Self

from pydantic import BaseModel, Field

from glasshouse_collector.api.times import Time, rfc3339
from glasshouse_collector.insights.findings import FaultKind
from glasshouse_collector.insights.trace import (
    CallDifference,
    JudgedSpan,
    LineDifference,
    SiblingTraces,
    SpanFinding,
    TraceExplanation,
)

_OWN = "The time of its own that the trace waited for, in nanoseconds"


class SiblingsShown(BaseModel):
    """Normal traces of the same root service and operation: none of their spans failed, none was slow."""

    count: int
    start_time: Time = Field(description="Between this and `end_time` they were looked for")
    end_time: Time
    median_duration_ns: int | None = Field(description="Of their root spans")
    p95_duration_ns: int | None
    trace_ids: list[str] = Field(description="Some of them: `GET /traces/compare` shows one beside this")

    @classmethod
    def of(cls, siblings: SiblingTraces) -> Self:
        """Return them as they are told."""
        return cls(
            count=siblings.count,
            start_time=rfc3339(siblings.start),
            end_time=rfc3339(siblings.end),
            median_duration_ns=siblings.median_duration,
            p95_duration_ns=siblings.p95_duration,
            trace_ids=list(siblings.trace_ids),
        )


class SpanFindingShown(BaseModel):
    """A place that explains what is unusual."""

    service: str
    operation: str
    kind: FaultKind
    score: float = Field(ge=0, le=1, description="How much of it: the share of the time, 1 for a failure")
    reason: str
    span_ids: list[str] = Field(description="Of this trace, at most 5; empty for log records of no span")

    @classmethod
    def of(cls, finding: SpanFinding) -> Self:
        """Return it as it is told."""
        return cls(
            service=finding.service,
            operation=finding.operation,
            kind=finding.kind,
            score=finding.score,
            reason=finding.reason,
            span_ids=list(finding.span_ids),
        )


class SpanShown(BaseModel):
    """A span, and what is usual at its place: the same way of services and operations from the root."""

    span_id: str
    parent_span_id: str | None
    service: str
    operation: str
    kind: str
    depth: int
    start_time: Time
    duration_ns: int
    own_time_ns: int = Field(description=_OWN)
    usual_own_time_ns: int | None = Field(description="The siblings' median; null: none has such a span")
    usual_p95_ns: int | None = Field(description="Of 95 % of the siblings' spans it is no more than that")
    seen_in: float = Field(description="The share of siblings that have a span at this place")
    failed: bool = Field(description="Its status is Error")
    unusual: bool = Field(description="Failed, slower than 95 % of the siblings' in a slow trace, or new")

    @classmethod
    def of(cls, span: JudgedSpan) -> Self:
        """Return it as it is told."""
        return cls(
            span_id=span.span_id,
            parent_span_id=span.parent_span_id or None,
            service=span.service,
            operation=span.operation,
            kind=span.kind,
            depth=span.depth,
            start_time=rfc3339(span.start),
            duration_ns=span.duration,
            own_time_ns=span.own_time,
            usual_own_time_ns=span.usual_own_time,
            usual_p95_ns=span.usual_p95,
            seen_in=span.seen_in,
            failed=span.failed,
            unusual=span.unusual,
        )


class CallDifferenceShown(BaseModel):
    """Calls that are usual and missing here, or new, or many more than usual."""

    service: str = Field(description="That is called")
    operation: str
    parent_service: str = Field(description="That calls it")
    parent_operation: str
    count: int = Field(description="In this trace")
    usual_count: int = Field(description="The siblings' median")
    seen_in: float = Field(description="The share of siblings that have it")
    span_ids: list[str] = Field(description="At most 5; of missing calls those that usually make them")

    @classmethod
    def of(cls, call: CallDifference) -> Self:
        """Return it as it is told."""
        return cls(
            service=call.service,
            operation=call.operation,
            parent_service=call.parent_service,
            parent_operation=call.parent_operation,
            count=call.count,
            usual_count=call.usual_count,
            seen_in=call.seen_in,
            span_ids=list(call.span_ids),
        )


class LineDifferenceShown(BaseModel):
    """Log records that are usual and missing here, or that hardly a sibling has."""

    service: str
    template: str = Field(description="As `GET /logs/patterns` tells it")
    severity_number: int
    count: int = Field(description="In this trace")
    seen_in: float = Field(description="The share of siblings that have it")
    log_ids: list[str] = Field(description="Those here, at most 5")
    trace_ids: list[str] = Field(description="Siblings that have it, at most 5")

    @classmethod
    def of(cls, line: LineDifference) -> Self:
        """Return it as it is told."""
        return cls(
            service=line.service,
            template=line.template,
            severity_number=line.severity,
            count=line.count,
            seen_in=line.seen_in,
            log_ids=list(line.log_ids),
            trace_ids=list(line.trace_ids),
        )


class ExplainedTrace(BaseModel):
    """What is unusual in one trace, and which of its spans explain that."""

    trace_id: str = Field(description="32 hex digits, in lower case")
    service: str = Field(description="Of the root span")
    operation: str = Field(description="Of the root span")
    start_time: Time
    duration_ns: int = Field(description="Of the root span")
    span_count: int = Field(description="How many were looked at")
    errors: int = Field(description="Spans among them with the status Error")
    summary: str
    compared: bool = Field(description="false: too few normal traces are kept, failures alone are told")
    siblings: SiblingsShown
    findings: list[SpanFindingShown] = Field(description="At most 10, the best first")
    missing_calls: list[CallDifferenceShown] = Field(description="At most 50, the topmost of each branch")
    extra_calls: list[CallDifferenceShown] = Field(description="At most 50")
    missing_logs: list[LineDifferenceShown] = Field(description="At most 50")
    extra_logs: list[LineDifferenceShown] = Field(description="At most 50, the severe ones first")
    spans: list[SpanShown] = Field(description="In the order of time; of more than 1,000 the unusual ones")
    truncated: bool = Field(description="There is more than was looked at or is told")
    notes: list[str]

    @classmethod
    def of(cls, explained: TraceExplanation) -> Self:
        """Return an explanation as it is told."""
        return cls(
            trace_id=explained.trace_id,
            service=explained.service,
            operation=explained.operation,
            start_time=rfc3339(explained.start),
            duration_ns=explained.duration,
            span_count=explained.span_count,
            errors=explained.errors,
            summary=explained.summary,
            compared=explained.compared,
            siblings=SiblingsShown.of(explained.siblings),
            findings=[SpanFindingShown.of(it) for it in explained.findings],
            missing_calls=[CallDifferenceShown.of(it) for it in explained.missing_calls],
            extra_calls=[CallDifferenceShown.of(it) for it in explained.extra_calls],
            missing_logs=[LineDifferenceShown.of(it) for it in explained.missing_lines],
            extra_logs=[LineDifferenceShown.of(it) for it in explained.extra_lines],
            spans=[SpanShown.of(it) for it in explained.spans],
            truncated=explained.truncated,
            notes=list(explained.notes),
        )
