"""Requests to a made-up shop of six services, as calm or as faulty as a test wants them; kept in a store.

A request is a tree of `Work`, and a fault a function that changes requests of the incident. All dice are
seeded: the same test makes the same records each time.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.insights.analysis import analyse
from glasshouse_collector.insights.findings import Analysis, RootCause
from glasshouse_collector.insights.windows import SECOND, Question, Window
from glasshouse_collector.store import QueryLimits, Store
from kept_records import keep

MS: Final = 10**6
MINUTE: Final = 60 * SECOND
NOON: Final = 1_900_000_800 * SECOND
"""2030-03-17 18:00:00 UTC: no retention drops it."""
INCIDENT: Final = Window(NOON, NOON + 3 * MINUTE)
BASELINE: Final = Window(NOON - 4 * MINUTE, NOON)
QUESTION: Final = Question(INCIDENT, (BASELINE,))
SERVICES: Final = ("gateway", "orders", "stock", "pricing", "payment", "shipping")
INFO, ERROR = 9, 17


@dataclass
class Work:
    """One span to be: it works `own` milliseconds, and its calls take their time between.

    `way` milliseconds are lost before a call arrives, and as many before its answer does. `says` are log
    lines with their severity number; `failed` is the type of the exception it fails with, and `peer` what a
    call reaches that sends no telemetry.
    """

    service: str
    operation: str
    own: float
    calls: list["Work"] = field(default_factory=list)
    says: list[tuple[int, str]] = field(default_factory=list)
    kind: int = Span.SPAN_KIND_SERVER
    way: float = 0.0
    failed: str = ""
    peer: str = ""
    version: str = "1.0"

    def everything(self) -> Iterator["Work"]:
        """Yield it and all that is under it."""
        yield self
        for call in list(self.calls):
            yield from call.everything()

    def way_to(self, service: str, operation: str) -> list["Work"]:
        """Return it and what is under it down to that operation of that service; empty where it is not."""
        if (self.service, self.operation) == (service, operation):
            return [self]
        for call in self.calls:
            if way := call.way_to(service, operation):
                return [self, *way]
        return []


Fault = Callable[[Work, random.Random], None]
Ask = Callable[[random.Random], Work]


def order(dice: random.Random) -> Work:
    """Return a request that orders something: every service has a part in it."""
    number, sku = dice.randrange(10**6), dice.randrange(500)
    reserve = Work("stock", "reserve rows", _own(dice, 3), kind=Span.SPAN_KIND_INTERNAL)
    reserve.says = [(INFO, f"Reserved [sku: {sku}, left: {dice.randrange(90)}]")]
    reserve.calls = [_outside(dice, "stock", "UPDATE stock", "postgresql", 2)]
    stock = Work("stock", "POST /reserve", _own(dice, 3), [reserve])
    stock.says = [(INFO, f"Asked to reserve [order: {number}]")]
    payment = Work("payment", "POST /pay", _own(dice, 6))
    payment.calls = [_outside(dice, "payment", "POST", "cards.example", 15)]
    payment.says = [(INFO, f"Charging order {number}"), (INFO, f"Charged order {number}")]
    shipping = Work("shipping", "POST /parcels", _own(dice, 4), says=[(INFO, f"Parcel of {number} waits")])
    placed = Work("orders", "POST /orders", _own(dice, 5))
    placed.says = [(INFO, f"Order {number} is placed")]
    placed.calls = [
        _way(dice, "orders", stock),
        _way(dice, "orders", _quote(dice)),
        _way(dice, "orders", payment),
        _way(dice, "orders", shipping),
    ]
    return Work("gateway", "POST /orders", _own(dice, 2), [_way(dice, "gateway", placed)])


def browse(dice: random.Random) -> Work:
    """Return a request that looks at a cart: four services have a part in it."""
    look = Work(
        "stock", "GET /stock", _own(dice, 2), [_outside(dice, "stock", "SELECT stock", "postgresql", 1)]
    )
    cart = Work("orders", "GET /cart", _own(dice, 3), [_way(dice, "orders", look)])
    cart.says = [(INFO, f"Cart of customer {dice.randrange(10**4)} shown")]
    calls = [_way(dice, "gateway", cart), _way(dice, "gateway", _quote(dice))]
    return Work("gateway", "GET /cart", _own(dice, 2), calls)


def _quote(dice: random.Random) -> Work:
    said = [(INFO, f"Quoted [items: {dice.randrange(1, 9)}]")]
    tax = Work("pricing", "add tax", _own(dice, 2), kind=Span.SPAN_KIND_INTERNAL)
    return Work("pricing", "POST /quote", _own(dice, 3), [tax], said)


def _way(dice: random.Random, caller: str, called: Work) -> Work:
    called.way = _own(dice, 0.5)
    return Work(caller, called.operation.split()[0], 0.2, [called], kind=Span.SPAN_KIND_CLIENT)


def _outside(dice: random.Random, caller: str, operation: str, peer: str, own: float) -> Work:
    return Work(caller, operation, _own(dice, own), kind=Span.SPAN_KIND_CLIENT, peer=peer)


def _own(dice: random.Random, usual: float) -> float:
    return usual * dice.lognormvariate(0, 0.25)


@dataclass(frozen=True)
class Traffic:
    """Requests of a window: `count`, evenly but for some dice, `browsing` of them looks at carts."""

    window: Window
    count: int
    browsing: float = 0.5
    fault: Fault | None = None
    asks: tuple[Ask, Ask] = (order, browse)


class Recorder:
    """Gathers the records of one project, and keeps them in a store all at once."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.dice = random.Random(project)
        self.traces = ExportTraceServiceRequest()
        self.logs = ExportLogsServiceRequest()
        self.gauges = ExportMetricsServiceRequest()
        self.counters = ExportMetricsServiceRequest()
        self._span = 0

    def make(self, traffic: Traffic) -> None:
        """Make the requests."""
        apart = (traffic.window.end - traffic.window.start) // max(1, traffic.count)
        for number in range(traffic.count):
            begins = traffic.window.start + number * apart + self.dice.randrange(apart // 2)
            work = traffic.asks[self.dice.random() < traffic.browsing](self.dice)
            if traffic.fault is not None:
                traffic.fault(work, self.dice)
            self.trace(work, begins)

    def trace(self, work: Work, begins: int, trace_id: bytes = b"", parent: bytes = b"") -> int:
        """Lay a tree of work out in time; return when it ends."""
        trace_id = trace_id or self.dice.getrandbits(128).to_bytes(16)
        self._span += 1
        span_id = self._span.to_bytes(8)
        part = int(work.own * MS / (len(work.calls) + 1))
        now = begins + part
        for call in work.calls:
            way = int(call.way * MS)
            now = self.trace(call, now + way, trace_id, span_id) + way + part
        self.span(work, (trace_id, span_id, parent), begins, now)
        for severity, line in work.says:
            self.log(work.service, line, begins + 1, severity, trace_id, span_id)
        return now

    def span(self, work: Work, ids: tuple[bytes, bytes, bytes], begins: int, ends: int) -> None:
        """Record one span; `ids` are its trace's, its own, and its parent's, which may be empty."""
        of = self.traces.resource_spans.add()
        of.resource.attributes.add(key="service.name").value.string_value = work.service
        of.resource.attributes.add(key="service.version").value.string_value = work.version
        span = of.scope_spans.add().spans.add(
            trace_id=ids[0],
            span_id=ids[1],
            parent_span_id=ids[2],
            name=work.operation,
            kind=work.kind,
            start_time_unix_nano=begins,
            end_time_unix_nano=ends,
        )
        if work.peer:
            address, _, port = work.peer.partition(":")
            span.attributes.add(key="server.address").value.string_value = address
            if port:
                span.attributes.add(key="server.port").value.int_value = int(port)
        if work.failed:
            span.status.code = span.status.STATUS_CODE_ERROR
            raised = span.events.add(name="exception", time_unix_nano=ends)
            raised.attributes.add(key="exception.type").value.string_value = work.failed

    def log(  # noqa: PLR0913, PLR0917  (what a log record has)
        self, service: str, line: str, time: int, severity: int, trace_id: bytes = b"", span_id: bytes = b""
    ) -> None:
        """Record one log line."""
        of = self.logs.resource_logs.add()
        of.resource.attributes.add(key="service.name").value.string_value = service
        record = of.scope_logs.add().log_records.add(
            time_unix_nano=time,
            severity_number=severity,
            trace_id=trace_id,
            span_id=span_id,
        )
        record.body.string_value = line

    def gauge(self, service: str, name: str, unit: str, points: Sequence[tuple[int, float]]) -> None:
        """Record a series of points: a time and a value each."""
        metric = _metric(self.gauges, service, name, unit)
        for time, value in points:
            metric.gauge.data_points.add(time_unix_nano=time, as_double=value)

    def counter(self, service: str, name: str, unit: str, points: Sequence[tuple[int, float]]) -> None:
        """Record a series that only grows, and counts from its beginning on."""
        metric = _metric(self.counters, service, name, unit)
        metric.sum.is_monotonic = True
        metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        for time, value in points:
            metric.sum.data_points.add(time_unix_nano=time, as_double=value)

    def keep(self, store: Store) -> None:
        """Keep all that was recorded; nothing can be recorded afterwards."""
        for kind, signal, request, empty in (
            (RequestKind.TRACES, Signal.TRACES, self.traces, not self.traces.resource_spans),
            (RequestKind.LOGS, Signal.LOGS, self.logs, not self.logs.resource_logs),
            (RequestKind.METRICS, Signal.METRICS_GAUGE, self.gauges, not self.gauges.resource_metrics),
            (RequestKind.METRICS, Signal.METRICS_SUM, self.counters, not self.counters.resource_metrics),
        ):
            if not empty:
                keep(store, kind, signal, request, f"{self.project}-{signal}", self.project)


def _metric(request: ExportMetricsServiceRequest, service: str, name: str, unit: str) -> Metric:
    of = request.resource_metrics.add()
    of.resource.attributes.add(key="service.name").value.string_value = service
    of.resource.attributes.add(key="service.instance.id").value.string_value = f"{service}-1"
    return of.scope_metrics.add().metrics.add(name=name, unit=unit)


def shop(project: str, fault: Fault | None = None) -> Recorder:
    """Return the shop's records: 200 calm requests, then 150 with the fault."""
    recorder = Recorder(project)
    recorder.make(Traffic(BASELINE, 200))
    recorder.make(Traffic(INCIDENT, 150, fault=fault))
    return recorder


def points(dice: random.Random, before: float, after: float) -> list[tuple[int, float]]:
    """Return a point every ten seconds, from ten minutes before the incident: `before`, then `after`."""
    step = 10 * SECOND
    return [
        (time, (after if time >= NOON else before) * dice.uniform(0.95, 1.05))
        for time in range(NOON - 10 * MINUTE, INCIDENT.end, step)
    ]


def analysed(store: Store, recorder: Recorder, question: Question = QUESTION) -> Analysis:
    """Keep what was recorded, and analyse it."""
    recorder.keep(store)
    return analyse(store.of_project(recorder.project), question, QueryLimits())


def plain(found: Analysis) -> list[RootCause]:
    """Return the causes of which there are three nats or more: 20 times likelier than chance."""
    return [cause for cause in found.root_causes if cause.score >= 3]
