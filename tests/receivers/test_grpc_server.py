"""The extension's own server, by itself: any method, any tag."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from tests.receivers.conftest import poll
from tests.receivers.http2 import PING, PREFACE, SETTINGS, Connection, frame

extension = pytest.importorskip("glasshouse_otlp_grpc", reason="the native gRPC server is not installed")

LIMITS: dict[str, Any] = {
    "max_message_bytes": 1000,
    "max_unfinished_bytes": 100_000,
    "body_seconds": 60,
    "max_connections": 100,
}
ECHO = {"/test.Echo/Echo": "echo", "/test.Echo/Refuse": "refuse"}


@contextmanager
def listening(**limits: Any) -> Iterator[tuple[Any, int]]:
    """Serve on a free port; nobody takes anything yet."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = extension.Server([listener.detach()], ECHO, **(LIMITS | limits))
    try:
        yield server, port
    finally:
        server.stop(0)


def test_requests_are_taken_many_at_a_time_and_answered_in_any_order() -> None:
    """Its descriptor is readable while there are more, and not when all are taken."""
    with listening() as (server, port), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        echo = channel.unary_unary("/test.Echo/Echo", None, None)
        calls = [
            echo.future(str(number).encode(), timeout=60, metadata=(("a", "b"),)) for number in range(10)
        ]
        taken: list[tuple[int, str, dict[str, str], bytes]] = []
        while len(taken) < 10:
            assert select.select([server], [], [], 60)[0]
            batch = server.take(3)
            assert len(batch) <= 3
            taken += batch
        assert not select.select([server], [], [], 0)[0]
        assert server.take(3) == []
        assert {tag for _, tag, _, _ in taken} == {"echo"}
        assert all(metadata["a"] == "b" and "te" not in metadata for _, _, metadata, _ in taken)
        for token, _, _, message in reversed(taken):
            server.answer(token, message * 2)
        assert [call.result() for call in calls] == [str(number).encode() * 2 for number in range(10)]


def test_a_refusal_has_its_code_message_and_details() -> None:
    """A token answers once: what is said of it later goes nowhere."""
    with listening() as (server, port), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/test.Echo/Refuse", None, None).future(b"", timeout=60)
        assert select.select([server], [], [], 60)[0]
        [(token, tag, _, _)] = server.take(3)
        assert tag == "refuse"
        server.refuse(token, 7, "50 % of \u00e9verything\n", b"\x00\xff")
        server.succeed([token, token, 4711])
        assert call.code() is grpc.StatusCode.PERMISSION_DENIED
        assert call.details() == "50 % of \u00e9verything\n"
        assert dict(call.trailing_metadata())["grpc-status-details-bin"] == b"\x00\xff"


def test_connections_beyond_the_most_wait() -> None:
    """They are served when others have gone."""
    with (
        listening(max_connections=1) as (_, port),
        Connection(port) as first,
        socket.create_connection(("127.0.0.1", port), timeout=60) as second,
    ):
        second.sendall(PREFACE + frame(SETTINGS, 0, 0))
        first.send(frame(PING, 0, 0, b"8 octets"))
        assert first.first(PING)
        assert not select.select([second], [], [], 0)[0]
        first.close()
        assert second.recv(9)[3] == SETTINGS


def test_refusals_are_counted_once() -> None:
    """Each call returns those since the last."""
    with listening() as (server, port), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for path, message in (("/test.Echo/Other", b""), ("/test.Echo/Echo", bytes(1001))):
            with pytest.raises(grpc.RpcError):
                channel.unary_unary(path, None, None)(message, timeout=60)
        counted: dict[str, int] = {}
        poll(lambda: bool(counted.update(server.refused()) or len(counted) == 2))
        assert counted == {"not_found": 1, "too_large": 1}
        assert server.refused() == {}


def test_a_stop_is_repeatable_and_frees_the_port() -> None:
    """What is asked of a stopped server does nothing."""
    with listening() as (server, port):
        server.stop(1)
        server.stop(1)
        server.succeed([1])
        assert server.take(3) == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=60)


@pytest.mark.parametrize(
    "wrong", [{"body_seconds": -1}, {"body_seconds": float("-inf")}, {"listeners": [-1]}]
)
def test_what_makes_no_sense_is_a_value_error(wrong: dict[str, Any]) -> None:
    """Nothing is started then."""
    arguments = {"listeners": [], "methods": ECHO} | LIMITS | wrong
    with pytest.raises(ValueError, match=r"number of seconds|file descriptor"):
        extension.Server(**arguments)
