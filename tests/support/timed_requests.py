"""Requests whose records have the times they are told, as frames of the journal."""

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.core.batch import Frame, RequestKind

SECOND = 1_000_000_000
NOW = 1_790_000_000 * SECOND


def spans(
    *ends: int, service: str = "shop", project: str = "default", received: int = NOW, lasting: int = SECOND
) -> Frame:
    """Return a request of one span for each end, in nanoseconds since 1970."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    named = resource.resource.attributes.add(key="service.name")
    named.value.string_value = service
    for number, end in enumerate(ends, start=1):
        resource.scope_spans.add().spans.add(
            trace_id=bytes(15) + b"\1",
            span_id=number.to_bytes(8),
            name="GET /",
            start_time_unix_nano=end - lasting,
            end_time_unix_nano=end,
        )
    return Frame(RequestKind.TRACES, project, len(ends), received, request.SerializeToString())


def logs(*times: int, service: str = "shop", project: str = "default", received: int = NOW) -> Frame:
    """Return a request of one log record for each time."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    named = resource.resource.attributes.add(key="service.name")
    named.value.string_value = service
    for time in times:
        record = resource.scope_logs.add().log_records.add(time_unix_nano=time)
        record.body.string_value = "checked out"
    return Frame(RequestKind.LOGS, project, len(times), received, request.SerializeToString())
