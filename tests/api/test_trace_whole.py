"""What belongs to one trace beside its spans: log records near it, who links to it, and how much there is."""

from collections.abc import Callable

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from glasshouse_collector.api import create_app
from glasshouse_collector.api.traces.reading import read_trace
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import QueryLimits, Store
from kept_records import keep

Serve = Callable[..., httpx.Client]
NOON = 1_900_000_800 * 10**9
"""2030-03-17 18:00:00 UTC: no retention drops it."""
MINUTE = 60 * 10**9
LONG, LINKING, ALONE = (f"{number:02x}" * 16 for number in (0xA1, 0xB2, 0xC3))


def _spans() -> ExportTraceServiceRequest:
    """Return a trace of twelve spans and twenty minutes, one that links to it, and one long after."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add()
    spans.resource.attributes.add(key="service.name").value.string_value = "shop"
    made = spans.scope_spans.add().spans
    for number in range(12):
        span = made.add(trace_id=bytes.fromhex(LONG), span_id=bytes([number + 1]) * 8, name=f"step {number}")
        span.start_time_unix_nano = NOON + number * MINUTE
        span.end_time_unix_nano = NOON + (20 if number == 3 else number) * MINUTE
        span.status.code = Status.STATUS_CODE_ERROR if number > 9 else Status.STATUS_CODE_UNSET
    for start, trace in ((30 * MINUTE, LINKING), (10 * 60 * MINUTE, "d4" * 16)):
        span = made.add(trace_id=bytes.fromhex(trace), span_id=b"\7" * 8, name="follow up")
        span.start_time_unix_nano = span.end_time_unix_nano = NOON + start
        for linked, number in ((LONG, 2), ("ee" * 16, 9), (LONG, 5)):
            span.links.add(trace_id=bytes.fromhex(linked), span_id=bytes([number]) * 8)
    return request


def _logs() -> ExportLogsServiceRequest:
    """Return log records of the trace within its reach and far from it, and of a trace without spans."""
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    times = {"soon before": -59, "within": 3, "soon after": 79, "long before": -61, "long after": 81}
    for body, minutes in times.items():
        record = records.add(time_unix_nano=NOON + minutes * MINUTE, trace_id=bytes.fromhex(LONG))
        record.body.string_value = body
    record = records.add(time_unix_nano=NOON - 5000 * MINUTE, trace_id=bytes.fromhex(ALONE))
    record.body.string_value = "without a span"
    return request


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    """Keep them, each batch of one day."""
    spans = _spans()
    late = ExportTraceServiceRequest()
    late.CopyFrom(spans)
    made = spans.resource_spans[0].scope_spans[0].spans
    del late.resource_spans[0].scope_spans[0].spans[:-1]
    del made[-1:]
    keep(store, RequestKind.TRACES, Signal.TRACES, spans, "w-0")
    keep(store, RequestKind.TRACES, Signal.TRACES, late, "w-1")
    logs = _logs()
    keep(store, RequestKind.LOGS, Signal.LOGS, logs, "w-2")
    return store


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with that store."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


def test_log_records_are_those_near_the_trace(client: httpx.Client) -> None:
    """An hour before its start, an hour after the end of its last span."""
    trace = client.get(f"/api/v1/traces/{LONG}").json()
    assert [it["body"] for it in trace["logs"]] == ["soon before", "within", "soon after"]


def test_log_records_without_a_span_are_found_at_any_time(client: httpx.Client) -> None:
    """Their trace has no extent that could bound them."""
    trace = client.get(f"/api/v1/traces/{ALONE}").json()
    assert [it["body"] for it in trace["logs"]] == ["without a span"]
    assert (trace["spans"], trace["span_count"], trace["critical_path"]) == ([], 0, [])


def test_links_are_told_both_ways(client: httpx.Client) -> None:
    """Who links to a trace is told with the spans it means, up to an hour after it."""
    assert client.get(f"/api/v1/traces/{LONG}").json()["linked_from"] == [
        {
            "trace_id": LINKING,
            "span_id": "07" * 8,
            "service_name": "shop",
            "name": "follow up",
            "start_time": "2030-03-17T18:30:00.000000000Z",
            "linked_span_ids": ["02" * 8, "05" * 8],
        }
    ]
    linking = client.get(f"/api/v1/traces/{LINKING}").json()
    assert [it["trace_id"] for it in linking["spans"][0]["links"]] == [LONG, "ee" * 16, LONG]
    assert linking["linked_from"] == []


def test_a_truncated_trace_is_told_how_much_there_is(filled: Store) -> None:
    """Count, errors and duration are the whole trace's, though only its first spans are told."""
    whole = read_trace(filled.of_project("default"), LONG, QueryLimits())
    trace = read_trace(filled.of_project("default"), LONG, QueryLimits(), most=4)
    assert whole is not None
    assert trace is not None
    assert [it.name for it in trace.spans] == ["step 0", "step 1", "step 2", "step 3"]
    assert trace.truncated
    assert not whole.truncated
    told = [(it.span_count, it.errors, it.duration_ns) for it in (trace, whole)]
    assert told == [(12, 2, 20 * MINUTE)] * 2
