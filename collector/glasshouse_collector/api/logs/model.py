"""Log records as the API tells them."""

from pydantic import BaseModel, Field

from glasshouse_collector.api.scope import InstrumentationScope
from glasshouse_collector.api.times import Time

_TIME = "RFC 3339 in UTC, to the nanosecond"


class LogRecord(BaseModel):
    """One log record."""

    id: str = Field(description="For `/logs/{id}/context`", examples=["18a7f6b3c2d10000.1f3e-1-40.2a"])
    project: str
    time: Time = Field(description=_TIME, examples=["2026-11-21T12:00:00.123456789Z"])
    time_unix_nano: str = Field(description="The same in nanoseconds since the Unix epoch, as text")
    trace_id: str | None = Field(description="32 hex digits; null: made outside of any trace")
    span_id: str | None
    trace_flags: int
    severity_text: str = Field(examples=["ERROR"])
    severity_number: int = Field(description="1-24 by OpenTelemetry; 0: not told", examples=[17])
    service_name: str
    event_name: str
    body: str
    scope: InstrumentationScope
    resource_attributes: dict[str, str]
    scope_attributes: dict[str, str]
    attributes: dict[str, str]


class LogPage(BaseModel):
    """Some log records, in the order that was asked for."""

    logs: list[LogRecord]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null: this is the last"
    )
    start_time: Time = Field(description=f"Where the range of time began, {_TIME}")
    end_time: Time = Field(description="Where it ended; stays the same from page to page")


class LogContext(BaseModel):
    """A log record with those of the same service and instance around it, the oldest first."""

    before: list[LogRecord]
    log: LogRecord
    after: list[LogRecord]


class LogCount(BaseModel):
    """How many log records one step of time has."""

    time: Time = Field(description=f"When the step begins, {_TIME}")
    counts: dict[str, int] = Field(
        description="By level (trace, debug, info, warn, error, fatal, unset), those that there are.",
        examples=[{"info": 120, "error": 3}],
    )


class LogHistogram(BaseModel):
    """Log records counted by time and level."""

    start_time: Time
    end_time: Time
    step_seconds: int
    total: int
    steps: list[LogCount] = Field(description="Every step of the range, the oldest first")
