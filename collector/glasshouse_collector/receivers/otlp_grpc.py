"""Receives OTLP over gRPC: raw bytes in, the journal's word out.

A request is never turned into message objects here, and the answer to one without fault is a
constant. Source: the OTLP 1.11 specification, "OTLP/gRPC".
"""

from typing import ClassVar

from glasshouse_collector.core.access import Authenticator
from glasshouse_collector.core.components import ComponentConfig, Door, Services
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.tls_files import tls_files
from glasshouse_collector.receivers.grpc_serving import Desk, GrpcServer, OtlpGrpcConfig

__all__ = ["OtlpGrpcConfig", "OtlpGrpcReceiver", "best_server"]

SLOW_SERVER = (
    "grpcio serves, at several times the cost of a request; "
    "install glasshouse-otlp-grpc (or a Rust toolchain and run make setup) for the native server"
)


def best_server() -> type[GrpcServer]:
    """Return the native server where its extension is installed, else the one of grpcio."""
    try:
        from glasshouse_collector.receivers.grpc_native import NativeServer  # noqa: PLC0415  (optional)
    except ModuleNotFoundError:
        from glasshouse_collector.receivers.grpc_fallback import GrpcioServer  # noqa: PLC0415

        return GrpcioServer
    return NativeServer


class OtlpGrpcReceiver:
    """Serves the three OTLP export services. OK is sent only for what the door has kept."""

    Config: ClassVar[type[ComponentConfig]] = OtlpGrpcConfig

    def __init__(self, config: OtlpGrpcConfig, services: Services) -> None:
        self._config = config
        self._metrics = services.get(Metrics)
        self._authenticator = services.get(Authenticator)  # type: ignore[type-abstract]
        self._tls = None if config.tls is None else tls_files(config.tls, services)
        self._server: GrpcServer | None = None
        self.bound_port = 0
        """The port listened on, once started."""
        self.note = ""
        """Which server serves, once started."""

    async def start(self, door: Door) -> None:
        """Listen. Raises `ConfigurationError` where the address cannot be had."""
        desk = Desk(door, self._authenticator, self._metrics.refused_requests, self._tls)
        self._server = server = best_server()(self._config, desk)
        self.bound_port = await server.start()
        self.note = SLOW_SERVER if server.name == "grpcio" else "the native server serves"
        self._metrics.grpc_server_info.labels(server.name).set(1)

    async def stop(self) -> None:
        """Accept no more, finish what was accepted. Safe without `start`, and repeatedly."""
        if self._server is not None:
            await self._server.stop()
