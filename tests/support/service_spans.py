"""Spans between services, as a few words each, for tests of what is told of services."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

NOON = 1_900_000_800 * 10**9
"""2030-03-17 18:00:00 UTC: no retention drops it."""
MILLISECOND = 10**6

_KINDS = {
    "internal": Span.SPAN_KIND_INTERNAL,
    "server": Span.SPAN_KIND_SERVER,
    "client": Span.SPAN_KIND_CLIENT,
    "producer": Span.SPAN_KIND_PRODUCER,
    "consumer": Span.SPAN_KIND_CONSUMER,
}


@dataclass(frozen=True)
class Made:
    """One span: whose, of what kind, in which trace, under which parent (numbers stand for ids)."""

    service: str
    kind: str
    trace: int = 1
    span: int = 1
    parent: int = 0
    name: str = "GET /"
    start: int = NOON
    duration: int = MILLISECOND
    failed: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    resource: dict[str, str] = field(default_factory=dict)
    links: Sequence[tuple[int, int]] = ()


def trace_id(number: int) -> bytes:
    """Return the id that stands for a number."""
    return number.to_bytes(16, "big")


def spans_request(spans: Sequence[Made]) -> ExportTraceServiceRequest:
    """Return a request with these spans, each with a resource of its own."""
    request = ExportTraceServiceRequest()
    for made in spans:
        of = request.resource_spans.add()
        for key, value in {"service.name": made.service, **made.resource}.items():
            of.resource.attributes.add(key=key).value.string_value = value
        span = of.scope_spans.add().spans.add(
            trace_id=trace_id(made.trace),
            span_id=made.span.to_bytes(8, "big"),
            parent_span_id=made.parent.to_bytes(8, "big") if made.parent else b"",
            name=made.name,
            kind=_KINDS[made.kind],
            start_time_unix_nano=made.start,
            end_time_unix_nano=made.start + made.duration,
        )
        if made.failed:
            span.status.code, span.status.message = Status.STATUS_CODE_ERROR, f"{made.name} failed"
        for key, value in made.attributes.items():
            span.attributes.add(key=key).value.string_value = value
        for trace, linked in made.links:
            span.links.add(trace_id=trace_id(trace), span_id=linked.to_bytes(8, "big"))
    return request
