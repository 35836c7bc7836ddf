"""One trace by its id, over a real socket from a real embedded store."""

from collections.abc import Callable

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import SEVERITY_NUMBER_INFO
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from glasshouse_collector.api import create_app
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.api.traces.reading import read_trace
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import EVERY_PROJECT, QueryLimits, Store
from kept_records import keep

Serve = Callable[..., httpx.Client]
NOON = 1_900_000_800 * 10**9
"""2030-03-17 18:00:00 UTC: no retention drops it."""
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def traces_request() -> ExportTraceServiceRequest:
    """Return a trace of two spans, the later one first, and a span of another trace."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = "shop.tracer", "1.2"
    child = scope.spans.add(trace_id=bytes.fromhex(TRACE), span_id=b"\2" * 8, parent_span_id=b"\1" * 8)
    child.name, child.kind = "SELECT", Span.SPAN_KIND_CLIENT
    child.start_time_unix_nano, child.end_time_unix_nano = NOON + 2, NOON + 1_000_000_001
    child.status.code, child.status.message = Status.STATUS_CODE_ERROR, "no such table"
    child.attributes.add(key="db.system.name").value.string_value = "postgresql"
    event = child.events.add(time_unix_nano=NOON + 7, name="exception")
    event.attributes.add(key="exception.type").value.string_value = "ProgrammingError"
    child.events.add(time_unix_nano=NOON + 8, name="retry")
    child.links.add(trace_id=b"\7" * 16, span_id=b"\7" * 8, trace_state="a=b")
    root = scope.spans.add(
        trace_id=bytes.fromhex(TRACE), span_id=b"\1" * 8, name="GET /", kind=Span.SPAN_KIND_SERVER
    )
    root.start_time_unix_nano, root.end_time_unix_nano = NOON + 1, NOON + 5
    scope.spans.add(trace_id=b"\5" * 16, span_id=b"\5" * 8, name="other", start_time_unix_nano=NOON)
    return request


def logs_request() -> ExportLogsServiceRequest:
    """Return two log records of the trace, an hour apart, and one of no trace."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "shop"
    records = resource.scope_logs.add().log_records
    for nanos, body, trace in ((3600 * 10**9, "late", TRACE), (3, "hello", TRACE), (4, "alone", "")):
        record = records.add(time_unix_nano=NOON + nanos, trace_id=bytes.fromhex(trace), flags=1)
        record.severity_text, record.severity_number = "INFO", SEVERITY_NUMBER_INFO
        record.body.string_value = body
        if body == "hello":
            record.span_id = b"\1" * 8
            record.attributes.add(key="user.id").value.string_value = "7"
    return request


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    """Return a store with one trace in it."""
    keep(store, RequestKind.TRACES, Signal.TRACES, traces_request(), "t-0-0")
    keep(store, RequestKind.LOGS, Signal.LOGS, logs_request(), "t-0-1")
    return store


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with that store."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


@pytest.mark.parametrize("written", [TRACE, TRACE.upper()])
def test_a_trace_is_told_whole_in_the_order_of_time(client: httpx.Client, written: str) -> None:
    """Spans and log records of the trace, and of no other, by an id in either case."""
    answer = client.get(f"/api/v1/traces/{written}")
    assert answer.status_code == 200, answer.text
    trace = answer.json()
    assert trace["trace_id"] == TRACE
    assert trace["truncated"] is False
    assert [it["name"] for it in trace["spans"]] == ["GET /", "SELECT"]
    assert [it["body"] for it in trace["logs"]] == ["hello", "late"]
    assert (trace["services"], trace["errors"], trace["duration_ns"]) == (["shop"], 1, 1_000_000_000)
    assert trace["critical_path"] == [
        {"span_id": "01" * 8, "start_time_unix_nano": str(NOON + 1), "duration_ns": 1},
        {"span_id": "02" * 8, "start_time_unix_nano": str(NOON + 2), "duration_ns": 3},
    ]


def test_a_span_is_told_with_all_it_has(client: httpx.Client) -> None:
    """Times to the nanosecond, duration, status, attributes, events and links."""
    root, child = client.get(f"/api/v1/traces/{TRACE}").json()["spans"]
    assert root["parent_span_id"] is None
    assert child == {
        "project": "default",
        "span_id": "02" * 8,
        "parent_span_id": "01" * 8,
        "trace_state": "",
        "name": "SELECT",
        "kind": "Client",
        "service_name": "shop",
        "start_time": "2030-03-17T18:00:00.000000002Z",
        "start_time_unix_nano": str(NOON + 2),
        "end_time": "2030-03-17T18:00:01.000000001Z",
        "end_time_unix_nano": str(NOON + 1_000_000_001),
        "duration_ns": 999_999_999,
        "self_time_ns": 999_999_999,
        "depth": 1,
        "status": {"code": "Error", "message": "no such table"},
        "scope": {"name": "shop.tracer", "version": "1.2"},
        "resource_attributes": {"service.name": "shop"},
        "attributes": {"db.system.name": "postgresql"},
        "events": [
            {
                "time": "2030-03-17T18:00:00.000000007Z",
                "time_unix_nano": str(NOON + 7),
                "name": "exception",
                "attributes": {"exception.type": "ProgrammingError"},
            },
            {
                "time": "2030-03-17T18:00:00.000000008Z",
                "time_unix_nano": str(NOON + 8),
                "name": "retry",
                "attributes": {},
            },
        ],
        "links": [{"trace_id": "07" * 16, "span_id": "07" * 8, "trace_state": "a=b", "attributes": {}}],
    }


def test_a_log_record_is_told_with_all_it_has(client: httpx.Client) -> None:
    """A log record names its span, where it was made in one."""
    hello, late = client.get(f"/api/v1/traces/{TRACE}").json()["logs"]
    assert late["span_id"] is None
    assert hello == {
        "id": f"{NOON + 3:x}.t-0-1.1",
        "trace_id": TRACE,
        "project": "default",
        "time": "2030-03-17T18:00:00.000000003Z",
        "time_unix_nano": str(NOON + 3),
        "span_id": "01" * 8,
        "trace_flags": 1,
        "severity_text": "INFO",
        "severity_number": 9,
        "service_name": "shop",
        "event_name": "",
        "body": "hello",
        "scope": {"name": "", "version": ""},
        "resource_attributes": {"service.name": "shop"},
        "scope_attributes": {},
        "attributes": {"user.id": "7"},
    }


@pytest.mark.parametrize(
    "written",
    ["1", TRACE[:-1], TRACE + "0", "g" * 32, "0" * 32, "%27%20OR%201=1", "\u0661" * 32, TRACE + "%0A"],
)
def test_what_is_no_trace_id_is_told_what_would_be(client: httpx.Client, written: str) -> None:
    """A wrong id is 400 and shows a right one."""
    answer = client.get(f"/api/v1/traces/{written}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert f"32 hex digits are expected, not all zero, such as {TRACE}" in answer.json()["detail"]


def test_an_unknown_trace_is_404(client: httpx.Client) -> None:
    """A right id of which nothing is kept is a problem that says so."""
    answer = client.get(f"/api/v1/traces/{'ab' * 16}")
    assert answer.status_code == 404
    assert f"nothing is kept of trace {'ab' * 16}" in answer.json()["detail"]


def test_a_trace_with_too_many_records_is_told_as_truncated(filled: Store) -> None:
    """The first records of an endless trace are told, and that there are more."""
    trace = read_trace(filled.of_project(EVERY_PROJECT), TRACE, QueryLimits(), most=1)
    assert trace is not None
    assert trace.truncated
    assert [it.name for it in trace.spans] == ["GET /"]
    assert [it.body for it in trace.logs] == ["hello"]


def test_times_are_written_to_the_nanosecond() -> None:
    """Before the epoch too."""
    assert rfc3339(0) == "1970-01-01T00:00:00.000000000Z"
    assert rfc3339(-1) == "1969-12-31T23:59:59.999999999Z"
    assert rfc3339(2**63 - 1) == "2262-04-11T23:47:16.854775807Z"
