"""Short ways to a request, and to the rows it becomes."""

from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from glasshouse_collector.codec import Codec
from glasshouse_collector.core.batch import RequestKind, Signal

TRACE_ID = bytes(range(16))
SPAN_ID = bytes(range(8))
Row = dict[str, Any]


def attribute(key: str, **value: Any) -> KeyValue:
    """Return a KeyValue, as in `attribute("http.route", string_value="/")`."""
    return KeyValue(key=key, value=AnyValue(**value))


def spans(*given: Span) -> ExportTraceServiceRequest:
    """Return a request of spans; ids that were not given are filled in."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for span in given:
        span.trace_id = span.trace_id or TRACE_ID
        span.span_id = span.span_id or SPAN_ID
        scope.spans.append(span)
    return request


def logs(*given: LogRecord) -> ExportLogsServiceRequest:
    """Return a request of log records."""
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.extend(given)
    return request


def metrics(*given: Metric) -> ExportMetricsServiceRequest:
    """Return a request of metrics."""
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.extend(given)
    return request


_KINDS: dict[str, RequestKind] = {
    "ExportTraceServiceRequest": RequestKind.TRACES,
    "ExportLogsServiceRequest": RequestKind.LOGS,
    "ExportMetricsServiceRequest": RequestKind.METRICS,
}


def rows(codec: Codec, *requests: Message) -> dict[Signal, list[Row]]:
    """Return the rows of the requests, by signal."""
    kind = _KINDS[requests[0].DESCRIPTOR.name]
    decoded = codec.decode(kind, [request.SerializeToString() for request in requests])
    return {signal: one.records.to_pylist() for signal, one in decoded.items()}


def only_row(codec: Codec, request: Message) -> Row:
    """Return the one row of a request, its times as nanoseconds since the Unix epoch."""
    ((row,),) = rows(codec, request).values()
    return {name: nanoseconds(value) for name, value in row.items()}


def nanoseconds(value: Any) -> Any:
    """Return a time, or a list of them, in nanoseconds; anything else as it is."""
    if isinstance(value, list):
        return [nanoseconds(item) for item in value]
    return getattr(value, "value", value)
