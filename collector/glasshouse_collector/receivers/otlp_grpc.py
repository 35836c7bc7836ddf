"""Receives OTLP over gRPC: raw bytes in, the journal's word out.

A request is never turned into message objects here, and the answer to one without fault is a
constant. Source: the OTLP 1.11 specification, "OTLP/gRPC".
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar, TypeAlias

import grpc
from pydantic import Field

from glasshouse_collector.codec import MOST_BYTES
from glasshouse_collector.core.access import Authenticator
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.components import ComponentConfig, Door, Services
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.receivers.answers import (
    SUCCESS_PROTOBUF,
    shorten,
    status_protobuf,
    success_protobuf,
)
from glasshouse_collector.receivers.listening import cannot_listen, why_not
from glasshouse_collector.receivers.refusals import refusal_of

TRANSPORT = "otlp_grpc"

_SERVICES = {
    RequestKind.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    RequestKind.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    RequestKind.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
_SERVING = b"\x08\x01"
"""A `grpc.health.v1.HealthCheckResponse` of status SERVING."""

Context = grpc.aio.ServicerContext[bytes, bytes]
Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes] | None"
Method = Callable[[bytes, Context], Awaitable[bytes]]


class OtlpGrpcConfig(ComponentConfig):
    """Where to listen for OTLP over gRPC, and how much to take at once."""

    host: str = "127.0.0.1"
    port: int = Field(default=4317, ge=0, le=65535)
    """0 takes any free port."""
    max_request_bytes: int = Field(default=64 * 1024 * 1024, ge=1024, le=MOST_BYTES)
    """Of one request, as sent and again after decompression."""
    shutdown_seconds: float = Field(default=10.0, ge=0)
    """How long a stop waits for the requests that have begun."""


class _Methods(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Finds a method by one look-up, and hands it raw bytes."""

    def __init__(self, methods: dict[str, Method]) -> None:
        self._handlers = {
            path: grpc.unary_unary_rpc_method_handler(method) for path, method in methods.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        return self._handlers.get(handler_call_details.method)


class OtlpGrpcReceiver:
    """Serves the three OTLP export services. OK is sent only for what the door has kept."""

    Config: ClassVar[type[ComponentConfig]] = OtlpGrpcConfig

    def __init__(self, config: OtlpGrpcConfig, services: Services) -> None:
        self._config = config
        self._refused = services.get(Metrics).refused_requests
        self._authenticator = services.get(Authenticator)  # type: ignore[type-abstract]
        self._server: grpc.aio.Server | None = None
        self.bound_port = 0
        """The port listened on, once started."""

    async def start(self, door: Door) -> None:
        """Listen. Raises `ConfigurationError` where the address cannot be had."""
        server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 0),  # a second collector on the port must fail, not share it
                ("grpc.max_receive_message_length", self._config.max_request_bytes),
                ("grpc.max_send_message_length", 4 * 1024 * 1024),
                # SDKs that keep idle connections alive must not be sent away for it
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
            ]
        )
        server.add_generic_rpc_handlers((_Methods(self._methods(door)),))
        self.bound_port = self._bind(server)
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Accept no more, finish what was accepted. Safe without `start`, and repeatedly."""
        if self._server is not None:
            await self._server.stop(self._config.shutdown_seconds)

    def _bind(self, server: grpc.aio.Server) -> int:
        host, port = self._config.host, self._config.port
        try:
            return server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except RuntimeError:  # gRPC does not say why, the socket does
            raise cannot_listen(TRANSPORT, host, port, why_not(host, port)) from None

    def _methods(self, door: Door) -> dict[str, Method]:
        exports = {f"/{service}/Export": self._export(kind, door) for kind, service in _SERVICES.items()}
        return {**exports, "/grpc.health.v1.Health/Check": _check_health}

    def _export(self, kind: RequestKind, door: Door) -> Method:
        project_of = self._authenticator.project_of

        async def export(payload: bytes, context: Context) -> bytes:
            try:
                project = project_of(_headers(context))
                accepted = await door.accept(kind, payload, project, transport=TRANSPORT)
            except Exception as fault:  # noqa: BLE001  (whatever happens, the sender gets an answer)
                return await self._refuse(fault, context)
            return success_protobuf(accepted) if accepted.message or accepted.rejected else SUCCESS_PROTOBUF

        return export

    async def _refuse(self, fault: Exception, context: Context) -> bytes:
        refusal = refusal_of(fault)
        self._refused.labels(TRANSPORT, refusal.reason).inc()
        context.set_code(refusal.code)
        context.set_details(shorten(refusal.message))
        context.set_trailing_metadata((("grpc-status-details-bin", status_protobuf(refusal)),))
        return b""


def _headers(context: Context) -> dict[str, str]:
    metadata = context.invocation_metadata() or ()
    return {key: value for key, value in metadata if isinstance(value, str)}


async def _check_health(request: bytes, context: Context) -> bytes:
    del request, context
    return _SERVING
