"""What the native gRPC server does with messages that mean harm: refuse, stay up, stay small."""

import contextlib
import gzip
import socket
import threading
import zlib
from collections.abc import Iterator

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from tests.receivers.conftest import Kept, ScriptedDoor, poll, serving, traces
from tests.receivers.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    TRACES_EXPORT,
    Connection,
    coded_status,
    frame,
    head,
    message,
)
from tests.receivers.memory import stays_small

from glasshouse_collector.core.batch import RequestKind

pytest.importorskip("glasshouse_otlp_grpc", reason="the native gRPC server is not installed")

TRACES = RequestKind.TRACES
PAYLOAD = traces("GET /").SerializeToString()
LIMIT = 100_000


@pytest.mark.parametrize("length", [LIMIT + 1, 2**31, 2**32 - 1])
def test_an_oversized_length_is_refused_before_its_bytes_come(length: int) -> None:
    """Five bytes tell enough; nothing is allocated for the rest."""
    with serving(ScriptedDoor(), max_request_bytes=LIMIT) as served, stays_small():
        with Connection(served.grpc_port) as connection:
            connection.send(frame(HEADERS, END_HEADERS, 1, head()))
            connection.send(frame(DATA, 0, 1, message(b"", length=length)))
            assert coded_status(8) in connection.first(HEADERS, 1).payload
        poll(lambda: served.refused("otlp_grpc", "too_large") == 1)
        served.still_serves()


def test_lengths_that_are_lies_allocate_nothing() -> None:
    """A thousand requests each announce the most that one may have, and send next to nothing."""
    with serving(ScriptedDoor()) as served, Connection(served.grpc_port) as connection, stays_small():
        for stream in range(1, 2000, 2):
            connection.send(frame(HEADERS, END_HEADERS, stream, head()))
            connection.send(frame(DATA, 0, stream, message(b"x", length=64 << 20)))
        connection.send(frame(PING, 0, 0, b"all read"))
        assert connection.first(PING)
        served.still_serves()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 13),
        (b"\x00\x00\x00", 13),
        (message(PAYLOAD, length=len(PAYLOAD) + 1), 13),
        (message(PAYLOAD) + b"x", 13),
        (message(PAYLOAD) * 2, 13),
        (message(PAYLOAD, compressed=2), 13),
        (message(gzip.compress(PAYLOAD, mtime=0), compressed=1), 13),
    ],
    ids=["empty", "no prefix", "too short", "too long", "twice", "flag", "no encoding named"],
)
def test_broken_framing_is_internal(collector: Kept, body: bytes, code: int) -> None:
    """As gRPC wants it; nothing reaches the journal."""
    before = collector.refused("otlp_grpc", "undecodable")
    with Connection(collector.grpc_port) as connection:
        connection.request(1, body)
        answer = connection.first(HEADERS, 1)
        assert coded_status(code) in answer.payload
        assert answer.flags & END_STREAM
    poll(lambda: collector.refused("otlp_grpc", "undecodable") == before + 1)
    assert not collector.kept()


@pytest.mark.parametrize(
    ("encoding", "body", "code", "reason"),
    [
        ("gzip", b"no gzip", 3, "undecodable"),
        ("gzip", gzip.compress(PAYLOAD, mtime=0)[:-9], 3, "undecodable"),
        ("gzip", gzip.compress(PAYLOAD, mtime=0) + b"more", 3, "undecodable"),
        ("gzip", gzip.compress(b"", mtime=0) * 65, 3, "undecodable"),
        ("gzip", zlib.compress(PAYLOAD), 3, "undecodable"),
        ("deflate", gzip.compress(PAYLOAD, mtime=0), 3, "undecodable"),
        ("br", b"whatever", 12, "unsupported_encoding"),
        ("gzip", gzip.compress(bytes(64 << 20)), 8, "too_large"),
        ("gzip", gzip.compress(bytes(LIMIT // 2)) * 3, 8, "too_large"),
        ("deflate", zlib.compress(bytes(64 << 20)), 8, "too_large"),
    ],
)
def test_broken_compression_and_bombs_are_refused(encoding: str, body: bytes, code: int, reason: str) -> None:
    """Whatever the body says of itself, it unfolds to the limit and no further."""
    with (
        serving(ScriptedDoor(), max_request_bytes=LIMIT) as served,
        Connection(served.grpc_port) as connection,
        stays_small(),
    ):
        connection.request(1, message(body, compressed=1), grpc_encoding=encoding)
        assert coded_status(code) in connection.first(HEADERS, 1).payload
        poll(lambda: served.refused("otlp_grpc", reason) == 1)
        served.still_serves()


@contextlib.contextmanager
def spoiling(target: int) -> Iterator[int]:
    """Stand between a client and the server, and break every gzip that passes; yields the port."""

    def pass_on(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while octets := source.recv(1 << 16):
                sink.sendall(octets.replace(b"\x1f\x8b\x08", b"\x00\x00\x00"))
            sink.shutdown(socket.SHUT_WR)

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(("127.0.0.1", target)) as server,
    ):

        def meet() -> None:
            client, _ = listener.accept()
            with client:
                back = threading.Thread(target=pass_on, args=(server, client))
                back.start()
                pass_on(client, server)
                back.join()

        between = threading.Thread(target=meet)
        between.start()
        yield listener.getsockname()[1]
        between.join(30)


def test_a_broken_compression_has_a_bad_request(collector: Kept) -> None:
    """What the server itself finds undecodable, it tells as OTLP asks for."""
    with spoiling(collector.grpc_port) as between, grpc.insecure_channel(f"127.0.0.1:{between}") as channel:
        export = channel.unary_unary(TRACES_EXPORT, None, None)
        with pytest.raises(grpc.RpcError) as caught:
            export(PAYLOAD * 10, timeout=60, compression=grpc.Compression.Gzip)
        refusal = caught.value
        assert isinstance(refusal, grpc.Call)
        assert refusal.code() is grpc.StatusCode.INVALID_ARGUMENT
        status = Status.FromString(dict(refusal.trailing_metadata() or ())["grpc-status-details-bin"])
        bad_request = BadRequest()
        assert status.details[0].Unpack(bad_request)
        [violation] = bad_request.field_violations
        assert violation.field == "request"
        assert violation.description == status.message == refusal.details()


def test_members_of_gzip_are_read_one_after_another(collector: Kept) -> None:
    """A body may have many; an uncompressed one may come under a compression's name."""
    half = len(PAYLOAD) // 2
    members = gzip.compress(PAYLOAD[:half]) + gzip.compress(PAYLOAD[half:])
    with Connection(collector.grpc_port) as connection:
        connection.request(1, message(members, compressed=1), grpc_encoding="gzip")
        assert connection.first(DATA, 1).payload == message(b"")
        connection.request(3, message(PAYLOAD), grpc_encoding="gzip")
        assert connection.first(DATA, 3).payload == message(b"")
    assert [kept.payload for kept in collector.kept()] == [PAYLOAD] * 2


def test_a_large_message_in_octets_of_data_is_one_message(collector: Kept) -> None:
    """However it is cut: an octet a frame here, with frames that hold nothing in between."""
    body = message(PAYLOAD)
    with Connection(collector.grpc_port) as connection:
        connection.send(frame(HEADERS, END_HEADERS, 1, head()))
        for octet in body[:-1]:
            connection.send(frame(DATA, 0, 1, bytes([octet])))
        connection.send(frame(DATA, 0, 1) + frame(DATA, END_STREAM, 1, body[-1:]))
        assert connection.first(DATA, 1).payload == message(b"")
    assert [kept.payload for kept in collector.kept()] == [PAYLOAD]


def test_a_connection_dropped_mid_message_leaves_nothing() -> None:
    """Its memory is free again, and the request is counted."""
    with serving(ScriptedDoor(), max_unfinished_bytes=1 << 20) as served:
        for _ in range(20):
            with Connection(served.grpc_port) as connection:
                connection.send(frame(HEADERS, END_HEADERS, 1, head()))
                for _ in range(50):
                    connection.send(frame(DATA, 0, 1, message(bytes(16_000), length=2 << 20)))
                connection.send(frame(PING, 0, 0, b"all read"))
                assert connection.first(PING)
        poll(lambda: served.refused("otlp_grpc", "disconnected") == 20)
        served.still_serves()


def test_unfinished_requests_are_bounded_together() -> None:
    """Who is one too many is told to come back in a second; room is made when the others are answered."""
    door = ScriptedDoor(hold=True)
    with serving(door, max_unfinished_bytes=1 << 20) as served:
        with Connection(served.grpc_port) as connection:
            connection.send(frame(HEADERS, END_HEADERS, 1, head()))
            for _ in range(60):
                connection.send(frame(DATA, 0, 1, message(bytes(16_000), length=2 << 20)))
            connection.send(frame(PING, 0, 0, b"all read"))
            assert connection.first(PING)
            refusal = served.refusal(TRACES, bytes(100_000))
            assert refusal.code() is grpc.StatusCode.UNAVAILABLE
            status = Status.FromString(dict(refusal.trailing_metadata() or ())["grpc-status-details-bin"])
            retry = RetryInfo()
            assert status.details[0].Unpack(retry)
            assert (status.code, status.message) == (14, refusal.details())
            assert retry.retry_delay.ToSeconds() == 1
        poll(lambda: served.refused("otlp_grpc", "disconnected") == 1)
        assert served.refused("otlp_grpc", "backpressure") == 1
        door.release.set()
        served.still_serves()


def test_a_slow_sender_is_cut_off() -> None:
    """A request has to arrive within `body_seconds`; its connection may go on."""
    with serving(ScriptedDoor(), body_seconds=0.2) as served, Connection(served.grpc_port) as connection:
        connection.send(frame(HEADERS, END_HEADERS, 1, head()) + frame(DATA, 0, 1, b"\x00"))
        assert coded_status(4) in connection.first(HEADERS, 1).payload
        poll(lambda: served.refused("otlp_grpc", "slow") == 1)
        connection.request(3, message(PAYLOAD))
        assert connection.first(DATA, 3)
