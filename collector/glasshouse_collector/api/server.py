"""The API's server: one uvicorn in the collector's own event loop."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from glasshouse_collector.api.config import ApiConfig
from glasshouse_collector.api.problems import MEDIA_TYPE, problem_response
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.http_connections import ConnectionLimits, limited
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.tls_files import tls_files
from glasshouse_collector.core.tls_handshake import TlsConnections

_GRACE_SECONDS = 5
_HEAD_SECONDS = 20.0


class _Server(uvicorn.Server):
    """A uvicorn that leaves the process's signals to the collector."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ApiServer:
    """Serves the API on `host` and `port`.

    `stop` accepts no more, ends streams, lets running requests finish for a few seconds and then cuts
    them; it is safe without `start`, and repeatedly.
    """

    def __init__(self, app: FastAPI, config: ApiConfig, services: Services | None = None) -> None:
        """Take what is needed; the collector's `services` are for TLS, and to count what is refused."""
        self._app = app
        self._config = config
        self._refused = _metrics(services).refused_requests
        self._tls = _tls(config, services or Services())
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._bound_port = 0

    @property
    def bound_port(self) -> int:
        """The port that is listened on; 0 before `start`."""
        return self._bound_port

    async def start(self) -> None:
        """Listen; return once requests are answered. Raises `ConfigurationError`."""
        configured = self._uvicorn_config()
        if self._tls is not None:
            await self._tls.open()
            configured.http_protocol_class = self._tls.before(configured.http_protocol_class)  # type: ignore[assignment]
        listener = await _bind(self._config.host, self._config.port)
        self._bound_port = listener.getsockname()[1]
        server = _Server(configured)
        serving = asyncio.create_task(server.serve([listener]), name="api")
        self._server, self._serving = server, serving
        while not server.started:
            if serving.done():
                listener.close()
                await serving
                raise ConfigurationError("api: the server ended while it started; the log says why")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Stop serving."""
        if self._server is None or self._serving is None:
            return
        self._app.state.streams.end()
        self._server.should_exit = True
        if self._tls is not None:
            await self._tls.close()
        await self._serving
        self._server = self._serving = None
        self._bound_port = 0

    def _uvicorn_config(self) -> uvicorn.Config:
        limits = ConnectionLimits(_HEAD_SECONDS, self._config.body_seconds, self._config.max_body_bytes)
        configured = uvicorn.Config(
            self._app,
            http=limited("api", limits, self._refused, _no_http),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        configured.load()
        return configured


def _tls(config: ApiConfig, services: Services) -> TlsConnections | None:
    if config.tls is None:
        return None
    refused = services.get(Metrics).refused_requests
    return TlsConnections(tls_files(config.tls, services), "api", refused)


def _no_http(status: int, message: str) -> tuple[bytes, bytes]:
    return MEDIA_TYPE.encode(), bytes(problem_response(status, message).body)


def _metrics(services: Services | None) -> Metrics:
    return services.get(Metrics) if services else Metrics()


async def _bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address, not yet listening."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as unknown:
        raise ConfigurationError(
            f"host: {host!r} is no address of this machine ({unknown.strerror}); "
            "write one such as 127.0.0.1, or 0.0.0.0 for all"
        ) from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Listening already here makes a second bind with SO_REUSEADDR fail now and not later.
        listener.listen(socket.SOMAXCONN)
        listener.setblocking(False)
    except OSError as refused:
        listener.close()
        raise ConfigurationError(_why_not(refused, host, port)) from None
    return listener


def _why_not(refused: OSError, host: str, port: int) -> str:
    if refused.errno == errno.EADDRINUSE:
        return f"port: {port} is taken on {host}; stop what listens there or set another port"
    if refused.errno == errno.EACCES:
        return f"port: {port} may not be used by this user; set a port of 1024 or above"
    if refused.errno == errno.EADDRNOTAVAIL:
        return f"host: {host!r} is no address of this machine; write one such as 127.0.0.1"
    return f"port: cannot listen on {host}:{port}: {refused.strerror}"
