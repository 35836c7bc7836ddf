"""The OpenTelemetry SDK with its own exporters, sending to the receivers."""

from collections.abc import Callable

import grpc
import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression as HttpCompression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from tests.receivers.conftest import Kept, by_both_servers

from glasshouse_collector.core.batch import RequestKind

pytestmark = by_both_servers

Exporters = tuple[SpanExporter, LogRecordExporter, MetricExporter]


def over_grpc(collector: Kept, *, compressed: bool) -> Exporters:
    """Return the exporters that speak gRPC."""
    target = f"http://127.0.0.1:{collector.grpc_receiver.bound_port}"
    compression = grpc.Compression.Gzip if compressed else grpc.Compression.NoCompression
    return (
        GrpcSpans(target, insecure=True, compression=compression),
        GrpcLogs(target, insecure=True, compression=compression),
        GrpcMetrics(target, insecure=True, compression=compression),
    )


def over_http(collector: Kept, *, compressed: bool) -> Exporters:
    """Return the exporters that speak protobuf over HTTP."""
    target = f"http://127.0.0.1:{collector.http_receiver.bound_port}/v1/"
    compression = HttpCompression.Gzip if compressed else HttpCompression.NoCompression
    return (
        HttpSpans(target + "traces", compression=compression),
        HttpLogs(target + "logs", compression=compression),
        HttpMetrics(target + "metrics", compression=compression),
    )


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("transport", [over_grpc, over_http])
def test_what_the_sdk_exports_is_kept(
    collector: Kept, transport: Callable[..., Exporters], compressed: bool
) -> None:
    """Spans, log records and data points, plain and gzipped."""
    spans, logs, metrics = transport(collector, compressed=compressed)
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
    reader = PeriodicExportingMetricReader(metrics, export_interval_millis=3_600_000)
    meter_provider = MeterProvider([reader], shutdown_on_exit=False)

    with tracer_provider.get_tracer("test").start_as_current_span("GET /cart"):
        logger_provider.get_logger("test").emit(severity_number=SeverityNumber.WARN, body="it is empty")
    meter_provider.get_meter("test").create_counter("carts").add(2)
    for provider in (tracer_provider, logger_provider, meter_provider):
        provider.shutdown()

    kept = {frame.kind: frame for frame in collector.kept()}
    assert {kind: frame.records for kind, frame in kept.items()} == dict.fromkeys(RequestKind, 1)
    [resource] = ExportTraceServiceRequest.FromString(kept[RequestKind.TRACES].payload).resource_spans
    assert resource.scope_spans[0].spans[0].name == "GET /cart"
    assert b"it is empty" in kept[RequestKind.LOGS].payload
    assert b"carts" in kept[RequestKind.METRICS].payload
