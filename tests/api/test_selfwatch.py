"""The collector's observation of itself, into a door that keeps what it is handed."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from glasshouse_collector.api.app import create_app
from glasshouse_collector.api.config import ApiConfig
from glasshouse_collector.api.server import ApiServer
from glasshouse_collector.core.access import SELF_PROJECT
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.components import Accepted, Services
from glasshouse_collector.core.errors import Backpressure
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.selfwatch import SelfWatch
from glasshouse_collector.selfwatch.logs import LineLimit

log = logging.getLogger("glasshouse_collector.pipeline.test")


class KeepingDoor:
    """Keeps every request in memory, after doing what `meanwhile` does."""

    def __init__(self) -> None:
        self.requests: list[tuple[RequestKind, bytes]] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.opened = asyncio.Event()
        self.opened.set()

    async def accept(
        self, kind: RequestKind, payload: bytes, project: str, *, transport: str, key: str = ""
    ) -> Accepted:
        """Keep the request."""
        assert (project, transport, key) == (SELF_PROJECT, "self", "")
        await self.opened.wait()
        self.meanwhile()
        self.requests.append((kind, payload))
        return Accepted(1)

    def spans(self) -> list[Span]:
        """Return every span that came."""
        parsed = [ExportTraceServiceRequest.FromString(it) for kind, it in self.requests if kind == "traces"]
        return [s for p in parsed for r in p.resource_spans for c in r.scope_spans for s in c.spans]

    def logs(self) -> list[LogRecord]:
        """Return every log record that came."""
        parsed = [ExportLogsServiceRequest.FromString(it) for kind, it in self.requests if kind == "logs"]
        return [s for p in parsed for r in p.resource_logs for c in r.scope_logs for s in c.log_records]

    def metrics(self) -> dict[str, Metric]:
        """Return the last state of each metric that came."""
        parsed = [
            ExportMetricsServiceRequest.FromString(it) for kind, it in self.requests if kind == "metrics"
        ]
        return {
            m.name: m for p in parsed for r in p.resource_metrics for c in r.scope_metrics for m in c.metrics
        }


@contextlib.asynccontextmanager
async def watching(metrics: Metrics | None = None) -> AsyncIterator[tuple[SelfWatch, KeepingDoor]]:
    """Watch, and stop with everything delivered."""
    door = KeepingDoor()
    watch = SelfWatch.start(door, asyncio.get_running_loop(), metrics)
    try:
        yield watch, door
    finally:
        await asyncio.to_thread(watch.stop)


def attributes(pairs: Iterable[KeyValue]) -> dict[str, str]:
    """Return string attributes as a dict."""
    return {pair.key: pair.value.string_value for pair in pairs}


def dropped(metrics: Metrics, kind: str, reason: str) -> float | None:
    """Return how many batches of a kind were dropped."""
    labels = {"kind": kind, "reason": reason}
    return metrics.registry.get_sample_value("glasshouse_self_dropped_total", labels)


def test_a_log_record_arrives_with_its_place_its_trace_and_the_collectors_name() -> None:
    """What the collector logs is stored as any service's log record would be."""

    async def scenario() -> None:
        async with watching() as (watch, door):
            with watch.tracer.start_as_current_span("deliver"):
                log.warning("the store is away for %s s", 5)
        [record], [span] = door.logs(), door.spans()
        assert record.body.string_value == "the store is away for 5 s"
        assert (record.severity_text, record.severity_number) == ("WARN", 13)
        assert attributes(record.attributes)["code.file.path"] == __file__
        assert (record.trace_id, record.span_id) == (span.trace_id, span.span_id)
        [payload] = [it for kind, it in door.requests if kind == "logs"]
        resource = attributes(
            ExportLogsServiceRequest.FromString(payload).resource_logs[0].resource.attributes
        )
        assert resource["service.name"] == "glasshouse-collector"
        assert resource["service.version"]
        assert resource["service.instance.id"]

    asyncio.run(scenario())


def test_an_exception_that_was_logged_is_told_whole() -> None:
    """A log record with an exception has its type, message and stack trace."""

    async def scenario() -> None:
        async with watching() as (_, door):
            try:
                _fail()
            except ValueError:
                log.exception("no delivery")
        told = attributes(door.logs()[0].attributes)
        assert told["exception.type"] == "ValueError"
        assert told["exception.message"] == "a wrong value"
        assert "_fail" in told["exception.stacktrace"]

    asyncio.run(scenario())


def _fail() -> None:
    raise ValueError("a wrong value")


def test_requests_to_the_api_are_traced_and_probes_are_not(services: Services) -> None:
    """A span per request with its route, in the stable names; none for health checks and scrapes."""

    async def scenario() -> None:
        async with watching(services.get(Metrics)) as (watch, door):
            app = create_app(services)
            watch.instrument(app)
            server = ApiServer(app, ApiConfig(port=0))
            await server.start()
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.bound_port}") as client:
                for probe in ("/health", "/ready", "/live", "/metrics"):
                    await client.get(probe)
                await client.get("/openapi.json")
            await server.stop()
        [span] = door.spans()
        assert span.kind == Span.SPAN_KIND_SERVER
        assert attributes(span.attributes)["http.request.method"] == "GET"
        assert attributes(span.attributes)["url.path"] == "/openapi.json"

    asyncio.run(scenario())


def test_storing_what_was_observed_is_not_observed() -> None:
    """Logs and spans made while the door takes in its own records do not come back."""

    async def scenario() -> None:
        async with watching() as (watch, door):

            def meanwhile() -> None:
                log.error("a log of storing logs")
                watch.tracer.start_span("storing").end()

            door.meanwhile = meanwhile
            log.warning("the only one")
        assert [record.body.string_value for record in door.logs()] == ["the only one"]
        assert door.spans() == []

    asyncio.run(scenario())


def test_a_full_journal_drops_and_counts() -> None:
    """Under backpressure the collector's own records make way."""

    async def scenario() -> None:
        metrics = Metrics()
        async with watching(metrics) as (_, door):

            def full() -> None:
                raise Backpressure(1.0, "full")

            door.meanwhile = full
            log.warning("unheard")
        assert door.requests == []
        assert dropped(metrics, "logs", "backpressure") == 1
        assert dropped(metrics, "metrics", "backpressure") == 1

    asyncio.run(scenario())


def test_a_door_that_hangs_does_not_hold_up_the_stop() -> None:
    """The stop keeps its deadline, and counts what it left."""

    async def scenario() -> None:
        metrics = Metrics()
        door = KeepingDoor()
        watch = SelfWatch.start(door, asyncio.get_running_loop(), metrics)
        door.opened.clear()
        log.warning("unheard")
        await asyncio.to_thread(watch.stop, deadline_seconds=0.2)
        await asyncio.to_thread(watch.stop)
        assert door.requests == []
        async with asyncio.timeout(5):
            while dropped(metrics, "logs", "stopped") != 1:
                await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_metrics_arrive_as_sums_gauges_and_histograms() -> None:
    """What /metrics shows is stored as OTLP metrics with the same numbers."""

    async def scenario() -> None:
        metrics = Metrics()
        metrics.exported_records.labels("clickhouse", "traces", "default").inc(3)
        metrics.journal_bytes.set(17)
        metrics.journal_fsync_seconds.observe(0.002)
        metrics.journal_fsync_seconds.observe(100)
        async with watching(metrics) as (_, door):
            pass
        arrived = door.metrics()
        records = arrived["glasshouse_exported_records"].sum
        assert (records.is_monotonic, records.aggregation_temporality) == (True, 2)
        assert records.data_points[0].as_double == 3
        labels = {"exporter": "clickhouse", "signal": "traces", "project": "default"}
        assert attributes(records.data_points[0].attributes) == labels
        assert arrived["glasshouse_journal_bytes"].gauge.data_points[0].as_double == 17
        assert arrived["glasshouse_journal_bytes"].unit == "By"
        fsync = arrived["glasshouse_journal_fsync_seconds"].histogram.data_points[0]
        assert (fsync.count, fsync.sum) == (2, 100.002)
        assert list(fsync.bucket_counts) == [0, 1, *[0] * 12, 1]
        assert len(fsync.explicit_bounds) == 14
        assert fsync.start_time_unix_nano < fsync.time_unix_nano

    asyncio.run(scenario())


def test_metrics_arrive_again_and_again() -> None:
    """The metrics are read at their interval, not only at the stop."""

    async def scenario() -> None:
        door = KeepingDoor()
        watch = SelfWatch.start(door, asyncio.get_running_loop(), Metrics(), metrics_seconds=0.01)
        async with asyncio.timeout(10):
            while len(door.requests) < 2:
                await asyncio.sleep(0.01)
        await asyncio.to_thread(watch.stop)

    asyncio.run(scenario())


def test_the_environment_chooses_the_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_TRACES_SAMPLER applies to the collector as to any application."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")

    async def scenario() -> None:
        async with watching() as (watch, door):
            watch.tracer.start_span("unsampled").end()
        assert door.spans() == []

    asyncio.run(scenario())


def test_the_environment_can_switch_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SDK_DISABLED leaves no telemetry of any kind."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    async def scenario() -> None:
        async with watching() as (watch, door):
            watch.tracer.start_span("nothing").end()
            log.warning("nothing")
        assert door.requests == []

    asyncio.run(scenario())


def test_one_line_of_code_logs_ten_records_a_minute() -> None:
    """A failure that reports itself endlessly is cut for the rest of the minute; other lines are not."""
    limit = LineLimit()

    def record(line: int) -> logging.LogRecord:
        return logging.LogRecord("glasshouse_collector", logging.ERROR, "a.py", line, "again", None, None)

    assert [limit.allows(record(1), 100.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert limit.allows(record(2), 100.0)
    assert not limit.allows(record(1), 159.0)
    assert limit.allows(record(1), 160.0)
