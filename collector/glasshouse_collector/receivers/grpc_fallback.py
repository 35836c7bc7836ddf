"""OTLP over gRPC through grpcio, where the native server is not installed: several times slower."""

from collections.abc import Awaitable, Callable
from typing import ClassVar, Literal, TypeAlias

import grpc

from glasshouse_collector.core.access import PEER, Scope
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.peers import peer_of_grpc
from glasshouse_collector.core.tls import Credentials
from glasshouse_collector.receivers.answers import (
    SUCCESS_PROTOBUF,
    shorten,
    status_protobuf,
    success_protobuf,
)
from glasshouse_collector.receivers.grpc_serving import (
    EXPORTS,
    HEALTH_CHECK,
    SERVING,
    TRANSPORT,
    Desk,
    OtlpGrpcConfig,
)
from glasshouse_collector.receivers.listening import cannot_listen, why_not
from glasshouse_collector.receivers.refusals import refusal_of

_OLDEST_TLS = "1.2"

Context = grpc.aio.ServicerContext[bytes, bytes]
Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes] | None"
Method = Callable[[bytes, Context], Awaitable[bytes]]


class _Methods(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Finds a method by one look-up, and hands it raw bytes."""

    def __init__(self, methods: dict[str, Method]) -> None:
        self._handlers = {
            path: grpc.unary_unary_rpc_method_handler(method) for path, method in methods.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        return self._handlers.get(handler_call_details.method)


class GrpcioServer:
    """Serves through grpcio's asyncio server, one task a request.

    It knows no bound of all requests' bytes together, and no time for one to arrive; handshakes of TLS
    that fail are counted nowhere.
    """

    name: ClassVar[Literal["native", "grpcio"]] = "grpcio"

    def __init__(self, config: OtlpGrpcConfig, desk: Desk) -> None:
        self._config = config
        self._desk = desk
        self._certificate: grpc.ServerCertificateConfiguration | None = None
        self._server: grpc.aio.Server | None = None

    async def start(self) -> int:
        """Listen, and return the port. Raises `ConfigurationError` where the address cannot be had."""
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
        exports = {path: self._export(kind) for path, kind in EXPORTS.items()}
        server.add_generic_rpc_handlers((_Methods({**exports, HEALTH_CHECK: _check_health}),))
        if self._desk.tls is not None:
            await self._desk.tls.use(self._get_ready)
        port = self._bind(server)
        await server.start()
        self._server = server
        return port

    async def stop(self) -> None:
        """Accept no more, finish what was accepted within `shutdown_seconds`. Safe repeatedly."""
        if self._desk.tls is not None:
            await self._desk.tls.leave(self._get_ready)
        if self._server is not None:
            await self._server.stop(self._config.shutdown_seconds)

    def _bind(self, server: grpc.aio.Server) -> int:
        host, port, tls = self._config.host, self._config.port, self._config.tls
        certificate = self._certificate
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if tls is None or certificate is None:
                return server.add_insecure_port(address)
            credentials = grpc.dynamic_ssl_server_credentials(
                certificate,
                lambda: self._certificate or certificate,  # at each handshake, in a thread of gRPC's
                require_client_authentication=tls.client_ca_file is not None,
            )
            return server.add_secure_port(address, credentials)
        except RuntimeError:  # gRPC does not say why, the socket does
            raise cannot_listen(TRANSPORT, host, port, why_not(host, port)) from None

    def _get_ready(self, credentials: Credentials) -> Callable[[], None]:
        if credentials.config.min_version != _OLDEST_TLS:
            raise ConfigurationError(
                f"tls.min_version: grpcio, which serves here, knows no other than {_OLDEST_TLS}; set that, "
                "or install glasshouse-otlp-grpc"
            )
        certificate = grpc.ssl_server_certificate_configuration(
            [(credentials.key, credentials.certificates)], credentials.client_ca
        )

        def take() -> None:
            self._certificate = certificate

        return take

    def _export(self, kind: RequestKind) -> Method:
        admit, door = self._desk.authenticator.admit, self._desk.door

        async def export(payload: bytes, context: Context) -> bytes:
            project = ""
            try:
                caller = admit(_headers(context), Scope.INGEST)
                project = caller.project
                accepted = await door.accept(kind, payload, project, transport=TRANSPORT, key=caller.key)
            except Exception as fault:  # noqa: BLE001  (whatever happens, the sender gets an answer)
                return await self._refuse(fault, context, (kind, project))
            return success_protobuf(accepted) if accepted.message or accepted.rejected else SUCCESS_PROTOBUF

        return export

    async def _refuse(self, fault: Exception, context: Context, whose: tuple[RequestKind, str]) -> bytes:
        """Answer with why not; `whose` is the request's kind and project, empty where it is not known."""
        refusal = refusal_of(fault)
        self._desk.refused.labels(TRANSPORT, refusal.reason, *whose).inc()
        context.set_code(refusal.code)
        context.set_details(shorten(refusal.message))
        context.set_trailing_metadata((("grpc-status-details-bin", status_protobuf(refusal)),))
        return b""


def _headers(context: Context) -> dict[str, str]:
    metadata = context.invocation_metadata() or ()
    headers = {key: value for key, value in metadata if isinstance(value, str)}
    headers[PEER] = peer_of_grpc(context.peer())
    return headers


async def _check_health(request: bytes, context: Context) -> bytes:
    del request, context
    return SERVING
