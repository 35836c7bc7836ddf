"""What an OTLP server does over gRPC and HTTP alike, line by line of the specification."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
import zstandard
from google.protobuf.unknown_fields import UnknownFieldSet
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from tests.receivers.conftest import Kept, ScriptedDoor, by_both_servers, keeping, serving, traces

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.components import Accepted
from glasshouse_collector.core.errors import TooLarge

pytestmark = by_both_servers

TRACES = RequestKind.TRACES
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}
LIMIT = 100_000
"""Bytes, of the collectors here that have a small limit."""


def log_records() -> ExportLogsServiceRequest:
    """Return a request with one log record."""
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "hello"
    return request


def data_points() -> ExportMetricsServiceRequest:
    """Return a request with one data point."""
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="up")
    metric.gauge.data_points.add(as_int=1)
    return request


REQUESTS = {
    RequestKind.TRACES: traces("GET /").SerializeToString(),
    RequestKind.LOGS: log_records().SerializeToString(),
    RequestKind.METRICS: data_points().SerializeToString(),
}


@pytest.mark.parametrize("kind", RequestKind)
def test_each_signal_is_kept_as_it_came_over_grpc(collector: Kept, kind: RequestKind) -> None:
    """What the journal holds is the request, byte for byte, with its count and project."""
    assert collector.export(kind, REQUESTS[kind]) == b""
    [frame] = collector.kept()
    assert (frame.kind, frame.project, frame.records, frame.payload) == (kind, "default", 1, REQUESTS[kind])


@pytest.mark.parametrize("kind", RequestKind)
def test_each_signal_is_kept_as_it_came_over_http(collector: Kept, kind: RequestKind) -> None:
    """What the journal holds is the request, byte for byte, with its count and project."""
    response = collector.post(kind, REQUESTS[kind])
    assert (response.status_code, response.content) == (200, b"")
    [frame] = collector.kept()
    assert (frame.kind, frame.project, frame.records, frame.payload) == (kind, "default", 1, REQUESTS[kind])


@pytest.mark.parametrize(
    "compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate]
)
def test_no_compression_and_gzip_are_accepted_over_grpc(
    collector: Kept, compression: grpc.Compression
) -> None:
    """The journal holds the request in the clear."""
    payload = traces(*["GET /"] * 100).SerializeToString()
    collector.export(TRACES, payload, compression=compression)
    assert [frame.payload for frame in collector.kept()] == [payload]


@pytest.mark.parametrize("spans", [1, 20_000])
@pytest.mark.parametrize("encoding", ["identity", "gzip", "GZIP", "deflate", "zstd"])
def test_no_compression_and_gzip_are_accepted_over_http(collector: Kept, encoding: str, spans: int) -> None:
    """The journal holds the request in the clear; so with zstd and deflate, and with large requests."""
    payload = traces(*map(str, range(spans))).SerializeToString()
    body = COMPRESS[encoding.lower()](payload)
    assert collector.post(TRACES, body, content_encoding=encoding).status_code == 200
    assert [frame.payload for frame in collector.kept()] == [payload]


def test_the_size_of_a_request_is_limited(tmp_path: Path) -> None:
    """One byte too many is refused for good on both transports, the limit itself is not."""
    with keeping(tmp_path, max_request_bytes=LIMIT) as small:
        fits = _traces_of(LIMIT)
        small.export(TRACES, fits)
        assert small.post(TRACES, fits).status_code == 200
        over = _traces_of(LIMIT + 1)
        assert small.refusal(TRACES, over).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        response = small.post(TRACES, over)
        assert response.status_code == 413
        assert str(LIMIT) in Status.FromString(response.content).message
        assert len(small.kept()) == 2


def test_the_size_of_a_request_is_limited_also_after_decompression(tmp_path: Path) -> None:
    """64 MiB that travel as less than the limit are refused on both transports, however compressed."""
    bomb = bytes(64 * 1024 * 1024)
    with keeping(tmp_path, max_request_bytes=LIMIT) as small:
        refusal = small.refusal(TRACES, bomb, compression=grpc.Compression.Gzip)
        assert refusal.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for encoding in ("gzip", "deflate", "zstd"):
            body = COMPRESS[encoding](bomb)
            assert len(body) < LIMIT, encoding
            assert small.post(TRACES, body, content_encoding=encoding).status_code == 413, encoding
        assert not small.kept()


def test_the_size_of_a_request_is_64_mib_by_default(collector: Kept) -> None:
    """A request of just that size is kept over both transports, one byte more is refused."""
    fits = _traces_of(64 * 1024 * 1024)
    collector.export(TRACES, fits)
    assert collector.post(TRACES, fits).status_code == 200
    assert [len(frame.payload) for frame in collector.kept()] == [64 * 1024 * 1024] * 2
    over = _traces_of(64 * 1024 * 1024 + 1)
    assert collector.refusal(TRACES, over).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert collector.post(TRACES, over).status_code == 413


def _traces_of(size: int) -> bytes:
    """Return a request of that many bytes."""
    short = traces("").SerializeToString()
    name = "x" * (size - len(short))
    while len(payload := traces(name).SerializeToString()) > size:
        name = name[: size - len(payload)]
    assert len(payload) == size
    return payload


def test_the_size_of_the_response_is_limited() -> None:
    """However much there is to say, an answer stays far below 4 MiB, and over gRPC within its trailers."""
    tale = "é" * 5_000_000
    with serving(ScriptedDoor(Accepted(1, 1, tale))) as served:
        assert len(served.export(TRACES, b"")) < 4096
        assert len(served.post(TRACES, b"").content) < 4096
        assert len(served.post(TRACES, b"{}", content_type="application/json").content) < 4096
    with serving(ScriptedDoor(fault=TooLarge(tale))) as served:
        refusal = served.refusal(TRACES, b"")
        assert refusal.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refusal.details().startswith("ééé")
        assert len(served.post(TRACES, b"").content) < 4096


@pytest.mark.parametrize("kind", RequestKind)
def test_an_empty_request_succeeds(collector: Kept, kind: RequestKind) -> None:
    """There is nothing to keep, and nothing wrong with it."""
    assert collector.export(kind, b"") == b""
    assert collector.post(kind, b"").status_code == 200
    assert collector.post(kind, b"{}", content_type="application/json").status_code == 200
    assert not collector.kept()


def test_empty_envelopes_are_ignored(collector: Kept) -> None:
    """Resources and scopes without a record leave nothing."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().scope.name = "nothing in it"
    assert collector.export(TRACES, request.SerializeToString()) == b""
    assert collector.post(TRACES, request.SerializeToString()).status_code == 200
    assert not collector.kept()


def test_success_has_partial_success_unset(collector: Kept) -> None:
    """The answer is the empty message, which in JSON is an empty object."""
    assert collector.export(TRACES, REQUESTS[TRACES]) == b""
    assert collector.post(TRACES, REQUESTS[TRACES]).content == b""
    assert collector.post(TRACES, b"{}", content_type="application/json").content == b"{}"


def test_partial_success_counts_what_was_refused_and_says_why(collector: Kept) -> None:
    """Two spans with bad ids are refused, the third is kept."""
    request = traces("good")
    request.resource_spans[0].scope_spans[0].spans.add(trace_id=bytes(16), span_id=b"s" * 8)
    request.resource_spans[0].scope_spans[0].spans.add(trace_id=b"t" * 16, span_id=b"short")
    payload = request.SerializeToString()
    for answer in (collector.export(TRACES, payload), collector.post(TRACES, payload).content):
        partial = ExportTraceServiceResponse.FromString(answer).partial_success
        assert partial.rejected_spans == 2
        assert "16 bytes" in partial.error_message
    assert [frame.records for frame in collector.kept()] == [1, 1]


def test_a_request_of_refused_records_alone_leaves_nothing(collector: Kept) -> None:
    """All its spans are counted as refused, and the journal holds no frame for them."""
    payload = traces("a", "b", trace_id=bytes(16)).SerializeToString()
    answer = ExportTraceServiceResponse.FromString(collector.export(TRACES, payload))
    assert answer.partial_success.rejected_spans == 2
    assert not collector.kept()


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (RequestKind.TRACES, "rejectedSpans"),
        (RequestKind.LOGS, "rejectedLogRecords"),
        (RequestKind.METRICS, "rejectedDataPoints"),
    ],
)
def test_partial_success_in_json_names_the_signals_records(kind: RequestKind, field: str) -> None:
    """The count is a 64-bit integer, so a string."""
    with serving(ScriptedDoor(Accepted(1, 7, "seven were bad"))) as served:
        response = served.post(kind, b"{}", content_type="application/json")
        assert response.json() == {"partialSuccess": {field: "7", "errorMessage": "seven were bad"}}


def test_a_warning_has_no_refused_records_and_a_message() -> None:
    """It is told in `partial_success` too."""
    with serving(ScriptedDoor(Accepted(1, 0, "be careful"))) as served:
        for answer in (served.export(TRACES, b""), served.post(TRACES, b"").content):
            partial = ExportTraceServiceResponse.FromString(answer).partial_success
            assert (partial.rejected_spans, partial.error_message) == (0, "be careful")
        in_json = served.post(TRACES, b"{}", content_type="application/json")
        assert in_json.json() == {"partialSuccess": {"errorMessage": "be careful"}}


def test_unknown_fields_and_newer_versions_interoperate(collector: Kept) -> None:
    """A field nobody here knows does no harm, and is kept for those who will."""
    payload = REQUESTS[TRACES] + b"\xfa\x3e\x05later"  # field 1007, a string
    assert len(UnknownFieldSet(ExportTraceServiceRequest.FromString(payload))) == 1
    assert collector.export(TRACES, payload) == b""
    assert collector.post(TRACES, payload).status_code == 200
    assert [frame.payload for frame in collector.kept()] == [payload] * 2


def test_what_comes_in_is_counted(tmp_path: Path) -> None:
    """Records, requests and bytes, by the receiver they came through."""
    with keeping(tmp_path) as kept:
        kept.export(TRACES, traces("a", "b").SerializeToString())
        kept.post(TRACES, traces("c", "d", "e").SerializeToString())
        kept.post(TRACES, traces("f", span_id=b"").SerializeToString())
        kept.post(TRACES, b"\xff")
        sample = kept.metrics.registry.get_sample_value
        for transport, records, requests in (("otlp_grpc", 2, 1), ("otlp_http", 3, 2)):
            labels = {"kind": "traces", "transport": transport, "project": "default"}
            assert sample("glasshouse_received_records_total", labels) == records
            assert sample("glasshouse_received_requests_total", labels) == requests
        rejected = {"kind": "traces", "reason": "invalid_id", "project": "default"}
        assert sample("glasshouse_rejected_records_total", rejected) == 1
        assert kept.refused("otlp_http", "undecodable") == 1
