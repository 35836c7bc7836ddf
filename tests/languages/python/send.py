"""Send one trace, its logs and its metrics through the OpenTelemetry SDK for Python.

Where to, how and as whom is read from the standard OTEL_* environment variables; the remote parent
from TRACEPARENT and TRACESTATE; the whole second all fixed times count from, from SENDER_BASE_SECONDS.
Prints the span ids by span name as JSON.
"""

import json
import os
import sys

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

SCOPE = "glasshouse.languages"
VERSION = "1.2.3"
SCHEMA = "https://opentelemetry.io/schemas/1.37.0"
SCOPE_ATTRIBUTES = {"scope.kind": "test"}
BASE_NS = int(os.environ["SENDER_BASE_SECONDS"]) * 1_000_000_000


def at(offset_ns: int) -> int:
    """Return a fixed time, in nanoseconds since the Unix epoch."""
    return BASE_NS + offset_ns


def exporters() -> tuple[SpanExporter, LogRecordExporter, MetricExporter]:
    """Return the exporters of the protocol that OTEL_EXPORTER_OTLP_PROTOCOL names."""
    protocol = os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"]
    if protocol == "grpc":
        return grpc_traces.OTLPSpanExporter(), grpc_logs.OTLPLogExporter(), grpc_metrics.OTLPMetricExporter()
    if protocol == "http/protobuf":
        return http_traces.OTLPSpanExporter(), http_logs.OTLPLogExporter(), http_metrics.OTLPMetricExporter()
    sys.exit(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}: the SDK for Python offers grpc and http/protobuf")


def send_trace(tracer: trace.Tracer) -> tuple[Context, Context, dict[str, str]]:
    """Send three spans; return the contexts of the server and the client span, and the span ids."""
    carrier = {"traceparent": os.environ["TRACEPARENT"], "tracestate": os.environ["TRACESTATE"]}
    parent = TraceContextTextMapPropagator().extract(carrier)
    elsewhere = SpanContext(
        trace_id=0x0102030405060708090A0B0C0D0E0F10,
        span_id=0x1112131415161718,
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=TraceState([("vendor", "linked")]),
    )
    server = tracer.start_span(
        "POST /checkout",
        context=parent,
        kind=SpanKind.SERVER,
        start_time=at(100_000_000),
        links=[Link(elsewhere, {"link.kind": "retry", "link.attempt": 3})],
        attributes={
            "attr.string": "plain",
            "attr.unicode": "žluťoučký 🐎 在庫",
            "attr.empty": "",
            "attr.int": 42,
            "attr.int.negative": -7,
            "attr.int.large": 9007199254740993,
            "attr.double": 2.5,
            "attr.double.whole": 3.0,
            "attr.bool.true": True,
            "attr.bool.false": False,
            "attr.strings": ["a", "ü b"],
            "attr.ints": [1, -2, 3],
            "attr.doubles": [0.5, 1.25],
            "attr.bools": [True, False],
        },
    )
    server.add_event("cart.loaded", {"cart.items": 3, "cart.kind": "gift"}, timestamp=at(110_000_000))
    in_server = trace.set_span_in_context(server)

    client = tracer.start_span(
        "POST payment", context=in_server, kind=SpanKind.CLIENT, start_time=at(150_000_000)
    )
    client.set_attribute("peer.service", "payment")
    in_client = trace.set_span_in_context(client)

    inner = tracer.start_span(
        "reserve ünïcode 在庫", context=in_client, kind=SpanKind.INTERNAL, start_time=at(160_000_000)
    )
    inner.end(at(160_000_001))

    client.record_exception(ValueError("card declined: ✗"), timestamp=at(220_000_000))
    client.set_status(Status(StatusCode.ERROR, "card declined"))
    client.end(at(230_000_000))
    server.set_status(Status(StatusCode.OK))
    server.end(at(350_000_001))

    named = {"POST /checkout": server, "POST payment": client, "reserve ünïcode 在庫": inner}
    span_ids = {name: trace.format_span_id(span.get_span_context().span_id) for name, span in named.items()}
    return in_server, in_client, span_ids


def send_logs(provider: LoggerProvider, in_server: Context, in_client: Context) -> None:
    """Send four log records: text, structured, an event outside any trace, and one without a time."""
    logger = provider.get_logger(SCOPE, VERSION, schema_url=SCHEMA, attributes=SCOPE_ATTRIBUTES)
    logger.emit(
        LogRecord(
            timestamp=at(120_000_000),
            context=in_server,
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body="order accepted: ünïcode 🐎",
            attributes={
                "log.string": "plain",
                "log.int": 42,
                "log.double": 2.5,
                "log.bool": True,
                "log.strings": ["a", "ü b"],
                "log.map": {"inner": {"deep": 1}},
            },
        )
    )
    logger.emit(
        LogRecord(
            timestamp=at(225_000_000),
            context=in_client,
            severity_number=SeverityNumber.ERROR,
            severity_text="ERROR",
            body={
                "order": {"id": 42, "total": 9.5, "items": ["a", "ü b"], "paid": False},
                "raw": b"\x00\x01\xff",
            },
        )
    )
    logger.emit(
        LogRecord(
            timestamp=at(230_000_000),
            context=Context(),
            severity_number=SeverityNumber.WARN2,
            severity_text="warning, the second",
            event_name="shop.cart.abandoned",
            body=42,
        )
    )
    logger.emit(
        LogRecord(
            context=Context(),
            severity_number=SeverityNumber.DEBUG,
            severity_text="DEBUG",
            body="no time of its own",
        )
    )


def send_metrics(provider: MeterProvider, in_server: Context) -> None:
    """Record sums, a gauge and histograms, some of it inside the server span, which leaves exemplars."""
    meter = provider.get_meter(SCOPE, VERSION, SCHEMA, SCOPE_ATTRIBUTES)
    outside = Context()
    orders = meter.create_counter("shop.orders", "{order}", "Orders placed, ünïcode 在庫")
    card: dict[str, str | int | bool] = {"payment": "card", "attempt": 1, "retried": False}
    orders.add(2, card, context=outside)
    orders.add(3, card, context=outside)
    orders.add(7, {"payment": "cash"}, context=in_server)
    meter.create_counter("shop.revenue", "EUR", "Money taken").add(12.75, context=outside)
    waiting = meter.create_up_down_counter("shop.waiting", "{order}", "Orders waiting")
    waiting.add(5, {"queue": "main"}, context=outside)
    waiting.add(-7, {"queue": "main"}, context=outside)
    meter.create_gauge("shop.temperature", "Cel", "Cold store").set(-3.5, {"room": "冷"}, context=outside)
    latency = meter.create_histogram(
        "shop.latency", "ms", "Time to answer", explicit_bucket_boundaries_advisory=[10.0, 100.0, 1000.0]
    )
    for milliseconds in (5.0, 10.0, 50.5):
        latency.record(milliseconds, {"route": "/checkout"}, context=outside)
    latency.record(5000.0, {"route": "/checkout"}, context=in_server)
    size = meter.create_histogram("shop.size", "By", "Size of an order")
    for size_bytes in (0.0, 1.0, 2.0, 4.0, 8.0):
        size.record(size_bytes, context=outside)


def main() -> None:
    """Send everything, and leave only when all of it was handed over."""
    spans, logs, metrics = exporters()
    resource = Resource.create(schema_url=SCHEMA).merge(OTELResourceDetector().detect())
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(BatchSpanProcessor(spans))
    logger_provider = LoggerProvider(resource=resource)
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(logs))
    exponential = View(
        instrument_name="shop.size", aggregation=ExponentialBucketHistogramAggregation(max_size=20)
    )
    meter_provider = MeterProvider([PeriodicExportingMetricReader(metrics)], resource, views=[exponential])

    tracer = tracer_provider.get_tracer(SCOPE, VERSION, SCHEMA, SCOPE_ATTRIBUTES)
    in_server, in_client, span_ids = send_trace(tracer)
    send_logs(logger_provider, in_server, in_client)
    send_metrics(meter_provider, in_server)
    tracer_provider.shutdown()
    logger_provider.shutdown()
    meter_provider.shutdown()
    sys.stdout.write(json.dumps(span_ids))


if __name__ == "__main__":
    main()
