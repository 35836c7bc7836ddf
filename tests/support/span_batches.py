"""Batches of spans for tests, by way of OTLP bytes and the real decoder."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from glasshouse_collector.codec import best_codec
from glasshouse_collector.core.batch import Batch, Frame, Origin, RequestKind, Run
from glasshouse_collector.pipeline.form import form

START = 1_700_000_000_000_000_000
"""When spans begin, in nanoseconds since the Unix epoch."""

_segments = count(1)


@dataclass(frozen=True, slots=True)
class SentSpan:
    """One span as it is sent. Ids are numbers, 0 is none; durations are nanoseconds."""

    service: str = "shop"
    name: str = "GET /"
    kind: str = "SERVER"
    status: str = "UNSET"
    duration: int = 1_000_000
    trace: int = 1
    span: int = 1
    parent: int = 0
    links: Sequence[tuple[int, int]] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)
    project: str = "default"

    @property
    def attributes_of_resource(self) -> dict[str, str]:
        """Return the resource with the service's name."""
        return dict(self.resource) | ({"service.name": self.service} if self.service else {})


def batch_of(spans: Iterable[SentSpan]) -> Batch:
    """Return the batch of spans, each in a request of its own, in their order."""
    frames = [
        Frame(RequestKind.TRACES, span.project, 1, START, request_of(span).SerializeToString())
        for span in spans
    ]
    origin = Origin("test", next(_segments), 0, len(frames) - 1)
    (batch,) = form(best_codec(), Run(origin, frames)).batches
    return batch


def request_of(sent: SentSpan, start: int = START) -> ExportTraceServiceRequest:
    """Return the request that sends one span, begun at `start` in nanoseconds since the Unix epoch."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(_attributes(sent.attributes_of_resource))
    span = group.scope_spans.add().spans.add(
        trace_id=_id(sent.trace, 16),
        span_id=_id(sent.span, 8),
        parent_span_id=_id(sent.parent, 8) if sent.parent else b"",
        name=sent.name,
        kind=Span.SpanKind.Value(f"SPAN_KIND_{sent.kind}"),
        start_time_unix_nano=start,
        end_time_unix_nano=start + sent.duration,
        attributes=_attributes(sent.attributes),
        status=Status(code=Status.StatusCode.Value(f"STATUS_CODE_{sent.status}")),
    )
    for trace, linked in sent.links:
        span.links.add(trace_id=_id(trace, 16), span_id=_id(linked, 8))
    return request


def _attributes(attributes: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in attributes.items()]


def _id(number: int, length: int) -> bytes:
    return number.to_bytes(length, "big")
