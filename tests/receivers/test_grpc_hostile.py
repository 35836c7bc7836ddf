"""What the native gRPC server does with senders that mean harm: refuse, stay up, stay small."""

import struct

import pytest
from tests.receivers.conftest import Kept, ScriptedDoor, poll, serving, traces
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
    coded,
    frame,
    head,
    literal,
    message,
)
from tests.receivers.memory import stays_small

from glasshouse_collector.core.access import TokenAccess
from glasshouse_collector.core.batch import RequestKind

pytest.importorskip("glasshouse_otlp_grpc", reason="the native gRPC server is not installed")

TRACES = RequestKind.TRACES
PAYLOAD = traces("GET /").SerializeToString()
CANCEL = b"\x00\x00\x00\x08"


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
    with Connection(collector.grpc_port, preface) as connection:
        assert connection.closed()
    if not preface.startswith(PREFACE):
        poll(lambda: collector.refused("otlp_grpc", "no_http") == before + 1)
    collector.still_serves()


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
    with Connection(collector.grpc_port) as connection:
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, junk))
        assert connection.first(GOAWAY)
        assert connection.closed()
    collector.still_serves()


def test_a_continuation_flood_ends_the_connection(collector: Kept) -> None:
    """A header block without an end is not gathered without an end (CVE-2024-27316)."""
    with Connection(collector.grpc_port) as connection, stays_small():
        connection.send(frame(HEADERS, 0, 1, head()))
        flood = frame(CONTINUATION, 0, 1, literal("x", "y" * 100) * 150) * 16
        assert any(not connection.send(flood) for _ in range(10_000))
    collector.still_serves()


def test_headers_beyond_64_kib_are_refused(collector: Kept) -> None:
    """The request is refused, its connection may go on."""
    with Connection(collector.grpc_port) as connection:
        block = head() + b"".join(literal(f"x-{number}", "y" * 1000) for number in range(100))
        parts = [block[at : at + 16_000] for at in range(0, len(block), 16_000)]
        connection.send(frame(HEADERS, END_STREAM, 1, parts[0]))
        for part in parts[1:-1]:
            connection.send(frame(CONTINUATION, 0, 1, part))
        connection.send(frame(CONTINUATION, END_HEADERS, 1, parts[-1]))
        assert coded("431") in connection.first(HEADERS, 1).payload
    collector.still_serves()


def test_a_rapid_reset_ends_the_connection(collector: Kept) -> None:
    """Opening and resetting costs the sender nothing, so it gets no end of it (CVE-2023-44487)."""
    opened = frame(HEADERS, END_HEADERS, 1, head())
    with Connection(collector.grpc_port) as connection, stays_small():
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
    collector.still_serves()


def test_pings_are_answered_however_many(collector: Kept) -> None:
    """Senders that keep their connections alive are not sent away for it."""
    with Connection(collector.grpc_port) as connection:
        for _ in range(100):
            connection.send(frame(PING, 0, 0, b"8 octets"))
            assert connection.first(PING).payload == b"8 octets"
        connection.request(1, message(PAYLOAD))
        assert connection.first(DATA, 1).payload == message(b"")


def test_streams_beyond_what_is_allowed_are_refused() -> None:
    """The 513th that is open at once is refused by HTTP/2 itself; closed ones make room."""
    streams = range(1, 2 * 1000, 2)
    with serving(ScriptedDoor()) as served, Connection(served.grpc_port) as connection, stays_small():
        for stream in streams:
            connection.send(frame(HEADERS, END_HEADERS, stream, head()))
        refused = {each.stream for each in connection.many(1000 - 512, RST_STREAM)}
        assert refused == set(streams[512:])
        for stream in streams[:512]:
            connection.send(frame(DATA, END_STREAM, stream, message(PAYLOAD)))
        answered = {each.stream for each in connection.many(512, DATA)}
        assert answered == set(streams[:512])
        connection.request(10_001, message(PAYLOAD))
        assert connection.first(DATA, 10_001)


def test_thousands_of_streams_one_after_another_are_all_served(collector: Kept) -> None:
    """A connection has no end of them."""
    with Connection(collector.grpc_port) as connection, stays_small():
        for first in range(1, 2 * 5000, 2 * 100):
            burst = range(first, first + 2 * 100, 2)
            for stream in burst:
                connection.request(stream, message(b""))
            assert {each.stream for each in connection.many(100, DATA)} == set(burst)


def test_who_reads_no_answer_holds_up_nobody() -> None:
    """A window of nothing keeps its answers back, up to as many streams as may be open."""
    with serving(ScriptedDoor()) as served, stays_small(), Connection(served.grpc_port) as connection:
        connection.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))
        for stream in range(1, 2 * 600, 2):
            connection.request(stream, message(PAYLOAD))
        assert connection.first(RST_STREAM).stream == 2 * 512 + 1
        served.still_serves()


def test_who_goes_on_opening_streams_is_turned_away() -> None:
    """Refusals are not for free either."""
    with serving(ScriptedDoor()) as served, Connection(served.grpc_port) as connection, stays_small():
        opening = (frame(HEADERS, END_HEADERS, stream, head()) for stream in range(1, 2_000_000, 2))
        assert any(not connection.send(each) for each in opening)
        served.still_serves()


def test_what_is_no_grpc_is_answered_in_http(collector: Kept) -> None:
    """405 for another method, 415 for another content type."""
    with Connection(collector.grpc_port) as connection:
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, head(method="GET")))
        assert coded("405") in connection.first(HEADERS, 1).payload
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, head(content_type="text/html")))
        assert coded("415") in connection.first(HEADERS, 3).payload
    collector.still_serves()


def test_each_request_is_looked_at_by_its_own_key() -> None:
    """What requests of one connection share is never one another's key."""
    keys = ["open sesame", "wrong", "open sesame", "", "open sesame", "open sesame"]
    with (
        serving(ScriptedDoor(), TokenAccess("open sesame")) as served,
        Connection(served.grpc_port) as connection,
    ):
        for number, key in enumerate(keys):
            connection.request(2 * number + 1, message(PAYLOAD), **({"x_api_key": key} if key else {}))
        ends = {each.stream: each.kind for each in connection.many(4, DATA)}
        assert sorted(ends) == [2 * number + 1 for number, key in enumerate(keys) if key == "open sesame"]
        assert served.refused("otlp_grpc", "unauthenticated") == 2


def test_a_stop_ends_within_its_time_whatever_senders_do() -> None:
    """An idle connection, half a request, and an answer that never comes hold up nothing for longer."""
    door = ScriptedDoor(hold=True)
    with serving(door, shutdown_seconds=0.5) as served:
        with (
            Connection(served.grpc_port) as idle,
            Connection(served.grpc_port) as half,
            Connection(served.grpc_port) as waiting,
        ):
            half.send(frame(HEADERS, END_HEADERS, 1, head()) + frame(DATA, 0, 1, b"\x00"))
            waiting.request(1, message(PAYLOAD))
            assert door.entered.wait(30)
            served.loop.run(served.grpc_receiver.stop())
            assert all(connection.closed() for connection in (idle, half, waiting))
            door.release.set()
        served.loop.run(served.grpc_receiver.stop())
