"""Real OTLP receivers over a door that keeps what it is handed."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.codec import best_codec
from glasshouse_collector.core.access import Authenticator, OpenAccess, TokenAccess
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.components import Accepted, Services
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.receivers.otlp_grpc import OtlpGrpcConfig, OtlpGrpcReceiver
from glasshouse_collector.receivers.otlp_http import OtlpHttpConfig, OtlpHttpReceiver

PARSERS: dict[RequestKind, Any] = {
    RequestKind.TRACES: ExportTraceServiceRequest,
    RequestKind.LOGS: ExportLogsServiceRequest,
    RequestKind.METRICS: ExportMetricsServiceRequest,
}


@dataclass
class KeepingDoor:
    """Keeps each request in memory; `refusals` are raised first, one a request."""

    requests: list[tuple[RequestKind, bytes]] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)
    attempts: int = 0

    async def accept(
        self, kind: RequestKind, payload: bytes, project: str, *, transport: str, key: str = ""
    ) -> Accepted:
        """Keep what the codec accepts."""
        del project, transport, key
        self.attempts += 1
        if self.refusals:
            raise self.refusals.pop(0)
        checked = best_codec().check(kind, payload)
        self.requests.append((kind, payload))
        return Accepted(checked.accepted, checked.rejected, "an invalid id" if checked.rejected else "")

    def parsed(self, kind: RequestKind) -> list[Any]:
        """Return the requests of a kind as messages."""
        return [PARSERS[kind].FromString(payload) for it, payload in self.requests if it == kind]


@dataclass
class Endpoints:
    """Both receivers' addresses, by protocol, and the door behind them."""

    door: KeepingDoor
    urls: dict[str, str]


@pytest.fixture
def receivers() -> Iterator[Callable[..., Endpoints]]:
    """Start both receivers on free ports, open or with a token."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    started: list[Any] = []

    def run(coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=30)

    async def start_one(receiver_class: Any, config: Any, services: Services, door: KeepingDoor) -> None:
        receiver = receiver_class(config, services)
        await receiver.start(door)
        started.append(receiver)

    def start(token: str | None = None) -> Endpoints:
        services, door = Services(), KeepingDoor()
        services.provide(Metrics, Metrics())
        access = TokenAccess(token) if token else OpenAccess()
        services.provide(Authenticator, access)  # type: ignore[type-abstract]
        run(start_one(OtlpGrpcReceiver, OtlpGrpcConfig(port=0), services, door))
        run(start_one(OtlpHttpReceiver, OtlpHttpConfig(port=0), services, door))
        urls = {
            protocol: f"http://127.0.0.1:{receiver.bound_port}"
            for protocol, receiver in zip(("grpc", "http"), started, strict=True)
        }
        return Endpoints(door, urls)

    yield start
    for receiver in started:
        run(receiver.stop())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
