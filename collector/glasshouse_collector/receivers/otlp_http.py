"""Receives OTLP over HTTP, in protobuf and in JSON: one lean ASGI application under uvicorn."""

import asyncio
import contextlib
import math
import socket
from collections.abc import Generator
from typing import ClassVar

import uvicorn
from grpc import StatusCode
from pydantic import Field

from glasshouse_collector.codec import MOST_BYTES
from glasshouse_collector.core.access import Authenticator
from glasshouse_collector.core.components import ComponentConfig, Door, Services
from glasshouse_collector.core.http_connections import ConnectionLimits, limited
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.tls import TlsConfig
from glasshouse_collector.core.tls_files import tls_files
from glasshouse_collector.core.tls_handshake import TlsConnections
from glasshouse_collector.receivers.answers import status_json
from glasshouse_collector.receivers.cors import CrossOrigin
from glasshouse_collector.receivers.listening import listen
from glasshouse_collector.receivers.otlp_http_app import JSON, TRANSPORT, HttpLimits, OtlpHttpApp
from glasshouse_collector.receivers.refusals import Refusal

_KEEP_ALIVE_SECONDS = 150
"""Above the export interval of metrics (60 s): a connection closed just as its next request comes
is a failed export."""
_HEAD_SECONDS = 20.0
_THROWN_AWAY = 4
"""Times a request's greatest size that a sender may send on after a refusal, to see its answer."""


class OtlpHttpConfig(ComponentConfig):
    """Where to listen for OTLP over HTTP, and how much to take at once."""

    host: str = "127.0.0.1"
    port: int = Field(default=4318, ge=0, le=65535)
    """0 takes any free port."""
    max_request_bytes: int = Field(default=64 * 1024 * 1024, ge=1024, le=MOST_BYTES)
    """Of one request, as sent and again after decompression."""
    max_unfinished_bytes: int = Field(default=512 * 1024 * 1024, ge=1024)
    """Of all requests that are being read or answered; senders beyond it are told to come back."""
    body_seconds: float = Field(default=60.0, gt=0)
    """How long a request's body may take to arrive."""
    cors_allowed_origins: tuple[str, ...] = ()
    """Origins whose pages may send from a browser, as `https://shop.example`; `*` stands for any part."""
    shutdown_seconds: float = Field(default=10.0, ge=0)
    """How long a stop waits for the requests that have begun."""
    tls: TlsConfig | None = None
    """Where set, HTTPS is spoken, and nothing else."""


def _tls(config: OtlpHttpConfig, services: Services) -> TlsConnections | None:
    if config.tls is None:
        return None
    refused = services.get(Metrics).refused_requests
    return TlsConnections(tls_files(config.tls, services), TRANSPORT, refused)


class _Server(uvicorn.Server):
    """Says when it listens, and leaves the process's signals to whoever starts and stops the receiver."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.start_tried = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.start_tried.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class OtlpHttpReceiver:
    """Serves POST /v1/traces, /v1/metrics and /v1/logs. 200 is sent only for what the door has kept."""

    Config: ClassVar[type[ComponentConfig]] = OtlpHttpConfig

    def __init__(self, config: OtlpHttpConfig, services: Services) -> None:
        self._config = config
        self._refused = services.get(Metrics).refused_requests
        self._authenticator = services.get(Authenticator)  # type: ignore[type-abstract]
        self._tls = _tls(config, services)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.bound_port = 0
        """The port listened on, once started."""

    async def start(self, door: Door) -> None:
        """Listen. Raises `ConfigurationError` where the address cannot be had."""
        configured = self._uvicorn_config(self._app(door))
        if self._tls is not None:
            await self._tls.open()
            configured.http_protocol_class = self._tls.before(configured.http_protocol_class)  # type: ignore[assignment]
        sockets = listen(TRANSPORT, self._config.host, self._config.port)
        self.bound_port = sockets[0].getsockname()[1]
        self._server = _Server(configured)
        self._serving = asyncio.create_task(self._server.serve(sockets), name=TRANSPORT)
        await self._server.start_tried.wait()
        if not self._server.started:
            await self._serving  # raises why

    async def stop(self) -> None:
        """Accept no more, finish what was accepted. Safe without `start`, and repeatedly."""
        server, serving = self._server, self._serving
        if self._tls is not None:
            await self._tls.close()
        if server is None or serving is None:
            return
        server.should_exit = True
        await asyncio.shield(serving)
        for connection in list(server.server_state.connections):
            if isinstance(connection.transport, asyncio.Transport):
                connection.transport.abort()

    def _app(self, door: Door) -> OtlpHttpApp:
        config = self._config
        return OtlpHttpApp(
            door,
            self._authenticator,
            self._refused,
            HttpLimits(config.max_request_bytes, config.max_unfinished_bytes, config.body_seconds),
            CrossOrigin(config.cors_allowed_origins),
        )

    def _uvicorn_config(self, app: OtlpHttpApp) -> uvicorn.Config:
        config = self._config
        thrown_away = _THROWN_AWAY * config.max_request_bytes
        limits = ConnectionLimits(_HEAD_SECONDS, config.body_seconds, thrown_away)
        configured = uvicorn.Config(
            app,
            http=limited(TRANSPORT, limits, self._refused, _no_http),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=math.ceil(config.shutdown_seconds),
        )
        configured.load()
        return configured


def _no_http(status: int, message: str) -> tuple[bytes, bytes]:
    refusal = Refusal("no_http", StatusCode.INVALID_ARGUMENT, status, message)
    return JSON.encode(), status_json(refusal)
