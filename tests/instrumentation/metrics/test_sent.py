"""Metrics and marks as they leave the process, by the real configuration and exporters."""

from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import SpanKind

import glasshouse
from otlp_listener import listen


def test_what_is_measured_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Metrics of before and after `configure`, of the process, and slow requests with mark and warning."""
    monkeypatch.setenv("GLASSHOUSE_SPOOL_DIR", str(tmp_path))
    glasshouse.counter("test.sent").add(2)
    with listen() as listener:
        glasshouse.configure(
            "shop", endpoint=listener.url, slow_request_seconds=1e-9, instrument=False, log_format="off"
        )
        glasshouse.counter("test.sent").add(3)
        span = trace.get_tracer("test").start_span("GET /slow", kind=SpanKind.SERVER)
        span.end()
        glasshouse.shutdown()
        metrics = {
            metric.name: metric
            for request in listener.by_path("/v1/metrics")
            for resource in ExportMetricsServiceRequest.FromString(request.payload).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        spans = [
            sent
            for request in listener.by_path("/v1/traces")
            for resource in ExportTraceServiceRequest.FromString(request.payload).resource_spans
            for scope in resource.scope_spans
            for sent in scope.spans
        ]
        records = [
            record
            for request in listener.by_path("/v1/logs")
            for resource in ExportLogsServiceRequest.FromString(request.payload).resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
            if scope.scope.name == "glasshouse.slow_requests"
        ]
    assert [point.as_int for point in metrics["test.sent"].sum.data_points] == [5]
    assert {"process.cpu.time", "process.memory.usage", "glasshouse.slow_requests"} <= set(metrics)
    (sent,) = spans
    assert [each.value.bool_value for each in sent.attributes if each.key == "glasshouse.slow_request"] == [
        True
    ]
    (record,) = records
    assert record.body.string_value.startswith("slow request: GET /slow took ")
    assert record.severity_text == "WARN"
    assert (record.trace_id, record.span_id) == (sent.trace_id, sent.span_id)
