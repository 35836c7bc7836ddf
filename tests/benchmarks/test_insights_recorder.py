"""What the recorder keeps is what the collector acknowledged, and `glasshouse send` can send it again."""

import gzip
import json
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Exemplar,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from glasshouse_collector.send.files import Request, requests_in
from insights.asking import replay
from insights.recorder import Recorder, json_line
from insights.recording import Recording
from programs import Glasshouse, fetch

TRACE, SPAN, PARENT = bytes(range(16)), bytes(range(8)), bytes(range(8, 16))
NOW = 1_795_000_000_123_456_789
SHOP = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value="shop"))])

SPANS = ExportTraceServiceRequest(
    resource_spans=[
        ResourceSpans(
            resource=SHOP,
            scope_spans=[
                ScopeSpans(
                    spans=[
                        Span(
                            trace_id=TRACE,
                            span_id=SPAN,
                            parent_span_id=PARENT,
                            name="GET /",
                            kind=Span.SPAN_KIND_SERVER,
                            start_time_unix_nano=NOW,
                            end_time_unix_nano=NOW + 5,
                            status=Status(code=Status.STATUS_CODE_ERROR),
                            attributes=[KeyValue(key="raw", value=AnyValue(bytes_value=b"\x00\xff"))],
                            links=[Span.Link(trace_id=TRACE, span_id=PARENT)],
                        )
                    ]
                )
            ],
        )
    ]
)
LOGS = ExportLogsServiceRequest(
    resource_logs=[
        ResourceLogs(
            resource=SHOP,
            scope_logs=[
                ScopeLogs(
                    log_records=[
                        LogRecord(
                            time_unix_nano=NOW,
                            severity_number=SeverityNumber.SEVERITY_NUMBER_ERROR,
                            body=AnyValue(string_value="é failed"),
                            trace_id=TRACE,
                            span_id=SPAN,
                        )
                    ]
                )
            ],
        )
    ]
)
POINTS = ExportMetricsServiceRequest(
    resource_metrics=[
        ResourceMetrics(
            resource=SHOP,
            scope_metrics=[
                ScopeMetrics(
                    metrics=[
                        Metric(
                            name="calls",
                            sum=Sum(
                                is_monotonic=True,
                                aggregation_temporality=AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE,
                                data_points=[
                                    NumberDataPoint(
                                        time_unix_nano=NOW,
                                        as_int=7,
                                        exemplars=[Exemplar(trace_id=TRACE, span_id=SPAN, as_int=1)],
                                    )
                                ],
                            ),
                        )
                    ]
                )
            ],
        )
    ]
)
SENT: dict[str, Request] = {"traces": SPANS, "logs": LOGS, "metrics": POINTS}


@pytest.fixture(scope="module")
def collector() -> Iterator[Glasshouse]:
    """Run a collector."""
    with Glasshouse() as running:
        yield running


def post(endpoint: str, signal: str, body: bytes, **headers: str) -> bytes:
    """Send as an SDK does."""
    given = {"Content-Type": "application/x-protobuf", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return fetch(f"{endpoint}/v1/{signal}", body, given)


def refusal(endpoint: str, signal: str, body: bytes) -> int:
    """Send what is refused; return the status."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(endpoint, signal, body)
    refused.value.close()
    return refused.value.code


def test_a_recording_is_what_was_sent(collector: Glasshouse, tmp_path: Path) -> None:
    """Each request comes back from its file as it was, compressed or not; a refused one does not."""
    with Recorder(collector.http, tmp_path) as recorder:
        post(recorder.endpoint, "traces", gzip.compress(SPANS.SerializeToString()), Content_Encoding="gzip")
        post(recorder.endpoint, "logs", LOGS.SerializeToString())
        post(recorder.endpoint, "metrics", POINTS.SerializeToString())
        assert refusal(recorder.endpoint, "traces", b"\xff\xff no request") == 400
    for signal, request in SENT.items():
        [(_, kept)] = requests_in(tmp_path / f"{signal}.jsonl.gz")
        assert kept == request
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"{each}.jsonl.gz" for each in sorted(SENT)]


def test_what_was_handed_on_is_stored_and_can_be_sent_again(collector: Glasshouse, tmp_path: Path) -> None:
    """The collector has it once through the recorder, and once more by a replay."""
    counted = "SELECT count() FROM otel_logs WHERE Body = 'é failed'"
    collector.drain()
    [[before]] = collector.sql(counted)
    with Recorder(collector.http, tmp_path) as recorder:
        post(recorder.endpoint, "logs", LOGS.SerializeToString())
    replay(collector, [tmp_path / "logs.jsonl.gz"], "")
    assert collector.sql(counted) == [[str(int(before) + 2)]]


def test_requests_in_json_are_kept_too(collector: Glasshouse, tmp_path: Path) -> None:
    """The empty one, by which an SDK asks whether anybody is there, and one with a span."""
    with Recorder(collector.http, tmp_path) as recorder:
        for body in (b"{}", json_line(SPANS)):
            post(recorder.endpoint, "traces", body, Content_Type="application/json")
    kept = [request for _, request in requests_in(tmp_path / "traces.jsonl.gz")]
    assert kept == [SPANS]


def test_nobody_is_told_of_success_where_the_collector_is_away(tmp_path: Path) -> None:
    """The application hears 503, sends again later, and the recording has nothing of it."""
    with Recorder("127.0.0.1:9", tmp_path) as recorder:
        assert refusal(recorder.endpoint, "logs", LOGS.SerializeToString()) == 503
    assert gzip.decompress((tmp_path / "logs.jsonl.gz").read_bytes()) == b""


def test_a_recording_is_read_as_spans_and_log_records(collector: Glasshouse, tmp_path: Path) -> None:
    """Service, ids, times, failure and text stand in what the benchmark reads by itself."""
    with Recorder(collector.http, tmp_path) as recorder:
        for signal, request in SENT.items():
            post(recorder.endpoint, signal, request.SerializeToString())
    found = Recording.read(sorted(tmp_path.glob("*.jsonl.gz")))
    [span] = found.spans()
    assert (span.service, span.name, span.trace_id, span.span_id) == (
        "shop",
        "GET /",
        TRACE.hex(),
        SPAN.hex(),
    )
    assert (span.parent_id, span.start, span.end, span.failed) == (PARENT.hex(), NOW, NOW + 5, True)
    [log] = found.logs
    assert (log.service, log.time, log.severity, log.body) == ("shop", NOW, 17, "é failed")
    assert (log.trace_id, log.span_id) == (TRACE.hex(), SPAN.hex())
    written = json.loads(gzip.decompress((tmp_path / "traces.jsonl.gz").read_bytes()))
    [scope] = written["resourceSpans"][0]["scopeSpans"]
    assert scope["spans"][0]["kind"] == 2
