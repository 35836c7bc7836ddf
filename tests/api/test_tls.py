"""The API over TLS: the same server, behind a handshake."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from glasshouse_collector.api import ApiConfig, ApiServer, create_app
from glasshouse_collector.core import tls_handshake
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.tls import TlsConfig
from tls_certificates import DAY, Authority, Issued

LARGE = 8 << 20


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority of the test's own."""
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Issued:
    """Return the API's certificate."""
    return authority.issue("server")


@asynccontextmanager
async def served(app: FastAPI, services: Services, config: TlsConfig) -> AsyncIterator[ApiServer]:
    """Serve an app over TLS for a while."""
    api = ApiServer(app, ApiConfig(port=0, tls=config), services)
    try:
        await api.start()
        yield api
    finally:
        await api.stop()


def settings(server: Issued, client_ca: Path | None = None) -> TlsConfig:
    """Return what a user writes."""
    return TlsConfig(cert_file=server.cert_file, key_file=server.key_file, client_ca_file=client_ca)


def trusting(authority: Authority, api: ApiServer, client: Issued | None = None) -> httpx.AsyncClient:
    """Return a client of the API."""
    context = ssl.create_default_context(cafile=authority.file)
    if client is not None:
        context.load_cert_chain(client.cert_file, client.key_file)
    return httpx.AsyncClient(base_url=f"https://localhost:{api.bound_port}", verify=context, timeout=60)


def refused(services: Services) -> float:
    """Return how many handshakes failed."""
    labels = {"transport": "api", "reason": "tls_handshake", "kind": "", "project": ""}
    return services.get(Metrics).registry.get_sample_value("glasshouse_refused_requests_total", labels) or 0


def test_it_answers_over_tls_alone(services: Services, authority: Authority, server: Issued) -> None:
    """Who speaks plain HTTP is told so, and counted; who does not trust the certificate leaves."""

    async def scenario() -> None:
        async with served(create_app(services), services, settings(server)) as api:
            async with trusting(authority, api) as client:
                assert (await client.get("/live")).status_code == 200
            async with httpx.AsyncClient(base_url=f"http://localhost:{api.bound_port}", timeout=60) as plain:
                answer = await plain.get("/live")
                assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain")
                assert answer.text == "this port speaks TLS: write https:// instead of http://\n"
            assert refused(services) == 1
            async with httpx.AsyncClient(timeout=60) as strange:
                with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                    await strange.get(f"https://localhost:{api.bound_port}/live")

    asyncio.run(scenario())


def test_a_client_has_to_show_its_certificate(
    services: Services, authority: Authority, server: Issued
) -> None:
    """Before anything is asked; keys count beside it as they do without."""

    async def scenario() -> None:
        async with served(create_app(services), services, settings(server, authority.file)) as api:
            trust = ssl.create_default_context(cafile=authority.file)
            address = f"https://localhost:{api.bound_port}/live"
            with pytest.raises(httpx.TransportError, match="certificate required"):
                await asyncio.to_thread(httpx.get, address, verify=trust, timeout=60)
            assert refused(services) == 1
            async with trusting(authority, api, authority.issue("client", "client")) as client:
                assert (await client.get("/live")).status_code == 200

    asyncio.run(scenario())


def test_much_goes_both_ways(services: Services, authority: Authority, server: Issued) -> None:
    """On many connections at once, byte for byte; the app sees https, and the client's address."""
    app = create_app(services, ApiConfig(max_body_bytes=LARGE))

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        assert request.client is not None
        told = {"scheme": request.url.scheme, "peer": request.client.host}
        return Response(await request.body(), headers=told)

    async def scenario() -> None:
        bodies = [bytes([number]) * LARGE for number in range(4)]
        async with served(app, services, settings(server)) as api, trusting(authority, api) as client:
            answers = await asyncio.gather(*(client.post("/echo", content=body) for body in bodies))
        assert [answer.content for answer in answers] == bodies
        assert {answer.headers["scheme"] for answer in answers} == {"https"}
        assert {answer.headers["peer"] for answer in answers} <= {"127.0.0.1", "::1"}

    asyncio.run(scenario())


def test_a_request_right_behind_the_handshake_is_answered(
    services: Services, authority: Authority, server: Issued
) -> None:
    """It may come in the same packet, before the server's protocol has the connection."""
    context = ssl.create_default_context(cafile=authority.file)

    def ask(port: int) -> bytes:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    plain.sendall(outgoing.read())
                    incoming.write(plain.recv(1 << 16))
            tls.write(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
            plain.sendall(outgoing.read())  # the handshake's last words, and the request
            answered = b""
            while not answered.endswith(b"}"):
                part = plain.recv(1 << 16)
                assert part
                incoming.write(part)
                with suppress(ssl.SSLWantReadError):
                    while clear := tls.read(1 << 16):
                        answered += clear
            return answered

    async def scenario() -> None:
        async with served(create_app(services), services, settings(server)) as api:
            for _ in range(5):
                assert (await asyncio.to_thread(ask, api.bound_port)).startswith(b"HTTP/1.1 200 ")

    asyncio.run(scenario())


def test_who_never_makes_a_handshake_is_let_go(
    services: Services, authority: Authority, server: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And holds up neither others nor a stop."""
    monkeypatch.setattr(tls_handshake, "SECONDS", 0.2)

    async def scenario() -> None:
        async with served(create_app(services), services, settings(server)) as api:
            idle = [await asyncio.open_connection("127.0.0.1", api.bound_port) for _ in range(20)]
            async with trusting(authority, api) as client:
                assert (await client.get("/live")).status_code == 200
            assert [await reader.read() for reader, _ in idle] == [b""] * 20
            assert refused(services) == 20
            monkeypatch.setattr(tls_handshake, "SECONDS", 3600)
            late, writer = await asyncio.open_connection("127.0.0.1", api.bound_port)
        assert await late.read() == b""
        for each in (writer, *(writer for _, writer in idle)):
            each.close()

    asyncio.run(scenario())


def test_a_wrong_file_is_named(services: Services, authority: Authority, server: Issued) -> None:
    """Also one that changed between the settings and the start; nothing listens then."""
    config = settings(server)
    ended = authority.issue("ended", ends=-DAY / 2)
    server.cert_file.write_bytes(ended.pem)
    server.key_file.write_bytes(ended.key)

    async def scenario() -> None:
        api = ApiServer(create_app(services), ApiConfig(port=0, tls=config), services)
        with pytest.raises(ConfigurationError, match=r"tls\.cert_file: .*server\.pem: the certificate ended"):
            await api.start()
        assert api.bound_port == 0
        await api.stop()

    asyncio.run(scenario())
