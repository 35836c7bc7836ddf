"""Errors as the API tells them."""

from typing import Literal

from pydantic import BaseModel, Field

from glasshouse_collector.api.errors.place import ErrorPlace
from glasshouse_collector.api.times import Time

Source = Literal["spans", "logs"]
Sort = Literal["count", "last_seen", "first_seen", "new"]

_TIME = "RFC 3339 in UTC, to the nanosecond"


class ErrorGroup(BaseModel):
    """Exceptions of one type, raised at one place of one service."""

    id: str = Field(description="16 hex digits, the same for ever", examples=["a0e4a6328bfd694b"])
    service_name: str
    type: str = Field(examples=["sqlalchemy.exc.TimeoutError"])
    message: str = Field(description="That of the last one")
    masked_message: str = Field(description="The same with a star for what is different each time")
    place: ErrorPlace | None = Field(description="null: no stack trace, or of no known format")
    count: int = Field(description="How often in the range; told by a span and its log record it is one")
    first_seen: Time = Field(description=f"Ever, not just in the range; {_TIME}")
    last_seen: Time = Field(description=f"In the range; {_TIME}")
    trend: list[int] = Field(description="How often in each step of the range, the oldest first")
    operations: list[str] = Field(description="Up to ten; ids in them are stars")
    versions: list[str] = Field(description="Versions of the service, up to ten")
    environments: list[str] = Field(description="Up to ten")
    sources: list[Source]
    trace_ids: list[str] = Field(description="Of the last ones, up to three")
    log_ids: list[str] = Field(description="Up to three, for `/logs/{id}/context`")


class ErrorPage(BaseModel):
    """Some errors, in the order that was asked for."""

    errors: list[ErrorGroup]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null: this is the last"
    )
    step_seconds: int = Field(description="How long a step of the trends is")
    trend_start_time: Time = Field(description="When the first step of the trends begins")
    start_time: Time
    end_time: Time


class ErrorOccurrence(BaseModel):
    """One exception."""

    time: Time = Field(description=_TIME)
    source: Source = Field(description="`spans`, also where a log record tells it too")
    trace_id: str | None
    span_id: str | None
    log_id: str | None = Field(description="For `/logs/{id}/context`; null: no log record tells it")
    message: str
    stack_trace: str = Field(description="What is longer than 16 KiB lacks its middle")
    operation: str
    version: str
    environment: str
    attributes: dict[str, str] = Field(description="Of the span and its event, or of the log record")


class ErrorDetails(BaseModel):
    """One error, and when it occurred last."""

    error: ErrorGroup
    occurrences: list[ErrorOccurrence] = Field(description="The newest first")
    step_seconds: int
    trend_start_time: Time
    start_time: Time
    end_time: Time
