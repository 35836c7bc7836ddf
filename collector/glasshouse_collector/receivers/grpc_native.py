"""OTLP over gRPC through the native server, from the distribution `glasshouse-otlp-grpc`.

HTTP/2, framing, limits and decompression are its own thread's business, without the interpreter's
lock. Here requests arrive many at a time, and so do their answers leave: what a request costs in
Python is the door, and a task.
"""

import asyncio
import resource
from collections.abc import Callable
from typing import ClassVar, Literal, TypeAlias

import glasshouse_otlp_grpc
from glasshouse_collector.core import tls_handshake
from glasshouse_collector.core.access import NO_KEY, Caller, Scope
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.errors import ConfigurationError, Unauthenticated
from glasshouse_collector.core.tls import Credentials, TlsConfig
from glasshouse_collector.core.tls_handshake import REASON, FailedHandshakes
from glasshouse_collector.receivers.answers import shorten, status_protobuf, success_protobuf
from glasshouse_collector.receivers.grpc_serving import (
    EXPORTS,
    HEALTH_CHECK,
    SERVING,
    TRANSPORT,
    UNKNOWN,
    Desk,
    OtlpGrpcConfig,
)
from glasshouse_collector.receivers.listening import cannot_listen, listen
from glasshouse_collector.receivers.refusals import refusal_of

_BACKLOG = 1024
_TAKEN_AT_ONCE = 256
"""Requests taken before the loop does anything else."""
_MOST_CONNECTIONS = 10_000

_NOBODY = Unauthenticated(NO_KEY)

_METHODS: dict[str, RequestKind | None] = {**EXPORTS, HEALTH_CHECK: None}


_Native: TypeAlias = "glasshouse_otlp_grpc.Server[RequestKind | None]"


class NativeServer:
    """Serves through the native extension, which lets other threads run meanwhile."""

    name: ClassVar[Literal["native", "grpcio"]] = "native"

    def __init__(self, config: OtlpGrpcConfig, desk: Desk) -> None:
        self._config = config
        self._accept = desk.door.accept
        self._admit = desk.authenticator.admit
        self._refused = desk.refused
        self._files = desk.tls
        self._tls: glasshouse_otlp_grpc.Tls | None = None
        self._handshakes = FailedHandshakes(TRANSPORT)
        self._server: _Native | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._exporting: dict[int, asyncio.Task[None]] = {}
        self._succeeded: list[int] = []

    async def start(self) -> int:
        """Listen, and return the port. Raises `ConfigurationError` where the address cannot be had."""
        config = self._config
        if self._files is not None:
            await self._files.use(self._get_ready)
        listeners, port = _listeners(config.host, config.port)
        server = glasshouse_otlp_grpc.Server(
            listeners,
            _METHODS,
            max_message_bytes=config.max_request_bytes,
            max_unfinished_bytes=config.max_unfinished_bytes,
            body_seconds=config.body_seconds,
            max_connections=_connections_at_most(),
            tls=self._tls,
        )
        loop = asyncio.get_running_loop()
        loop.add_reader(server.fileno(), self._take, server, loop)
        self._server, self._loop = server, loop
        return port

    async def stop(self) -> None:
        """Accept no more, finish what was accepted within `shutdown_seconds`. Safe repeatedly."""
        if self._files is not None:
            await self._files.leave(self._get_ready)
        if self._server is None or self._loop is None:
            return
        await asyncio.to_thread(self._server.stop, self._config.shutdown_seconds)
        self._loop.remove_reader(self._server.fileno())
        self._count_refused(self._server)

    def _get_ready(self, credentials: Credentials) -> Callable[[], None]:
        try:
            tls = glasshouse_otlp_grpc.Tls(
                credentials.certificates,
                credentials.key,
                credentials.client_ca,
                oldest=credentials.config.min_version,
                handshake_seconds=tls_handshake.SECONDS,
            )
        except ValueError as refused:
            raise ConfigurationError(_not_taken(credentials.config, str(refused))) from None

        def take() -> None:
            self._tls = tls
            if self._server is not None:
                self._server.set_tls(tls)

        return take

    def _take(
        self,
        server: _Native,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Begin what waits; who sends the same metadata in one go is looked at once."""
        looked_at: dict[str, str] | None = None
        caller: Caller | Exception = _NOBODY
        for token, kind, metadata, payload in server.take(_TAKEN_AT_ONCE):
            if kind is None:
                server.answer(token, SERVING)
                continue
            if metadata is not looked_at:
                looked_at, caller = metadata, self._look_at(metadata)
            if isinstance(caller, Exception):
                self._refuse(token, caller, server, (kind, ""))
            else:
                export = self._export(token, kind, payload, caller, server)
                self._exporting[token] = loop.create_task(export, name=TRANSPORT)
        self._count_refused(server)

    def _look_at(self, metadata: dict[str, str]) -> Caller | Exception:
        """Return the sender, or why there is none."""
        try:
            return self._admit(metadata, Scope.INGEST)
        except Exception as fault:  # noqa: BLE001  (whatever happens, the sender gets an answer)
            return fault

    async def _export(
        self,
        token: int,
        kind: RequestKind,
        payload: bytes,
        caller: Caller,
        server: _Native,
    ) -> None:
        try:
            accepted = await self._accept(kind, payload, caller.project, transport=TRANSPORT, key=caller.key)
        except Exception as fault:  # noqa: BLE001  (whatever happens, the sender gets an answer)
            self._refuse(token, fault, server, (kind, caller.project))
        else:
            if accepted.message or accepted.rejected:
                server.answer(token, success_protobuf(accepted))
            else:
                self._succeed(token, server)
        finally:
            del self._exporting[token]

    def _succeed(self, token: int, server: _Native) -> None:
        """Answer OK, with all that are kept in the same turn of the loop."""
        if not self._succeeded and self._loop is not None:
            self._loop.call_soon(self._send_succeeded, server)
        self._succeeded.append(token)

    def _send_succeeded(self, server: _Native) -> None:
        tokens, self._succeeded = self._succeeded, []
        server.succeed(tokens)

    def _refuse(self, token: int, fault: Exception, server: _Native, whose: tuple[RequestKind, str]) -> None:
        """Answer with why not; `whose` is the request's kind and project, empty where it is not known."""
        refusal = refusal_of(fault)
        self._refused.labels(TRANSPORT, refusal.reason, *whose).inc()
        server.refuse(token, refusal.code.value[0], shorten(refusal.message), status_protobuf(refusal))

    def _count_refused(self, server: _Native) -> None:
        for reason, count in server.refused().items():
            self._refused.labels(TRANSPORT, reason, *UNKNOWN).inc(count)
            if reason == REASON and (failed := server.failed_handshake()):
                self._handshakes.tell(*failed, count)


def _not_taken(config: TlsConfig, refused: str) -> str:
    """Say which of the files the server does not take, though it is in order."""
    argument, _, why = refused.partition(": ")
    files = {"client_ca": ("client_ca_file", config.client_ca_file), "key": ("key_file", config.key_file)}
    setting, path = files.get(argument, ("cert_file", config.cert_file))
    return (
        f"tls.{setting}: {path}: the gRPC server does not take it: {why}; keys of RSA (2048 bits or more), "
        "P-256, P-384 and Ed25519 are known"
    )


def _listeners(host: str, port: int) -> tuple[list[int], int]:
    """Return listening sockets for every address of `host`, and their port."""
    sockets = listen(TRANSPORT, host, port)
    try:
        bound_port: int = sockets[0].getsockname()[1]
        for each in sockets:
            each.listen(_BACKLOG)
    except OSError as reason:  # another program bound the port in the same moment
        for each in sockets:
            each.close()
        raise cannot_listen(TRANSPORT, host, port, reason) from None
    return [each.detach() for each in sockets], bound_port


def _connections_at_most() -> int:
    """Return how many connections may be open, so that files can still be opened."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(_MOST_CONNECTIONS, max(16, soft // 2))
