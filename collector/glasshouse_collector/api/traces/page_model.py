"""Traces in a list, as the API tells them."""

from typing import Literal

from pydantic import BaseModel, Field

from glasshouse_collector.api.times import Time

_TIME = "RFC 3339 in UTC, to the nanosecond"


class RootSpan(BaseModel):
    """The span that a trace is known by."""

    span_id: str = Field(description="16 hex digits")
    service_name: str
    operation: str = Field(description="The span's name")
    missing: bool = Field(
        description="The trace has no root span, or it has not arrived: this is its earliest span instead"
    )


class TraceService(BaseModel):
    """What one service has of a trace."""

    name: str
    spans: int
    errors: int = Field(description="Spans with the status Error")


class TraceSummary(BaseModel):
    """One trace of a list."""

    trace_id: str = Field(description="32 hex digits, in lower case")
    root: RootSpan
    start_time: Time = Field(description=_TIME, examples=["2026-11-21T12:00:00.123456789Z"])
    start_time_unix_nano: str = Field(description="The same in nanoseconds since the Unix epoch, as text")
    duration_ns: int = Field(description="From the start of the first span to the end of the last")
    status: Literal["error", "ok", "unset"] = Field(
        description="error: a span has the status Error; ok: none has, and one has Ok; unset: neither"
    )
    spans: int
    errors: int = Field(description="Spans with the status Error")
    services: list[TraceService] = Field(description="Those with the most spans first")


class TracePage(BaseModel):
    """Some traces, in the order that was asked for."""

    traces: list[TraceSummary]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null: this is the last"
    )
    start_time: Time = Field(description=f"Where the range of time began, {_TIME}")
    end_time: Time = Field(description="Where it ended; stays the same from page to page")
