"""Receivers that really listen, on a journal that really writes."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.codec import best_codec
from glasshouse_collector.core.access import Authenticator, OpenAccess, Quotas
from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.components import Accepted, Door, Services
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal import Consumer, Journal, JournalSettings
from glasshouse_collector.receivers import otlp_grpc
from glasshouse_collector.receivers.door import JournalDoor
from glasshouse_collector.receivers.grpc_fallback import GrpcioServer
from glasshouse_collector.receivers.otlp_grpc import OtlpGrpcConfig, OtlpGrpcReceiver
from glasshouse_collector.receivers.otlp_http import OtlpHttpConfig, OtlpHttpReceiver

T = TypeVar("T")

SERVICES = {
    RequestKind.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    RequestKind.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    RequestKind.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}


class Loop:
    """An event loop in a thread of its own, as the clients of these tests block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what the coroutine does."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=60)

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass
class ScriptedDoor:
    """A door whose answers a test decides: for faults that a real journal does not have on demand."""

    answer: Accepted = field(default_factory=lambda: Accepted(1))
    fault: Exception | None = None
    hold: bool = False
    """Whether to wait for `release` before answering."""
    entered: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    async def accept(
        self, kind: RequestKind, payload: bytes, project: str, *, transport: str, key: str = ""
    ) -> Accepted:
        """Do as scripted."""
        del kind, payload, project, transport, key
        self.entered.set()
        if self.hold:
            await asyncio.to_thread(self.release.wait, 30)
        if self.fault is not None:
            raise self.fault
        return self.answer


@dataclass
class Served:
    """Both receivers, listening."""

    loop: Loop
    grpc_receiver: OtlpGrpcReceiver
    http_receiver: OtlpHttpReceiver
    metrics: Metrics
    http: httpx.Client
    channel: grpc.Channel

    @property
    def grpc_port(self) -> int:
        """The port of the gRPC receiver."""
        return self.grpc_receiver.bound_port

    def still_serves(self) -> None:
        """Assert that an honest sender over gRPC, on a connection of its own, gets its OK."""
        assert self.export(RequestKind.TRACES, traces("GET /").SerializeToString()) == b""

    def export(self, kind: RequestKind, payload: bytes, **options: Any) -> bytes:
        """Send a request over gRPC; raises `grpc.RpcError`."""
        call = self.channel.unary_unary(f"/{SERVICES[kind]}/Export", None, None)
        response: bytes = call(payload, timeout=60, wait_for_ready=True, **options)
        return response

    def refusal(self, kind: RequestKind, payload: bytes, **options: Any) -> grpc.Call:
        """Return the error that a request over gRPC is answered with."""
        with pytest.raises(grpc.RpcError) as caught:
            self.export(kind, payload, **options)
        assert isinstance(caught.value, grpc.Call)
        return caught.value

    def post(self, kind: RequestKind, body: bytes, **headers: str) -> httpx.Response:
        """Send a request over HTTP, in protobuf unless the headers say otherwise (`_` stands for `-`)."""
        named = {"content-type": "application/x-protobuf"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return self.http.post(f"/v1/{kind}", content=body, headers=named)

    def refused(self, transport: str, reason: str) -> float:
        """Return how many requests were refused for that reason."""
        asked = {"transport": transport, "reason": reason}.items()
        return sum(
            sample.value
            for sample in next(iter(self.metrics.refused_requests.collect())).samples
            if asked <= sample.labels.items()
        )


@dataclass
class Kept(Served):
    """Both receivers on a real journal."""

    consumer: Consumer

    def kept(self) -> list[Frame]:
        """Return the frames kept since this was last called; they are on disk before an OK is sent."""
        return self.loop.run(self._kept())

    async def _kept(self) -> list[Frame]:
        frames: list[Frame] = []
        while self.consumer.reader.has_again or self.consumer.reader.has_more():
            run = await self.consumer.next_run(max_records=10**6, max_bytes=2**30, linger=0)
            assert run is not None
            frames += run.frames
            await self.consumer.commit(run)
        return frames


@contextmanager
def looping() -> Iterator[Loop]:
    """Run an event loop."""
    loop = Loop()
    try:
        yield loop
    finally:
        loop.close()


@contextmanager
def listening(
    loop: Loop, door: Door, metrics: Metrics, access: Authenticator | None = None, **config: Any
) -> Iterator[Served]:
    """Serve both receivers on free ports; `config` is for both, or for one where `http_` stands before it."""
    services = Services()
    services.provide(Metrics, metrics)
    services.provide(Authenticator, access or OpenAccess())  # type: ignore[type-abstract]
    both = {name: value for name, value in config.items() if not name.startswith("http_")}
    http = {name.removeprefix("http_"): value for name, value in config.items() if name.startswith("http_")}
    grpc_receiver = OtlpGrpcReceiver(OtlpGrpcConfig(port=0, **both), services)
    http_receiver = OtlpHttpReceiver(OtlpHttpConfig(port=0, **both, **http), services)
    try:
        loop.run(grpc_receiver.start(door))
        loop.run(http_receiver.start(door))
        with (
            httpx.Client(base_url=f"http://127.0.0.1:{http_receiver.bound_port}", timeout=60) as client,
            grpc.insecure_channel(
                f"127.0.0.1:{grpc_receiver.bound_port}", options=[("grpc.max_send_message_length", -1)]
            ) as channel,
        ):
            yield Served(loop, grpc_receiver, http_receiver, metrics, client, channel)
    finally:
        loop.run(http_receiver.stop())
        loop.run(grpc_receiver.stop())


@contextmanager
def serving(door: Door, access: Authenticator | None = None, **config: Any) -> Iterator[Served]:
    """Serve both receivers at a door of the test's own."""
    with looping() as loop, listening(loop, door, Metrics(), access, **config) as served:
        yield served


@contextmanager
def keeping(
    directory: Path, access: Authenticator | None = None, quotas: Quotas | None = None, **config: Any
) -> Iterator[Kept]:
    """Serve both receivers at the door of a journal in `directory`."""
    metrics, clock = Metrics(), SystemClock()
    settings = JournalSettings(directory, durability="os", max_bytes=2**30, segment_bytes=2**27)

    async def opened() -> tuple[Journal, Consumer]:
        journal = Journal.open(settings, metrics, clock)
        return journal, journal.consumer("test")

    with looping() as loop:
        journal, consumer = loop.run(opened())
        door = JournalDoor(best_codec(), journal, metrics, clock, quotas)
        try:
            with listening(loop, door, metrics, access, **config) as served:
                yield Kept(**vars(served), consumer=consumer)
        finally:
            loop.run(journal.close())


@pytest.fixture(scope="module", autouse=True)
def grpc_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """Have the tests of a file served by the best gRPC server, or (`by_both_servers`) by each."""
    name = getattr(request, "param", None)
    with pytest.MonkeyPatch.context() as patch:
        if name == "native":
            pytest.importorskip("glasshouse_otlp_grpc", reason="the native gRPC server is not installed")
        if name == "grpcio":
            patch.setattr(otlp_grpc, "best_server", lambda: GrpcioServer)
        yield name or otlp_grpc.best_server().name


by_both_servers = pytest.mark.parametrize("grpc_server", ["native", "grpcio"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, grpc_server: str) -> Iterator[Kept]:
    """Both receivers on a journal, for the tests of one file."""
    with keeping(tmp_path_factory.mktemp("journal")) as kept:
        yield kept


@pytest.fixture
def collector(shared: Kept) -> Kept:
    """Return the same, with nothing kept yet."""
    shared.kept()
    return shared


def traces(*names: str, **fields: Any) -> ExportTraceServiceRequest:
    """Return a request with a span of each name."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for name in names:
        spans.add(**{"name": name, "trace_id": b"t" * 16, "span_id": b"s" * 8} | fields)
    return request


def poll(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, half a minute at most."""
    waiting = threading.Event()
    for _ in range(3000):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("it never came true")
