"""One trace as the API tells it: spans and log records, in OpenTelemetry's terms."""

from pydantic import BaseModel, Field

from glasshouse_collector.api.logs.model import LogRecord
from glasshouse_collector.api.scope import InstrumentationScope
from glasshouse_collector.api.times import Time

_TIME = "RFC 3339 in UTC, to the nanosecond"
_NANOS = "Nanoseconds since the Unix epoch, as text: JavaScript's numbers are too small for them"


class SpanStatus(BaseModel):
    """How the operation ended."""

    code: str = Field(description="Unset, Ok or Error")
    message: str


class SpanEvent(BaseModel):
    """Something that happened during the span."""

    time: Time = Field(description=_TIME)
    time_unix_nano: str = Field(description=_NANOS)
    name: str
    attributes: dict[str, str]


class SpanLink(BaseModel):
    """A span that this one is related to, in whatever trace."""

    trace_id: str
    span_id: str
    trace_state: str
    attributes: dict[str, str]


class TraceSpan(BaseModel):
    """One span."""

    project: str
    span_id: str = Field(description="16 hex digits")
    parent_span_id: str | None = Field(description="None: a root span")
    trace_state: str
    name: str
    kind: str = Field(description="Unspecified, Internal, Server, Client, Producer or Consumer")
    service_name: str
    start_time: Time = Field(description=_TIME)
    start_time_unix_nano: str = Field(description=_NANOS)
    end_time: Time = Field(description=_TIME)
    end_time_unix_nano: str = Field(description=_NANOS)
    duration_ns: int = Field(description="Nanoseconds")
    self_time_ns: int = Field(description="The duration without the time in which any of its children ran")
    depth: int = Field(description="How many ancestors it has; 0: a root, or its parent is not there")
    status: SpanStatus
    scope: InstrumentationScope
    resource_attributes: dict[str, str]
    attributes: dict[str, str]
    events: list[SpanEvent]
    links: list[SpanLink]


class LinkingSpan(BaseModel):
    """A span, in whatever trace, that says it is related to this one."""

    trace_id: str = Field(description="The linking span's trace")
    span_id: str
    service_name: str
    name: str
    start_time: Time = Field(description=_TIME)
    linked_span_ids: list[str] = Field(description="The spans of this trace that it links to")


class PathSegment(BaseModel):
    """A stretch of time that the trace as a whole spent in one span itself."""

    span_id: str
    start_time_unix_nano: str = Field(description=_NANOS)
    duration_ns: int


class Trace(BaseModel):
    """Everything that is kept of one trace, each list in the order of time."""

    trace_id: str = Field(description="32 hex digits, in lower case")
    duration_ns: int = Field(description="From the start of the first span to the end of the last")
    services: list[str] = Field(description="In the order in which they came in")
    span_count: int = Field(description="How many spans are kept of it, be they told here or not")
    errors: int = Field(description="Spans with the status Error")
    critical_path: list[PathSegment] = Field(
        description="What the longest root span waited for: its time from start to end, without a gap. "
        "Shortening anything else makes it no faster."
    )
    spans: list[TraceSpan]
    logs: list[LogRecord] = Field(
        description="With its id, from an hour before its start to an hour after its end; "
        "where nothing is kept of its spans, at whatever time"
    )
    linked_from: list[LinkingSpan] = Field(
        description="Spans that link to it, from its start to an hour after its end, at most 100"
    )
    truncated: bool = Field(description="The trace has more spans or log records than are told here")
