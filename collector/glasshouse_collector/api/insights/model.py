"""What an analysis found, as the API tells it."""

from pydantic import BaseModel, Field

from glasshouse_collector.api.times import Time
from glasshouse_collector.insights.findings import EvidenceKind, FaultKind

TIME = "RFC 3339 in UTC, to the nanosecond"


class TimeWindow(BaseModel):
    """From `start_time` up to, and without, `end_time`."""

    start_time: Time = Field(description=TIME)
    end_time: Time = Field(description=TIME)


class EvidenceShown(BaseModel):
    """One thing that was seen, with where anybody can see it too."""

    kind: EvidenceKind = Field(description="What it was seen in")
    text: str = Field(description="In a sentence, with the numbers")
    weight: float = Field(description="Its share of the cause's score")
    service: str
    operation: str
    before: float | None = Field(description="In normal times, in `unit`; null: nothing to compare with")
    after: float | None = Field(description="In the incident")
    unit: str
    start_time: Time = Field(description="When it shows, from here")
    end_time: Time
    trace_ids: list[str] = Field(description="Traces that show it, at most 5: `GET /traces/{trace_id}`")
    log_ids: list[str] = Field(description="Log records that show it, at most 5: `GET /logs/{id}/context`")
    metric: str = Field(description="The metric's name, where it is one")
    template: str = Field(description="The log records' pattern, where it is one")
    attribute: str = Field(description="The attribute's key, where it is one")


class PathStepShown(BaseModel):
    """A place that a fault reached, and what it did there."""

    service: str
    operation: str
    effect: str


class RootCauseShown(BaseModel):
    """A place and a kind of fault, with why it is taken for the cause."""

    service: str
    operation: str
    kind: FaultKind = Field(description="What went wrong there")
    score: float = Field(description="Of the evidence, at least 0; comparable within one answer")
    confidence: float = Field(ge=0, le=1, description="Of those said with 0.8, about 8 in 10 are right")
    reason: str
    resource: str = Field(description="A pod, instance or host, where it is one of several")
    dependency: str = Field(description="What sends no telemetry itself, where that failed or was slow")
    start_time: Time | None = Field(description="Since when")
    evidence: list[EvidenceShown]
    path: list[PathStepShown] = Field(description="From the cause to the symptom")


class AnalysisAnswer(TimeWindow):
    """Root causes of what was wrong in a window, the best first, and how much was looked at for that."""

    baselines: list[TimeWindow] = Field(description="The normal times that it was compared with")
    root_causes: list[RootCauseShown] = Field(description="At most 10; none: nothing stands out")
    symptoms: list[PathStepShown] = Field(
        description="Operations where requests come in that became slower or fail, the worst first"
    )
    traces: int = Field(description="That were looked at in the window")
    spans: int = Field(description="Of these")
    log_records: int = Field(description="That were looked at in the window")
    one_in: int = Field(description="Of so many traces one was looked at; 1: all")
    notes: list[str] = Field(description="What was not there, or not looked at")
