"""HTTP connections that are slow, endless, broken or cut off, and starting and stopping."""

import asyncio
import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import orjson
import pytest
from tests.receivers.conftest import Kept, ScriptedDoor, Served, poll, serving, traces

from glasshouse_collector.core.access import Authenticator, OpenAccess
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.http_connections import LimitedConnection
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.receivers import otlp_http
from glasshouse_collector.receivers.otlp_http import OtlpHttpConfig, OtlpHttpReceiver
from glasshouse_collector.receivers.otlp_http_app import OtlpHttpApp

TRACES = RequestKind.TRACES
PAYLOAD = traces("GET /").SerializeToString()
HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
REQUEST = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(PAYLOAD), PAYLOAD)
OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def connected(served: Served) -> Iterator[socket.socket]:
    """Open a connection of one's own."""
    with socket.create_connection(("127.0.0.1", served.http_receiver.bound_port), timeout=60) as connection:
        yield connection


def protocols(served: Served) -> list[LimitedConnection]:
    """Return the server's side of the connections."""
    server = served.http_receiver._server
    assert server is not None
    return [one for one in server.server_state.connections if isinstance(one, LimitedConnection)]


def received(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def test_a_body_that_does_not_arrive_is_408() -> None:
    """Whether it never begins or stops in the middle; the connection ends."""
    with serving(ScriptedDoor(), http_body_seconds=0.2) as served:
        for beginning in (b"", b"\x0a"):
            with connected(served) as connection:
                connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n" + beginning)
                assert received(connection).startswith(b"HTTP/1.1 408 ")
        assert served.refused("otlp_http", "slow") == 2


def test_a_head_that_does_not_arrive_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether nothing comes, or half a head, or half a head after a request."""
    monkeypatch.setattr(otlp_http, "_HEAD_SECONDS", 0.2)
    with serving(ScriptedDoor()) as served:
        for beginning in (b"", HEAD, REQUEST + HEAD):
            with connected(served) as connection:
                connection.sendall(beginning)
                assert received(connection).count(OK) == beginning.count(REQUEST)
        assert served.refused("otlp_http", "slow") == 3


def test_a_head_without_end_is_431(collector: Kept) -> None:
    """Memory does not grow with what one connection says of itself."""
    with connected(collector) as connection:
        connection.sendall(HEAD + b"X: ")
        poll(lambda: any(protocol._in_head for protocol in protocols(collector)))
        connection.sendall(b"x" * (64 * 1024 + 1))
        assert received(connection).startswith(b"HTTP/1.1 431 ")


def test_a_sender_that_leaves_is_counted_and_nothing_kept(collector: Kept) -> None:
    """Half a request is no request."""
    before = collector.refused("otlp_http", "disconnected")
    with connected(collector) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n" + PAYLOAD[:10])
    poll(lambda: collector.refused("otlp_http", "disconnected") == before + 1)
    assert not collector.kept()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["tls", "http2", "negative length", "two lengths"],
)
def test_what_is_no_http_is_400(collector: Kept, garbage: bytes) -> None:
    """A TLS or HTTP/2 client on this port, or a smuggler, is told so in a status, and not logged."""
    with connected(collector) as connection:
        connection.sendall(garbage)
        head, _, body = received(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert orjson.loads(body)["code"] == 3


def test_who_asks_before_sending_is_refused_before_sending(collector: Kept) -> None:
    """With Expect: 100-continue nothing of the body crosses the wire."""
    with connected(collector) as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 100000000\r\n\r\n")
        assert received(connection).startswith(b"HTTP/1.1 413 ")


def test_who_asks_before_sending_is_told_to_go_on(collector: Kept) -> None:
    """And then answered."""
    with connected(collector) as connection:
        head = HEAD + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        connection.sendall(head % len(PAYLOAD))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(PAYLOAD)
        assert received(connection).startswith(OK)
    assert len(collector.kept()) == 1


def test_a_refused_body_is_read_on_so_that_the_answer_arrives() -> None:
    """A sender that reads only after it has sent finds its answer, and may use the connection again."""
    with serving(ScriptedDoor(), max_request_bytes=1_000_000) as served, connected(served) as connection:
        connection.sendall(HEAD + b"Content-Length: 1500000\r\n\r\n" + bytes(1_000_000))
        connection.sendall(bytes(500_000))
        connection.sendall(REQUEST.replace(b"Host: x", b"Connection: close"))
        answers = received(connection)
    assert answers.startswith(b"HTTP/1.1 413 ")
    assert answers.count(OK) == 1


def test_a_refused_body_is_not_read_on_for_ever() -> None:
    """Beyond as much again as a request may have, the connection is cut."""
    with serving(ScriptedDoor(), max_request_bytes=100_000) as served, connected(served) as connection:
        connection.sendall(HEAD + b"Content-Length: 100000000\r\n\r\n")
        with pytest.raises(OSError, match=r"reset|pipe"):
            connection.sendall(bytes(100_000_000))


def test_a_refused_body_that_stops_ends_the_connection() -> None:
    """It holds nothing, but it shall not stay either."""
    limited = serving(ScriptedDoor(), max_request_bytes=100_000, http_body_seconds=0.2)
    with limited as served, connected(served) as connection:
        connection.sendall(HEAD + b"Content-Length: 100001\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")
        connection.sendall(b"x")
        assert b"HTTP/" not in received(connection)


def test_requests_in_a_row_are_answered_in_a_row(collector: Kept) -> None:
    """A sender need not wait for one answer before it sends the next request."""
    with connected(collector) as connection:
        connection.sendall(REQUEST * 20 + REQUEST.replace(b"Host: x", b"Connection: close"))
        assert received(connection).count(OK) == 21
    assert len(collector.kept()) == 21


def test_too_many_unfinished_requests_are_told_to_come_back() -> None:
    """However many connections send, what is held of their bodies stays bounded."""
    with serving(ScriptedDoor(), http_max_unfinished_bytes=300_000) as served, connected(served) as first:
        first.sendall(HEAD + b"Content-Length: 250000\r\n\r\n" + bytes(200_000))
        poll(lambda: held_bytes(served) == 200_000)
        assert _is_overload(served.post(TRACES, bytes(200_000)))
        assert _is_overload(served.post(TRACES, gzip.compress(bytes(200_000)), content_encoding="gzip"))
        first.sendall(bytes(50_000))
        assert first.recv(1000).startswith(OK)
        poll(lambda: held_bytes(served) == 0)
        assert served.post(TRACES, bytes(200_000)).status_code == 200


def test_one_request_alone_is_never_too_many() -> None:
    """A limit on all of them that is below the limit on one would refuse it for ever."""
    with serving(ScriptedDoor(), http_max_unfinished_bytes=1024) as served:
        assert served.post(TRACES, bytes(200_000)).status_code == 200
        assert served.post(TRACES, gzip.compress(bytes(9_000)), content_encoding="gzip").status_code == 200


def held_bytes(served: Served) -> int:
    """Return what all unfinished requests hold."""
    server = served.http_receiver._server
    assert server is not None
    assert isinstance(server.config.app, OtlpHttpApp)
    return server.config.app._unfinished.held_bytes


def _is_overload(response: httpx.Response) -> bool:
    return response.status_code == 503 and response.headers["retry-after"] == "1"


def test_a_stop_finishes_what_has_begun_and_takes_nothing_new() -> None:
    """A request in the door's hands gets its answer; idle connections are closed, new ones refused."""
    door = ScriptedDoor(hold=True)
    with serving(door) as served, connected(served) as idle, connected(served) as busy:
        busy.sendall(REQUEST)
        assert door.entered.wait(30)
        stop = asyncio.run_coroutine_threadsafe(served.http_receiver.stop(), served.loop._loop)
        assert received(idle) == b""
        with pytest.raises(ConnectionRefusedError), connected(served):
            pass
        assert not stop.done()
        door.release.set()
        answer = received(busy)
        assert answer.startswith(OK)
        assert b"connection: close" in answer
        stop.result(30)


def test_a_stop_does_not_wait_for_ever() -> None:
    """A sender that stays in the middle of its body is cut off when the time is over."""
    with serving(ScriptedDoor(), http_shutdown_seconds=0) as served, connected(served) as stuck:
        stuck.sendall(HEAD + b"Content-Length: 100\r\n\r\n")
        poll(lambda: bool(served.http_receiver._server and served.http_receiver._server.server_state.tasks))
        served.loop.run(served.http_receiver.stop())
        assert received(stuck).startswith(b"HTTP/1.1 503 ")


def receiver(**config: object) -> OtlpHttpReceiver:
    """Return one that has not started."""
    services = Services()
    services.provide(Metrics, Metrics())
    services.provide(Authenticator, OpenAccess())  # type: ignore[type-abstract]
    return OtlpHttpReceiver(OtlpHttpConfig.model_validate(config), services)


def test_a_taken_port_is_named_with_its_setting() -> None:
    """The user reads what to change; another collector's port is taken like any other."""
    with serving(ScriptedDoor()) as served:
        port = served.http_receiver.bound_port
        with pytest.raises(
            ConfigurationError, match=rf"receivers\.otlp_http\.port: 127\.0\.0\.1:{port} is taken"
        ):
            asyncio.run(receiver(port=port).start(ScriptedDoor()))


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_named_with_its_setting(host: str) -> None:
    """The user reads what to change."""
    with pytest.raises(ConfigurationError, match=rf"receivers\.otlp_http\.host: {host} is no address"):
        asyncio.run(receiver(host=host).start(ScriptedDoor()))


def test_localhost_is_listened_on_in_every_way_it_resolves() -> None:
    """A client that prefers IPv6 finds it on the same port as one that does not."""
    resolved = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)

    async def reach() -> None:
        listening = receiver(host="localhost", port=0)
        await listening.start(ScriptedDoor())
        try:
            for *_, address in resolved:
                _, writer = await asyncio.open_connection(str(address[0]), listening.bound_port)
                writer.close()
                await writer.wait_closed()
        finally:
            await listening.stop()

    asyncio.run(reach())


def test_signals_are_left_to_who_runs_the_process() -> None:
    """A collector in the main thread keeps its own handlers."""
    import signal  # noqa: PLC0415

    async def handler_while_listening() -> object:
        listening = receiver(port=0)
        await listening.start(ScriptedDoor())
        await listening.stop()
        await listening.stop()
        return signal.getsignal(signal.SIGTERM)

    assert threading.current_thread() is threading.main_thread()
    assert asyncio.run(handler_while_listening()) is signal.getsignal(signal.SIGTERM)
