"""What the two gRPC servers have in common: what is served, and what they are given for it."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from prometheus_client import Counter
from pydantic import Field

from glasshouse_collector.codec import MOST_BYTES
from glasshouse_collector.core.access import Authenticator
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.components import ComponentConfig, Door
from glasshouse_collector.core.tls import TlsConfig
from glasshouse_collector.core.tls_files import TlsFiles

TRANSPORT = "otlp_grpc"
UNKNOWN = ("", "")
"""Kind and project of a request that was refused before they were looked at."""

EXPORTS = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": RequestKind.TRACES,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": RequestKind.LOGS,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": RequestKind.METRICS,
}
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"
"""A `grpc.health.v1.HealthCheckResponse` of status SERVING."""


class OtlpGrpcConfig(ComponentConfig):
    """Where to listen for OTLP over gRPC, and how much to take at once."""

    host: str = "127.0.0.1"
    port: int = Field(default=4317, ge=0, le=65535)
    """0 takes any free port."""
    max_request_bytes: int = Field(default=64 * 1024 * 1024, ge=1024, le=MOST_BYTES)
    """Of one request, as sent and again after decompression."""
    max_unfinished_bytes: int = Field(default=512 * 1024 * 1024, ge=1024)
    """Of all requests that are being read or answered; senders beyond it are told to come back."""
    body_seconds: float = Field(default=60.0, gt=0)
    """How long a request may take to arrive."""
    shutdown_seconds: float = Field(default=10.0, ge=0)
    """How long a stop waits for the requests that have begun."""
    tls: TlsConfig | None = None
    """Where set, TLS is spoken, and nothing else."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who decides about a request: whose it is, whether it is kept; and what counts the refused ones."""

    door: Door
    authenticator: Authenticator
    refused: Counter
    tls: TlsFiles | None = None
    """What TLS is spoken with, where it is."""


class GrpcServer(Protocol):
    """Serves `EXPORTS` and `HEALTH_CHECK`; OK is sent only for what the door has kept."""

    name: ClassVar[Literal["native", "grpcio"]]

    def __init__(self, config: OtlpGrpcConfig, desk: Desk) -> None:
        """Take what is needed; nothing listens yet."""

    async def start(self) -> int:
        """Listen, and return the port. Raises `ConfigurationError` where the address cannot be had."""

    async def stop(self) -> None:
        """Accept no more, finish what was accepted within `shutdown_seconds`. Safe repeatedly."""
