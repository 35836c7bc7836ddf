"""OTLP requests that look like a shop's telemetry, with the places to patch so that no two are alike.

A request is encoded once, with sentinel values where ids and times belong; the generator then
overwrites those places (`Slots`) before each send, which costs a tenth of a microsecond a record.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

import numpy as np
import numpy.typing as npt
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    HistogramDataPoint,
    NumberDataPoint,
    ResourceMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

SPANS_A_TRACE = 8
_SERVICES = ("frontend", "cart", "checkout", "payment", "catalog", "shipping", "email", "recommendation")
_ROUTES = (
    "/api/cart/{id}",
    "/api/orders/{id}",
    "/api/products/{id}",
    "/api/users/{id}/addresses",
    "/checkout",
)
_ORIGIN = "https://storefront.shop.eu-west-1.example.com"
_METHODS = ("GET", "GET", "GET", "POST", "PUT")
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile",
    "python-httpx/0.28.1",
)
_WORDS = (
    "accepted",
    "address",
    "basket",
    "cache",
    "carrier",
    "confirmed",
    "connection",
    "customer",
    "delayed",
    "discount",
    "expired",
    "inventory",
    "invoice",
    "missed",
    "order",
    "payment",
    "refund",
    "reserved",
    "retry",
    "shipment",
    "timeout",
    "voucher",
    "warehouse",
    "written",
)


class Kind(StrEnum):
    """Which of the three OTLP services a request is for."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


GRPC_PATHS = {
    Kind.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Kind.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    Kind.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}

_TRACE_ID = b"\xf1=trace-id-here\xf1"
_SPAN_ID = b"\xf2=span=\xf2"
_PARENT_ID = b"\xf3parent\xf3"
_START = b"\xf4start=\xf4"
_END = b"\xf5=end==\xf5"

Offsets = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Slots:
    """Byte offsets of what is different in each request, in the records' order."""

    trace_ids: Offsets
    span_ids: Offsets
    parent_ids: Offsets
    starts: Offsets
    ends: Offsets


@dataclass(frozen=True, slots=True)
class Request:
    """One encoded `Export…ServiceRequest`."""

    kind: Kind
    records: int
    payload: bytes

    def slots(self) -> Slots:
        """Find the sentinels."""
        return Slots(
            *(_find_all(self.payload, mark) for mark in (_TRACE_ID, _SPAN_ID, _PARENT_ID, _START, _END))
        )


def encode(kind: Kind, records: int, random: Random, first: int = 0) -> Request:
    """Return a request of `records` spans, log records or data points.

    `first` is the place of its first record in the block it is sent in: every eighth span is a root.
    """
    if kind is Kind.TRACES:
        payload = _spans(records, random, first)
    elif kind is Kind.LOGS:
        payload = _logs(records, random)
    else:
        payload = _metrics(records, random)
    return Request(kind, records, payload)


def _find_all(payload: bytes, mark: bytes) -> Offsets:
    found = []
    at = payload.find(mark)
    while at >= 0:
        found.append(at)
        at = payload.find(mark, at + len(mark))
    return np.array(found, dtype=np.intp)


def _time(mark: bytes) -> int:
    return int.from_bytes(mark, "little")


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _number(key: str, value: int) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(int_value=value))


def _resource(random: Random) -> Resource:
    service = random.choice(_SERVICES)
    return Resource(
        attributes=[
            _text("service.name", service),
            _text("service.version", "2.14.3"),
            _text("deployment.environment.name", "production"),
            _text("k8s.pod.name", f"{service}-6f7d9c5b8-{random.randrange(16):05x}"),
            _text("host.name", f"node-{random.randrange(12)}.eu-west-1.example.internal"),
        ]
    )


def _span(random: Random, place: int) -> Span:
    route, method = random.choice(_ROUTES), random.choice(_METHODS)
    failed = random.random() < 0.02
    span = Span(
        trace_id=_TRACE_ID,
        span_id=_SPAN_ID,
        parent_span_id=_PARENT_ID if place % SPANS_A_TRACE else b"",
        name=f"{method} {route}",
        kind=random.choice((Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_INTERNAL)),
        start_time_unix_nano=_time(_START),
        end_time_unix_nano=_time(_END),
        flags=0x101,
        attributes=[
            _text("http.request.method", method),
            _text("http.route", route),
            _text("url.full", _ORIGIN + route.replace("{id}", str(random.randrange(10**6)))),
            _number("http.response.status_code", 500 if failed else random.choice((200, 200, 200, 201, 404))),
            _text("server.address", f"{random.choice(_SERVICES)}.shop.svc.cluster.local"),
            _number("server.port", 8080),
            _text("user_agent.original", random.choice(_AGENTS)),
            _text("enduser.id", f"user-{random.randrange(10**7):07d}"),
        ],
    )
    if failed:
        span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message="upstream timed out"))
        span.events.add(
            name="exception",
            time_unix_nano=_time(_END),
            attributes=[
                _text("exception.type", "TimeoutError"),
                _text("exception.message", "no answer in 2 s"),
            ],
        )
    return span


def _spans(count: int, random: Random, first: int) -> bytes:
    group = ResourceSpans(resource=_resource(random))
    scope = group.scope_spans.add()
    scope.scope.name, scope.scope.version = "opentelemetry.instrumentation.fastapi", "0.66b2"
    scope.spans.extend(_span(random, first + place) for place in range(count))
    return ExportTraceServiceRequest(resource_spans=[group]).SerializeToString()


def _logs(count: int, random: Random) -> bytes:
    group = ResourceLogs(resource=_resource(random))
    scope = group.scope_logs.add()
    scope.scope.name = "shop.orders"
    for _ in range(count):
        number, text = random.choice(((9, "INFO"), (9, "INFO"), (9, "INFO"), (13, "WARN"), (17, "ERROR")))
        words = " ".join(random.choices(_WORDS, k=9))
        scope.log_records.add(
            time_unix_nano=_time(_START),
            observed_time_unix_nano=_time(_END),
            severity_number=number,
            severity_text=text,
            body=AnyValue(string_value=f"{words} for order {random.randrange(10**8)}"),
            trace_id=_TRACE_ID,
            span_id=_SPAN_ID,
            flags=1,
            attributes=[
                _text("code.function.name", f"shop.orders.{random.choice(_WORDS)}"),
                _number("code.line.number", random.randrange(400)),
                _text("thread.name", f"worker-{random.randrange(8)}"),
                _text("enduser.id", f"user-{random.randrange(10**7):07d}"),
            ],
        )
    return ExportLogsServiceRequest(resource_logs=[group]).SerializeToString()


def _metrics(count: int, random: Random) -> bytes:
    group = ResourceMetrics(resource=_resource(random))
    scope = group.scope_metrics.add()
    scope.scope.name = "opentelemetry.instrumentation.system_metrics"
    gauge = scope.metrics.add(name="process.memory.usage", unit="By").gauge
    counter = scope.metrics.add(name="http.server.active_requests", unit="{request}").sum
    counter.aggregation_temporality, counter.is_monotonic = AGGREGATION_TEMPORALITY_CUMULATIVE, True
    histogram = scope.metrics.add(name="http.server.request.duration", unit="s").histogram
    histogram.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
    for place in range(count):
        route = [_text("http.route", random.choice(_ROUTES)), _number("shard", random.randrange(64))]
        if place % 4 == 3:
            histogram.data_points.append(_histogram_point(random, route))
        else:
            (gauge if place % 4 else counter).data_points.append(
                NumberDataPoint(
                    attributes=route,
                    start_time_unix_nano=_time(_START),
                    time_unix_nano=_time(_END),
                    as_double=random.random() * 1e6,
                )
            )
    return ExportMetricsServiceRequest(resource_metrics=[group]).SerializeToString()


def _histogram_point(random: Random, attributes: list[KeyValue]) -> HistogramDataPoint:
    counts = [random.randrange(100) for _ in range(12)]
    return HistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=_time(_START),
        time_unix_nano=_time(_END),
        count=sum(counts),
        sum=random.random() * 100,
        bucket_counts=counts,
        explicit_bounds=[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
    )
