"""What the native gRPC server does with senders that mean harm: refuse, stay up, stay small."""

import contextlib
import gzip
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from tests.receivers.conftest import Kept, ScriptedDoor, Served, poll, serving, traces
from tests.receivers.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    Connection,
    Frame,
    coded,
    coded_status,
    frame,
    head,
    literal,
    message,
)

from glasshouse_collector.core.access import TokenAccess
from glasshouse_collector.core.batch import RequestKind

pytest.importorskip("glasshouse_otlp_grpc", reason="the native gRPC server is not installed")

TRACES = RequestKind.TRACES
PAYLOAD = traces("GET /").SerializeToString()
LIMIT = 100_000
CANCEL = b"\x00\x00\x00\x08"
ROOM = 48 << 20
"""Bytes that the process may grow by, whatever comes: the allocator's habits, and the tests' own."""


def resident_bytes() -> int:
    """Return the memory of this process, in which the server runs."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def stays_small() -> Iterator[None]:
    """Hold the growth of this process's memory, watched all the while, below `ROOM`."""
    before, most, over = resident_bytes(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.005):
            most = max(most, resident_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    assert most - before < ROOM


def still_serves(served: Served) -> None:
    """Assert that an honest sender, on a connection of its own, gets its OK."""
    assert served.export(TRACES, PAYLOAD) == b""


def port(served: Served) -> int:
    """Return the server's."""
    return served.grpc_receiver.bound_port


@pytest.mark.parametrize(
    "preface",
    [
        b"\x00" * 64,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
        PREFACE[:-1] + b"X" + frame(SETTINGS, 0, 0),
        PREFACE + frame(DATA, 0, 1, b"before any settings"),
        PREFACE + frame(SETTINGS, 0, 0, b"odd length"),
    ],
    ids=["zeros", "http1", "tls", "last byte", "no settings", "bad settings"],
)
def test_a_garbage_preface_is_turned_away(collector: Kept, preface: bytes) -> None:
    """The connection is closed, and that it was is counted for what never was HTTP/2."""
    before = collector.refused("otlp_grpc", "no_http")
    with Connection(port(collector), preface) as connection:
        assert connection.closed()
    if not preface.startswith(PREFACE):
        poll(lambda: collector.refused("otlp_grpc", "no_http") == before + 1)
    still_serves(collector)


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80",
        b"\x00\x7f\xff\xff\xff\xff\x0f",
        b"\x3f\xff\xff\xff\xff\xff\x0f",
        b"\x00\x84\xff\xff\xff\xff\x01x",
    ],
    ids=["integer overflow", "index 0", "length beyond the end", "table size", "huffman junk"],
)
def test_hpack_junk_ends_the_connection(collector: Kept, junk: bytes) -> None:
    """A broken header block cannot be skipped, as the blocks after it build on it."""
    with Connection(port(collector)) as connection:
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, junk))
        assert connection.first(GOAWAY)
        assert connection.closed()
    still_serves(collector)


def test_a_continuation_flood_ends_the_connection(collector: Kept) -> None:
    """A header block without an end is not gathered without an end (CVE-2024-27316)."""
    with Connection(port(collector)) as connection, stays_small():
        connection.send(frame(HEADERS, 0, 1, head()))
        flood = frame(CONTINUATION, 0, 1, literal("x", "y" * 100) * 150) * 16
        assert any(not connection.send(flood) for _ in range(10_000))
    still_serves(collector)


def test_headers_beyond_64_kib_are_refused(collector: Kept) -> None:
    """The request is refused, its connection may go on."""
    with Connection(port(collector)) as connection:
        block = head() + b"".join(literal(f"x-{number}", "y" * 1000) for number in range(100))
        parts = [block[at : at + 16_000] for at in range(0, len(block), 16_000)]
        connection.send(frame(HEADERS, END_STREAM, 1, parts[0]))
        for part in parts[1:-1]:
            connection.send(frame(CONTINUATION, 0, 1, part))
        connection.send(frame(CONTINUATION, END_HEADERS, 1, parts[-1]))
        assert coded("431") in connection.first(HEADERS, 1).payload
    still_serves(collector)


def test_a_rapid_reset_ends_the_connection(collector: Kept) -> None:
    """Opening and resetting costs the sender nothing, so it gets no end of it (CVE-2023-44487)."""
    opened = frame(HEADERS, END_HEADERS, 1, head())
    with Connection(port(collector)) as connection, stays_small():
        begun, open_yet = 1, True
        while open_yet and begun < 2_000_000:
            burst = b""
            for stream in range(begun, begun + 1000, 2):
                burst += (
                    opened[:5] + stream.to_bytes(4, "big") + opened[9:] + frame(RST_STREAM, 0, stream, CANCEL)
                )
            begun += 1000
            open_yet = connection.send(burst)
        assert not open_yet
    still_serves(collector)


def test_pings_are_answered_however_many(collector: Kept) -> None:
    """Senders that keep their connections alive are not sent away for it."""
    with Connection(port(collector)) as connection:
        for _ in range(100):
            connection.send(frame(PING, 0, 0, b"8 octets"))
            assert connection.first(PING).payload == b"8 octets"
        connection.request(1, message(PAYLOAD))
        assert connection.first(DATA, 1).payload == message(b"")


@pytest.mark.parametrize("length", [LIMIT + 1, 2**31, 2**32 - 1])
def test_an_oversized_length_is_refused_before_its_bytes_come(length: int) -> None:
    """Five bytes tell enough; nothing is allocated for the rest."""
    with serving(ScriptedDoor(), max_request_bytes=LIMIT) as served, stays_small():
        with Connection(port(served)) as connection:
            connection.send(frame(HEADERS, END_HEADERS, 1, head()))
            connection.send(frame(DATA, 0, 1, message(b"", length=length)))
            assert coded_status(8) in connection.first(HEADERS, 1).payload
        poll(lambda: served.refused("otlp_grpc", "too_large") == 1)
        still_serves(served)


def test_lengths_that_are_lies_allocate_nothing() -> None:
    """A thousand requests each announce the most that one may have, and send next to nothing."""
    with serving(ScriptedDoor()) as served, Connection(port(served)) as connection, stays_small():
        for stream in range(1, 2000, 2):
            connection.send(frame(HEADERS, END_HEADERS, stream, head()))
            connection.send(frame(DATA, 0, stream, message(b"x", length=64 << 20)))
        connection.send(frame(PING, 0, 0, b"all read"))
        assert connection.first(PING)
        still_serves(served)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 13),
        (b"\x00\x00\x00", 13),
        (message(PAYLOAD, length=len(PAYLOAD) + 1), 13),
        (message(PAYLOAD) + b"x", 13),
        (message(PAYLOAD) * 2, 13),
        (message(PAYLOAD, compressed=2), 13),
        (message(gzip.compress(PAYLOAD), compressed=1), 13),
    ],
    ids=["empty", "no prefix", "too short", "too long", "twice", "flag", "no encoding named"],
)
def test_broken_framing_is_internal(collector: Kept, body: bytes, code: int) -> None:
    """As gRPC wants it; nothing reaches the journal."""
    before = collector.refused("otlp_grpc", "undecodable")
    with Connection(port(collector)) as connection:
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
        ("gzip", gzip.compress(PAYLOAD)[:-9], 3, "undecodable"),
        ("gzip", gzip.compress(PAYLOAD) + b"more", 3, "undecodable"),
        ("gzip", gzip.compress(b"") * 65, 3, "undecodable"),
        ("gzip", zlib.compress(PAYLOAD), 3, "undecodable"),
        ("deflate", gzip.compress(PAYLOAD), 3, "undecodable"),
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
        Connection(port(served)) as connection,
        stays_small(),
    ):
        connection.request(1, message(body, compressed=1), grpc_encoding=encoding)
        assert coded_status(code) in connection.first(HEADERS, 1).payload
        poll(lambda: served.refused("otlp_grpc", reason) == 1)
        still_serves(served)


def test_members_of_gzip_are_read_one_after_another(collector: Kept) -> None:
    """A body may have many; an uncompressed one may come under a compression's name."""
    half = len(PAYLOAD) // 2
    members = gzip.compress(PAYLOAD[:half]) + gzip.compress(PAYLOAD[half:])
    with Connection(port(collector)) as connection:
        connection.request(1, message(members, compressed=1), grpc_encoding="gzip")
        assert connection.first(DATA, 1).payload == message(b"")
        connection.request(3, message(PAYLOAD), grpc_encoding="gzip")
        assert connection.first(DATA, 3).payload == message(b"")
    assert [kept.payload for kept in collector.kept()] == [PAYLOAD] * 2


def test_a_large_message_in_octets_of_data_is_one_message(collector: Kept) -> None:
    """However it is cut: an octet a frame here, with frames that hold nothing in between."""
    body = message(PAYLOAD)
    with Connection(port(collector)) as connection:
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
            with Connection(port(served)) as connection:
                connection.send(frame(HEADERS, END_HEADERS, 1, head()))
                for _ in range(50):
                    connection.send(frame(DATA, 0, 1, message(bytes(16_000), length=2 << 20)))
                connection.send(frame(PING, 0, 0, b"all read"))
                assert connection.first(PING)
        poll(lambda: served.refused("otlp_grpc", "disconnected") == 20)
        still_serves(served)


def test_streams_beyond_what_is_allowed_are_refused() -> None:
    """The 513th that is open at once is refused by HTTP/2 itself; closed ones make room."""
    streams = range(1, 2 * 1000, 2)
    with serving(ScriptedDoor()) as served, Connection(port(served)) as connection, stays_small():
        for stream in streams:
            connection.send(frame(HEADERS, END_HEADERS, stream, head()))
        refused = {each.stream for each in _until(connection, 1000 - 512, RST_STREAM)}
        assert refused == set(streams[512:])
        for stream in streams[:512]:
            connection.send(frame(DATA, END_STREAM, stream, message(PAYLOAD)))
        answered = {each.stream for each in _until(connection, 512, DATA)}
        assert answered == set(streams[:512])
        connection.request(10_001, message(PAYLOAD))
        assert connection.first(DATA, 10_001)


def test_thousands_of_streams_one_after_another_are_all_served(collector: Kept) -> None:
    """A connection has no end of them."""
    with Connection(port(collector)) as connection, stays_small():
        for first in range(1, 2 * 5000, 2 * 100):
            burst = range(first, first + 2 * 100, 2)
            for stream in burst:
                connection.request(stream, message(b""))
            assert {each.stream for each in _until(connection, 100, DATA)} == set(burst)


def test_who_reads_no_answer_holds_up_nobody() -> None:
    """A window of nothing keeps its answers back, up to as many streams as may be open."""
    with serving(ScriptedDoor()) as served, stays_small(), Connection(port(served)) as connection:
        connection.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))
        for stream in range(1, 2 * 600, 2):
            connection.request(stream, message(PAYLOAD))
        assert connection.first(RST_STREAM).stream == 2 * 512 + 1
        still_serves(served)


def test_who_goes_on_opening_streams_is_turned_away() -> None:
    """Refusals are not for free either."""
    with serving(ScriptedDoor()) as served, Connection(port(served)) as connection, stays_small():
        opening = (frame(HEADERS, END_HEADERS, stream, head()) for stream in range(1, 2_000_000, 2))
        assert any(not connection.send(each) for each in opening)
        still_serves(served)


def _until(connection: Connection, count: int, kind: int) -> Iterator[Frame]:
    for each in connection.frames():
        if each.kind == kind:
            yield each
            count -= 1
            if not count:
                return


def test_unfinished_requests_are_bounded_together() -> None:
    """Who is one too many is told to come back in a second; room is made when the others are answered."""
    door = ScriptedDoor(hold=True)
    with serving(door, max_unfinished_bytes=1 << 20) as served:
        with Connection(port(served)) as connection:
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
        still_serves(served)


def test_a_slow_sender_is_cut_off() -> None:
    """A request has to arrive within `body_seconds`; its connection may go on."""
    with serving(ScriptedDoor(), body_seconds=0.2) as served, Connection(port(served)) as connection:
        connection.send(frame(HEADERS, END_HEADERS, 1, head()) + frame(DATA, 0, 1, b"\x00"))
        assert coded_status(4) in connection.first(HEADERS, 1).payload
        poll(lambda: served.refused("otlp_grpc", "slow") == 1)
        connection.request(3, message(PAYLOAD))
        assert connection.first(DATA, 3)


def test_what_is_no_grpc_is_answered_in_http(collector: Kept) -> None:
    """405 for another method, 415 for another content type."""
    with Connection(port(collector)) as connection:
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, head(method="GET")))
        assert coded("405") in connection.first(HEADERS, 1).payload
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, head(content_type="text/html")))
        assert coded("415") in connection.first(HEADERS, 3).payload
    still_serves(collector)


def test_each_request_is_looked_at_by_its_own_key() -> None:
    """What requests of one connection share is never one another's key."""
    keys = ["open sesame", "wrong", "open sesame", "", "open sesame", "open sesame"]
    with (
        serving(ScriptedDoor(), TokenAccess("open sesame")) as served,
        Connection(port(served)) as connection,
    ):
        for number, key in enumerate(keys):
            connection.request(2 * number + 1, message(PAYLOAD), **({"x_api_key": key} if key else {}))
        ends = {each.stream: each.kind for each in _until(connection, 4, DATA)}
        assert sorted(ends) == [2 * number + 1 for number, key in enumerate(keys) if key == "open sesame"]
        assert served.refused("otlp_grpc", "unauthenticated") == 2


def test_a_stop_ends_within_its_time_whatever_senders_do() -> None:
    """An idle connection, half a request, and an answer that never comes hold up nothing for longer."""
    door = ScriptedDoor(hold=True)
    with serving(door, shutdown_seconds=0.5) as served:
        with (
            Connection(port(served)) as idle,
            Connection(port(served)) as half,
            Connection(port(served)) as waiting,
        ):
            half.send(frame(HEADERS, END_HEADERS, 1, head()) + frame(DATA, 0, 1, b"\x00"))
            waiting.request(1, message(PAYLOAD))
            assert door.entered.wait(30)
            served.loop.run(served.grpc_receiver.stop())
            assert all(connection.closed() for connection in (idle, half, waiting))
            door.release.set()
        served.loop.run(served.grpc_receiver.stop())
