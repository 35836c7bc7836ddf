"""Two traces side by side, as the API tells them."""

from typing import Literal

from pydantic import BaseModel, Field

from glasshouse_collector.api.times import Time

_DIFFERENCE = "Of b less that of a"


class ComparedTrace(BaseModel):
    """One of the two, as a whole."""

    trace_id: str = Field(description="32 hex digits, in lower case")
    start_time: Time = Field(description="RFC 3339 in UTC, to the nanosecond")
    duration_ns: int
    spans: int = Field(description="How many were compared")
    errors: int = Field(description="Spans among them with the status Error")
    truncated: bool = Field(description="It has more spans than are compared")


class NodeSide(BaseModel):
    """The span that stands at a place in one of the traces."""

    span_id: str
    start_offset_ns: int = Field(description="From the start of the trace")
    duration_ns: int
    self_time_ns: int = Field(description="The duration without the time in which any of its children ran")
    status: str = Field(description="Unset, Ok or Error")


class AttributeDifference(BaseModel):
    """An attribute that is not the same in both."""

    key: str
    a: str | None = Field(description="null: it is not there; a long value is cut after 1,000 characters")
    b: str | None


class ComparedNode(BaseModel):
    """A place in the tree of spans: the nth of a service's operation beneath the place of its parent."""

    id: int = Field(description="Its number in this answer")
    parent: int | None = Field(description="The `id` of its parent; null: a root")
    depth: int
    service_name: str
    operation: str = Field(description="The span's name")
    occurrence: int = Field(description="Which one it is of those alike beneath one parent, from 1 on")
    found_in: Literal["both", "a", "b"]
    a: NodeSide | None
    b: NodeSide | None
    duration_difference_ns: int | None = Field(description=f"{_DIFFERENCE}; null: it is not in both")
    self_time_difference_ns: int | None = Field(description=f"{_DIFFERENCE}; null: it is not in both")
    attributes: list[AttributeDifference] = Field(
        description="The span's own, where they differ: the first 50 by their key"
    )


class ServiceDifference(BaseModel):
    """How a service's resource differs between the two: its version, its host."""

    service_name: str
    resource_attributes: list[AttributeDifference] = Field(
        description="Of the service's first span in each, where they differ: the first 50 by their key"
    )


class Contributor(BaseModel):
    """How much longer, or shorter, all spans of one operation were at work themselves."""

    service_name: str
    operation: str
    spans_a: int
    spans_b: int
    self_time_a_ns: int
    self_time_b_ns: int
    self_time_difference_ns: int = Field(description=_DIFFERENCE)


class ComparedError(BaseModel):
    """A span with the status Error whose counterpart in the other trace has none, or is not there."""

    node: int = Field(description="The `id` of its node")
    service_name: str
    operation: str
    span_id: str
    message: str = Field(description="The status' message, cut after 1,000 characters")


class TraceComparison(BaseModel):
    """Two traces, matched by the structure of their trees."""

    a: ComparedTrace
    b: ComparedTrace
    duration_difference_ns: int = Field(description=_DIFFERENCE)
    contributors: list[Contributor] = Field(
        description="The operations whose self time differs most, at most 20. What runs at once counts for "
        "each, so that their sum may be more than the difference of the durations"
    )
    errors_appeared: list[ComparedError] = Field(description="In b alone, at most 100")
    errors_gone: list[ComparedError] = Field(description="In a alone, at most 100")
    services: list[ServiceDifference] = Field(description="Those in both whose resource differs, at most 100")
    nodes: list[ComparedNode] = Field(
        description="Every parent before its children; those of a in the order of time, then those in b alone"
    )
