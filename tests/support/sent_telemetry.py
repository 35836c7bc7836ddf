"""What a program has sent by OTLP, decoded: spans and log records, to be looked at."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from otlp_listener import Listener

_PREFIX = "SPAN_KIND_"


@dataclass(frozen=True)
class Span:
    """A span; `kind` as SERVER, ids in hexadecimal, `parent` empty for a root."""

    kind: str
    name: str
    attributes: Mapping[str, Any]
    trace_id: str
    span_id: str
    parent: str
    failed: bool
    scope: str
    service: str


@dataclass(frozen=True)
class Record:
    """A log record."""

    body: str
    severity: str
    attributes: Mapping[str, Any]
    trace_id: str
    span_id: str
    scope: str


@dataclass(frozen=True)
class Sent:
    """All that came to a listener."""

    listener: Listener

    def spans(self, kind: str = "", *, service: str = "") -> list[Span]:
        """Return the spans of a kind and of a service, in the order of their starts."""
        found = sorted(self._spans(), key=lambda pair: pair[0])
        return [span for _, span in found if kind in ("", span.kind) and service in ("", span.service)]

    def span(self, kind: str, **named: str) -> Span:
        """Return the one span of a kind."""
        found = self.spans(kind, **named)
        assert len(found) == 1, [(span.kind, span.name) for span in self.spans()]
        return found[0]

    def records(self, scope: str = "") -> list[Record]:
        """Return the log records of a logger, in the order they came."""
        return [record for record in self._records() if scope in ("", record.scope)]

    def _spans(self) -> Iterator[tuple[int, Span]]:
        for request in self.listener.by_path("/v1/traces"):
            for of_resource in ExportTraceServiceRequest.FromString(request.payload).resource_spans:
                service = _attributes(of_resource.resource.attributes).get("service.name", "")
                for of_scope in of_resource.scope_spans:
                    for span in of_scope.spans:
                        yield span.start_time_unix_nano, _span(span, of_scope.scope.name, service)

    def _records(self) -> Iterator[Record]:
        for request in self.listener.by_path("/v1/logs"):
            for of_resource in ExportLogsServiceRequest.FromString(request.payload).resource_logs:
                for of_scope in of_resource.scope_logs:
                    for record in of_scope.log_records:
                        yield Record(
                            record.body.string_value, record.severity_text, _attributes(record.attributes),
                            record.trace_id.hex(), record.span_id.hex(), of_scope.scope.name,
                        )  # fmt: skip


def _span(span: SpanMessage, scope: str, service: str) -> Span:
    return Span(
        kind=SpanMessage.SpanKind.Name(span.kind).removeprefix(_PREFIX),
        name=span.name,
        attributes=_attributes(span.attributes),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        scope=scope,
        service=service,
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}
