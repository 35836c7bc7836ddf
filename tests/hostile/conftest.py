"""A real collector with an operator's token, and records of two projects in its store."""

import time
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE

from attacked_collector import TOKEN, TRACE, Attacked
from collector_process import CollectorProcess, until

PROTOBUF = "application/x-protobuf"


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """Start a collector and fill it."""
    environment = {"GLASSHOUSE_AUTH_TOKEN": TOKEN, "GLASSHOUSE_SELF_WATCH": "false"}
    collector = CollectorProcess(tmp_path_factory.mktemp("hostile") / "data", env=environment)
    try:
        attacked = Attacked(collector, collector.endpoints(), TOKEN)
        _fill(attacked)
        yield attacked
        assert collector.stop() == 0
    finally:
        collector.kill()


def _fill(attacked: Attacked) -> None:
    now = time.time_ns() - 10**9
    spans = ExportTraceServiceRequest()
    own = spans.resource_spans.add()
    own.resource.attributes.add(key="service.name").value.string_value = "shop"
    for number in range(4):
        span = own.scope_spans.add().spans.add(
            trace_id=bytes.fromhex(TRACE), span_id=bytes([number + 1]) * 8, name=f"step {number}",
            parent_span_id=bytes([number]) * 8 if number else b"", kind=2,
            start_time_unix_nano=now, end_time_unix_nano=now + 10**6,
        )  # fmt: skip
        raised = span.events.add(name="exception", time_unix_nano=now)
        raised.attributes.add(key="exception.type").value.string_value = "Boom"
    logs = ExportLogsServiceRequest()
    records = logs.resource_logs.add(resource=own.resource).scope_logs.add().log_records
    for number in range(5):
        records.add(time_unix_nano=now + number, severity_number=9).body.string_value = f"order {number}"
    metrics = ExportMetricsServiceRequest()
    for name in ("visits", "it's"):
        scope = metrics.resource_metrics.add(resource=own.resource).scope_metrics.add()
        total = scope.metrics.add(name=name).sum
        total.is_monotonic = True
        total.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
        total.data_points.add(time_unix_nano=now, start_time_unix_nano=now - 10**9, as_int=3)
    for kind, request in (("traces", spans), ("logs", logs), ("metrics", metrics)):
        answer = httpx.post(
            f"http://{attacked.at['http']}/v1/{kind}",
            content=request.SerializeToString(),
            headers={"Content-Type": PROTOBUF, "X-API-Key": TOKEN},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
    until(lambda: attacked.counts() == {"spans": 4, "logs": 5, "points": 2}, "everything is stored")
