"""Records of an incident, and an analysis of it as it would be found: what the tests of explaining share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.insights.findings import (
    Analysis,
    Evidence,
    EvidenceKind,
    FaultKind,
    PathStep,
    RootCause,
)
from glasshouse_collector.insights.windows import SECOND, Question, Window
from glasshouse_collector.store import Store
from kept_records import keep

MINUTE: Final = 60 * SECOND
NOON: Final = 1_900_000_800 * SECOND
"""2030-03-17 18:00:00 UTC: no retention drops it."""
INCIDENT: Final = Window(NOON, NOON + 2 * MINUTE)
BASELINE: Final = Window(NOON - 10 * MINUTE, NOON)
QUESTION: Final = Question(INCIDENT, (BASELINE,))


@dataclass(frozen=True)
class SpanRow:
    """A span as it was sent; `raised` is a type and a message of an exception event."""

    service: str
    name: str = "GET /x"
    time: int = NOON + SECOND
    trace: int = 1
    failed: str | None = None
    raised: tuple[str, str] | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LogRow:
    """A log record as it was sent."""

    service: str
    body: str
    time: int = NOON + SECOND
    trace: int = 0
    severity: int = 17
    attributes: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)


def trace_id(number: int) -> str:
    """Return the id of the trace of that number, in hex."""
    return number.to_bytes(16).hex()


def keep_spans(store: Store, token: str, spans: Sequence[SpanRow], project: str = "default") -> None:
    """Keep the spans, each of a resource of its own."""
    request = ExportTraceServiceRequest()
    for number, row in enumerate(spans, 1):
        group = request.resource_spans.add()
        _put(group.resource.attributes, {"service.name": row.service, **row.resource})
        span = group.scope_spans.add().spans.add(
            trace_id=row.trace.to_bytes(16),
            span_id=number.to_bytes(8),
            name=row.name,
            start_time_unix_nano=row.time,
            end_time_unix_nano=row.time + 10**6,
        )
        _put(span.attributes, row.attributes)
        if row.failed is not None:
            span.status.code = span.status.STATUS_CODE_ERROR
            span.status.message = row.failed
        if row.raised is not None:
            event = span.events.add(name="exception", time_unix_nano=row.time)
            _put(event.attributes, {"exception.type": row.raised[0], "exception.message": row.raised[1]})
    keep(store, RequestKind.TRACES, Signal.TRACES, request, token, project)


def keep_logs(store: Store, token: str, logs: Sequence[LogRow], project: str = "default") -> None:
    """Keep the log records."""
    request = ExportLogsServiceRequest()
    for row in logs:
        group = request.resource_logs.add()
        _put(group.resource.attributes, {"service.name": row.service, **row.resource})
        scope = group.scope_logs.add()
        scope.scope.name = f"{row.service}.log"
        record = scope.log_records.add(
            time_unix_nano=row.time,
            trace_id=row.trace.to_bytes(16) if row.trace else b"",
            severity_number=row.severity,
        )
        record.body.string_value = row.body
        _put(record.attributes, row.attributes)
    keep(store, RequestKind.LOGS, Signal.LOGS, request, token, project)


def _put(into: Any, told: Mapping[str, str]) -> None:
    for key, value in told.items():
        into.add(key=key).value.string_value = value


CAUSE: Final = RootCause(
    service="payment",
    operation="POST /pay",
    kind=FaultKind.EXCEPTION,
    score=8.2,
    confidence=0.86,
    reason="214 of 220 calls fail in payment itself; none of its callees fails",
    evidence=(
        Evidence(
            kind=EvidenceKind.EXCEPTION,
            text="ValueError in payment: 0 -> 214 in 220 calls",
            weight=5.0,
            service="payment",
            operation="POST /pay",
            before=0.0,
            after=214.0,
            unit="1",
            start=NOON + 3 * SECOND,
            end=INCIDENT.end,
            trace_ids=(trace_id(1), trace_id(2)),
            template="card <number> declined",
        ),
    ),
    path=(
        PathStep("payment", "POST /pay", "97 % of calls fail"),
        PathStep("checkout", "POST /checkout", "96 % of calls fail"),
        PathStep("gateway", "POST /checkout", "96 % of calls fail"),
    ),
    start=NOON + 3 * SECOND,
)
SECOND_CAUSE: Final = replace(
    CAUSE,
    service="cart",
    operation="GET /cart",
    kind=FaultKind.SLOW_CODE,
    score=1.1,
    confidence=0.07,
    reason="own time of GET /cart p50 12 ms -> 30 ms in 18 of 220 calls",
    evidence=(),
    path=(PathStep("cart", "GET /cart", "slower"),),
)
ANALYSIS: Final = Analysis(
    question=QUESTION,
    root_causes=(CAUSE, SECOND_CAUSE),
    symptoms=(PathStep("gateway", "POST /checkout", "96 % of calls fail, 0 % before"),),
    traces=220,
    spans=1760,
    log_records=900,
    one_in=1,
    notes=(),
)
NOTHING_FOUND: Final = replace(ANALYSIS, root_causes=(), symptoms=(), notes=("no metrics in the window",))
