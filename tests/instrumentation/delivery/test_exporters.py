"""Delivery under the official exporters, and what it tells about itself."""

import gzip
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from collector_process import until
from glasshouse import delivery
from glasshouse.delivery import telemetry
from glasshouse.delivery.outbox import Outbox
from scripted_endpoint import Answer, Endpoint

Install = Callable[..., Callable[[], None]]


@pytest.fixture
def tracer_provider(install: Install, listening: Endpoint) -> Iterator[TracerProvider]:
    """Trace as an application does."""
    install()
    provider = TracerProvider()
    exporter = OTLPSpanExporter(
        f"{listening.url}/v1/traces", session=delivery.session("traces"), compression=Compression.Gzip
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    yield provider
    provider.shutdown()


def test_all_three_signals_arrive(install: Install, listening: Endpoint) -> None:
    """The official exporters do not notice who sends for them."""
    install()
    metric_exporter = OTLPMetricExporter(f"{listening.url}/v1/metrics", session=delivery.session())
    meters = MeterProvider([PeriodicExportingMetricReader(metric_exporter)])
    loggers = LoggerProvider()
    loggers.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(f"{listening.url}/v1/logs", session=delivery.session()))
    )
    meters.get_meter("test").create_counter("orders").add(1)
    loggers.get_logger("test").emit(body="ordered", severity_number=SeverityNumber.INFO)
    meters.shutdown()
    loggers.shutdown()
    assert delivery.flush(10)
    by_path = {received.path: received.body for received in listening.received}
    logs = ExportLogsServiceRequest.FromString(by_path["/v1/logs"])
    assert logs.resource_logs[0].scope_logs[0].log_records[0].body.string_value == "ordered"
    assert b"orders" in by_path["/v1/metrics"]


def test_sending_is_not_traced(tracer_provider: TracerProvider, listening: Endpoint) -> None:
    """With requests instrumented, a span about sending spans would make the next request."""
    RequestsInstrumentor().instrument(tracer_provider=tracer_provider)
    try:
        tracer_provider.get_tracer("test").start_span("the only one").end()
        tracer_provider.force_flush()
        assert delivery.flush(10)
        tracer_provider.force_flush()
        assert delivery.flush(10)
    finally:
        RequestsInstrumentor().uninstrument()
    (body,) = listening.bodies()
    request = ExportTraceServiceRequest.FromString(gzip.decompress(body))
    assert [span.name for span in request.resource_spans[0].scope_spans[0].spans] == ["the only one"]


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_dead_letter_can_be_read(tracer_provider: TracerProvider, listening: Endpoint, where: str) -> None:
    """It holds the spans that were not delivered."""
    listening.answer = lambda _: Answer(400 if where == "disk" else 503)
    listening.hanging.set()
    tracer_provider.get_tracer("test").start_span("lost").end()
    tracer_provider.force_flush()
    (letter,) = delivery.dead_letters()
    if where == "disk":
        listening.hanging.clear()
        until(lambda: [each.state for each in delivery.dead_letters()] == ["refused"], "it is refused")
        (letter,) = delivery.dead_letters()
    request: Any = letter.request()
    assert [span.name for span in request.resource_spans[0].scope_spans[0].spans] == ["lost"]


def test_while_python_ends_the_caller_does_the_work(
    monkeypatch: pytest.MonkeyPatch, install: Install, listening: Endpoint, export: Callable[..., None]
) -> None:
    """From Python 3.12 on no thread starts then: flush sends, and the end writes to disk."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("glasshouse"):
            raise RuntimeError("can't create new thread at interpreter shutdown")
        start(thread)

    with monkeypatch.context() as ending:
        ending.setattr(threading.Thread, "start", refuse)
        undo = install()
        export(b"one")
        assert delivery.flush(10)
        assert listening.bodies() == [b"one"]
        listening.answer = lambda _: Answer(503)
        export(b"two")
        undo()
    listening.answer = lambda _: Answer()
    install()
    until(lambda: delivery.counts().replayed == 1, "the next process delivers")


def test_it_counts_in_metrics(
    monkeypatch: pytest.MonkeyPatch, install: Install, export: Callable[..., None]
) -> None:
    """What became of the batches can be seen where all metrics are."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(telemetry, "get_meter", provider.get_meter)
    monkeypatch.setattr(telemetry, "_observed", False)
    install()
    export(b"one")
    assert delivery.flush(10)
    found: Any = reader.get_metrics_data()
    metrics = {metric.name: metric for metric in found.resource_metrics[0].scope_metrics[0].metrics}
    points = metrics["glasshouse.delivery.batches"].data.data_points
    assert {point.attributes["outcome"]: point.value for point in points} == {
        "sent": 1,
        "spooled": 0,
        "replayed": 0,
        "dropped": 0,
        "refused": 0,
    }
    assert set(metrics) == {
        "glasshouse.delivery.batches",
        "glasshouse.delivery.rejected",
        "glasshouse.delivery.waiting",
    }
    provider.shutdown()


def test_the_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch, install: Install, export: Callable[..., None], listening: Endpoint
) -> None:
    """Without a disk, and with the endpoint hanging, the oldest batches go and are counted."""
    monkeypatch.setattr(Outbox.__init__, "__defaults__", (10_000,))
    listening.hanging.set()
    install(spool_bytes=0)
    for _ in range(30):
        export(bytes(1000), timeout=60.0)
    assert delivery.counts().dropped == 20
    assert sum(letter.bytes for letter in delivery.dead_letters()) == 10_000
