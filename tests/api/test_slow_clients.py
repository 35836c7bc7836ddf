"""Clients of the API that are too slow, speak no HTTP, or are too many."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from glasshouse_collector.api import ApiConfig, create_app, server
from glasshouse_collector.core import http_connections
from glasshouse_collector.core.components import Services
from served_api import serving

HEAD = b"POST /api/v1/sql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"
Connect = Callable[[], socket.socket]


@contextmanager
def connecting(services: Services, config: ApiConfig | None = None) -> Iterator[tuple[str, Connect]]:
    """Serve an API; lends its address, and what connects to it."""
    config = config or ApiConfig(port=0)
    with serving(create_app(services, config), config, services) as url:
        host, _, port = url.removeprefix("http://").rpartition(":")

        def connect() -> socket.socket:
            return socket.create_connection((host, int(port)), timeout=30)

        yield url, connect


def heard(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes; nothing where it cuts the connection."""
    told = b""
    try:
        while part := connection.recv(65536):
            told += part
    except ConnectionResetError:
        pass
    return told


def test_a_body_that_does_not_come_is_refused(services: Services) -> None:
    """After `body_seconds` it is 408 with a reason, and the connection ends."""
    with connecting(services, ApiConfig(port=0, body_seconds=0.2)) as (_, connect), connect() as slow:
        slow.sendall(HEAD + b"{")
        told = heard(slow)
    assert told.startswith(b"HTTP/1.1 408")
    assert b"the body did not arrive within 0.2 seconds" in told


def test_a_head_that_does_not_come_is_cut(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects has to say something whole in time; it is counted."""
    monkeypatch.setattr(server, "_HEAD_SECONDS", 0.2)
    with connecting(services) as (url, connect), connect() as silent, connect() as slow:
        slow.sendall(HEAD[:20])
        assert heard(silent) == heard(slow) == b""
        refused = 'glasshouse_refused_requests_total{kind="",project="",reason="slow",transport="api"} 2.0'
        assert refused in httpx.get(f"{url}/metrics").text


def test_what_is_no_http_is_told_so(services: Services) -> None:
    """With a problem, as everything else is."""
    with connecting(services) as (_, connect), connect() as stranger:
        stranger.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no HTTP\r\n\r\n")
        told = heard(stranger)
    assert told.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in told


def test_one_too_many_ends_the_one_that_is_idle_longest(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes last is answered, and of those who say nothing the first has to go."""
    monkeypatch.setattr(http_connections, "connections_at_most", lambda: 3)
    with connecting(services) as (url, connect), connect() as first, connect() as second:
        with httpx.Client(base_url=url) as client:
            assert client.get("/live").status_code == 200
            with connect() as last:
                assert heard(first) == b""
                last.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert heard(last).startswith(b"HTTP/1.1 200")
            assert client.get("/live").status_code == 200
        second.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert heard(second).startswith(b"HTTP/1.1 200")
