"""A served API over a store with a few records, and the clients that ask it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from asked_records import CIRCLE, LOGS, TOKEN, TRACE
from glasshouse.client import Client
from glasshouse_collector.api import ApiConfig, create_app
from glasshouse_collector.core.access import Authenticator, TokenAccess
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.exposition import MetricsPage
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.status import Status as CollectorStatus
from glasshouse_collector.store import Store
from kept_records import keep
from migrated_store import migrated_store
from served_api import serving


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve an API that wants a token; returns its address."""
    store = migrated_store(tmp_path_factory, "client")
    _fill(store)
    services = Services()
    services.provide(CollectorStatus, CollectorStatus())
    services.provide(Metrics, Metrics())
    services.provide(MetricsPage, MetricsPage())
    services.provide(Authenticator, TokenAccess(TOKEN))  # type: ignore[type-abstract]
    services.provide(Store, store)
    with serving(create_app(services, ApiConfig())) as url:
        yield url
    store.close()


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    """Return a client that may ask."""
    with Client(address, TOKEN) as opened:
        yield opened


@pytest.fixture
def run(address: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs `glasshouse` as a user would, with a key in the environment."""

    def run(*arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        known = {"GLASSHOUSE_API_URL": address, "GLASSHOUSE_API_KEY": TOKEN, **environment}
        return subprocess.run(
            [str(Path(sys.executable).parent / "glasshouse"), *arguments],
            input=given,
            capture_output=True,
            text=True,
            env={**os.environ, **known},
            timeout=120,
            check=False,
        )

    return run


def _keep_circle(store: Store, now: int) -> None:
    """Keep what a confused sender sends: three spans that are each other's parents, and a child twice."""
    spans = ExportTraceServiceRequest()
    own = spans.resource_spans.add()
    own.resource.attributes.add(key="service.name").value.string_value = "gateway"
    for name, span_id, parent in (
        ("root", 9, 0),
        ("twice", 8, 9),
        ("twice", 8, 9),
        ("round 1", 1, 3),
        ("round 2", 2, 1),
        ("round 3", 3, 2),
    ):
        own.scope_spans.add().spans.add(
            trace_id=bytes.fromhex(CIRCLE),
            span_id=bytes([span_id]) * 8,
            parent_span_id=bytes([parent]) * 8 if parent else b"",
            name=name,
            start_time_unix_nano=now,
            end_time_unix_nano=now + 10**6,
        )
    keep(store, RequestKind.TRACES, Signal.TRACES, spans, "circle")


def _fill(store: Store) -> None:
    now = time.time_ns() - 60 * 10**9
    spans = ExportTraceServiceRequest()
    for number, service in enumerate(("gateway", "checkout\x1b[31m", "payment")):
        own = spans.resource_spans.add()
        own.resource.attributes.add(key="service.name").value.string_value = service
        span = own.scope_spans.add().spans.add(
            trace_id=bytes.fromhex(TRACE),
            span_id=bytes([number + 1]) * 8,
            parent_span_id=bytes([number]) * 8 if number else b"",
            name=f"step {number}",
            kind=Span.SPAN_KIND_SERVER,
            start_time_unix_nano=now + number * 10**6,
            end_time_unix_nano=now + (100 - number * 10) * 10**6,
        )
        span.attributes.add(key="step").value.int_value = number
        if number == 2:
            span.status.code = Status.STATUS_CODE_ERROR
            span.status.message = "card declined"
            raised = span.events.add(name="exception", time_unix_nano=now + 10**6)
            raised.attributes.add(key="exception.type").value.string_value = "CardDeclined"
            raised.attributes.add(key="exception.message").value.string_value = "no money"
    keep(store, RequestKind.TRACES, Signal.TRACES, spans, "spans")
    _keep_circle(store, now)
    logs = ExportLogsServiceRequest()
    own_logs = logs.resource_logs.add()
    own_logs.resource.attributes.add(key="service.name").value.string_value = "checkout"
    records = own_logs.scope_logs.add().log_records
    for number in range(LOGS):
        record = records.add(time_unix_nano=now + number, severity_number=17 if number % 5 == 0 else 9)
        record.severity_text = "ERROR" if number % 5 == 0 else "INFO"
        record.body.string_value = f"order {number} placed\x1b]0;owned\x07"
        record.attributes.add(key="order.id").value.int_value = number
        if number == 3:
            record.trace_id, record.span_id = bytes.fromhex(TRACE), b"\x02" * 8
    keep(store, RequestKind.LOGS, Signal.LOGS, logs, "logs")
