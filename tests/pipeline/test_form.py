"""From a run of frames to batches."""

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.codec import best_codec
from glasshouse_collector.core.batch import Frame, Origin, RequestKind, Run
from glasshouse_collector.pipeline.form import form

ORIGIN = Origin("j", 0, 0, 1)


def _times(kind: RequestKind, *requests: tuple[int, bytes]) -> list[int]:
    frames = [Frame(kind, "shop", 1, received, payload) for received, payload in requests]
    (batch,) = form(best_codec(), Run(ORIGIN, frames)).batches
    return [time.value for time in batch.records.column("Timestamp")]


def test_a_log_record_without_a_time_happened_when_it_came() -> None:
    """Neither its own time nor the observed one is known: the time of receipt is the best guess."""
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add()
    records.add(observed_time_unix_nano=7)
    records.add(time_unix_nano=5, observed_time_unix_nano=7)
    payload = request.SerializeToString()
    assert _times(RequestKind.LOGS, (1000, payload), (2000, payload)) == [1000, 7, 5, 2000, 7, 5]


def test_a_span_without_a_time_happened_when_it_came() -> None:
    """No record lands in 1970 for want of a time."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    assert _times(RequestKind.TRACES, (1000, request.SerializeToString())) == [1000]
