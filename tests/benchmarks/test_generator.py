"""What the load generator sends is what it says: whole OTLP requests, no id twice, honest answers."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import grpc
import numpy as np
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import wire
from workload import SPANS_A_TRACE, Kind

_LOAD = Path(wire.__file__).with_name("load.py")


def _messages(image: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield stream and gRPC message of each request in framed bytes."""
    at, message = 0, b""
    while at < len(image):
        size = int.from_bytes(image[at : at + 3], "big")
        kind, flags, stream = image[at + 3], image[at + 4], int.from_bytes(image[at + 5 : at + 9], "big")
        at += wire.FRAME_HEADER
        if kind == wire.DATA:
            assert size <= wire.MAX_FRAME
            message += image[at : at + size]
            if flags & wire.END_STREAM:
                assert int.from_bytes(message[1:5], "big") == len(message) - 5
                yield stream, message[5:]
                message = b""
        at += size


def _spans(image: bytes) -> list[Span]:
    requests = [ExportTraceServiceRequest.FromString(message) for _, message in _messages(image)]
    return [span for request in requests for span in request.resource_spans[0].scope_spans[0].spans]


@pytest.mark.parametrize("records", [1, 32, 512])
def test_a_block_holds_whole_requests_on_consecutive_streams(records: int) -> None:
    """However many frames a request needs, each is a stream of its own with all its records."""
    block = wire.Block(Kind.TRACES, records, b"\x83\x86", Random(1))
    image = block.patched(7, time.time_ns(), np.random.default_rng(1))
    found = list(_messages(image))
    assert [stream for stream, _ in found] == list(range(7, 7 + 2 * len(block.requests), 2))
    assert len(_spans(image)) == wire.BLOCK_RECORDS


@pytest.mark.parametrize("records", [1, 32, 512])
def test_spans_form_traces_and_no_id_comes_twice(records: int) -> None:
    """Eight spans share a trace, each but the first has the one before as parent; the next block differs."""
    block, generator = wire.Block(Kind.TRACES, records, b"", Random(1)), np.random.default_rng(2)
    first, second = (_spans(block.patched(1, 1_700_000_000 * 10**9, generator)) for _ in range(2))
    for place, span in enumerate(first):
        parent = first[place - 1].span_id if place % SPANS_A_TRACE else b""
        assert span.parent_span_id == parent
        assert span.trace_id == first[place - place % SPANS_A_TRACE].trace_id
        assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 3600 * 10**9
    assert len({span.span_id for span in first + second}) == 2 * wire.BLOCK_RECORDS
    assert len({span.trace_id for span in first + second}) == 2 * wire.BLOCK_RECORDS // SPANS_A_TRACE


def test_spans_are_as_large_as_the_documents_say() -> None:
    """About 460 bytes a span, its share of the resource included."""
    block = wire.Block(Kind.TRACES, 512, b"", Random(3))
    assert 430 < block.requests[0].window / 512 < 490


def test_logs_and_metrics_are_patched_too() -> None:
    """A block of log records and one of data points decode, at the time they were given."""
    now, generator = 1_700_000_000 * 10**9, np.random.default_rng(3)
    logs = wire.Block(Kind.LOGS, 512, b"", Random(4)).patched(1, now, generator)
    ((_, message),) = _messages(logs)
    records = ExportLogsServiceRequest.FromString(message).resource_logs[0].scope_logs[0].log_records
    assert len({record.span_id for record in records}) == 512
    assert {record.observed_time_unix_nano for record in records} == {now}
    metrics = wire.Block(Kind.METRICS, 512, b"", Random(5)).patched(1, now, generator)
    ((_, message),) = _messages(metrics)
    gauge = ExportMetricsServiceRequest.FromString(message).resource_metrics[0].scope_metrics[0].metrics[0]
    assert {point.time_unix_nano for point in gauge.gauge.data_points} == {now}


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (b"\x00\x0bgrpc-status\x010", 0),
        (b"\x00\x0bgrpc-status\x0214\x00\x0cgrpc-message\x00", 14),
        (b"\x00\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f\x81\x07", 0),
        (b"\x00\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f\x82\x0b\x5f", 14),
        (b"\x00\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f\x81\x67", 3),
        (b"\x88", 2),
    ],
)
def test_an_answers_status_is_read(block: bytes, status: int) -> None:
    """Plain or in HPACK's Huffman code; where there is none the answer counts as refused."""
    assert wire.grpc_status(block) == status


class _Service(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # not generic when it runs
    """Counts spans, and refuses every third request."""

    def __init__(self) -> None:
        self.requests = self.accepted = self.refused = 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        del handler_call_details
        return grpc.unary_unary_rpc_method_handler(self._export)

    def _export(self, payload: bytes, context: grpc.ServicerContext) -> bytes:
        spans = ExportTraceServiceRequest.FromString(payload).resource_spans
        count = len(spans[0].scope_spans[0].spans) if spans else 0
        self.requests += bool(count)
        if count and not self.requests % 3:
            self.refused += count
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "every third")
        self.accepted += count
        return b""


@pytest.mark.parametrize("records", [1, 32, 512])
def test_its_account_is_the_servers(records: int) -> None:
    """What a real gRPC server accepted and refused is what the generator says at the end."""
    service = _Service()
    server = grpc.server(ThreadPoolExecutor(1), handlers=[service])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        command = [
            sys.executable,
            str(_LOAD),
            f"127.0.0.1:{port}",
            "--records",
            str(records),
            "--total",
            "6144",
        ]
        account = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    finally:
        server.stop(None).wait()
    assert account["acknowledged"] == {"traces": service.accepted}
    assert account["refused_records"] == service.refused > 0
    assert account["sent"] == service.accepted + service.refused == 6144
    assert set(account["refused"]) == {"3"}
