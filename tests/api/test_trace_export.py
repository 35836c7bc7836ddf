"""A trace as OTLP in JSON: what was exported here and sent to another collector reads the same there."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector_process import CollectorProcess, until
from glasshouse_collector.api import create_app
from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.traces.export import read_export
from glasshouse_collector.codec.otlp_json import to_protobuf
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import QueryLimits, Store
from kept_records import keep

Serve = Callable[..., httpx.Client]
NOON = 1_900_000_800 * 10**9 + 123_456_789
"""2030-03-17 18:00:00 UTC and some nanoseconds: no retention drops it."""
TRACE = "0000000000000000a3ce929d0e0e4736"
AWKWARD = 'says "hi" \\ \u2028 é 🐘\n\t'


def _resource(request: Any, service: str) -> Any:
    resources = request.resource_spans if hasattr(request, "resource_spans") else request.resource_logs
    resource = resources.add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    resource.resource.attributes.add(key="process.pid").value.int_value = 42
    return resource


def _spans() -> ExportTraceServiceRequest:
    """Return spans of two services and three scopes, with everything that a span can have."""
    request = ExportTraceServiceRequest()
    shop, cart = _resource(request, "shop"), _resource(request, "cart")
    scopes = [shop.scope_spans.add(), shop.scope_spans.add(), cart.scope_spans.add()]
    for number, scope in enumerate(scopes):
        scope.scope.name, scope.scope.version = f"scope {number}", "1.0" if number else ""
        for place in range(2):
            order = number * 2 + place
            span = scope.spans.add(
                trace_id=bytes.fromhex(TRACE),
                span_id=bytes([order + 1]) * 8,
                parent_span_id=bytes([order]) * 8 if order else b"",
                name=f"step {order} {AWKWARD}",
                kind=Span.SpanKind.ValueType(order),
                start_time_unix_nano=NOON + order,
                end_time_unix_nano=NOON + 10**9 - order,
                trace_state="vendor=1" if order == 1 else "",
            )
            span.status.code = Status.StatusCode.ValueType(order % 3)
            span.status.message = AWKWARD if order % 3 == 2 else ""
            span.attributes.add(key=AWKWARD).value.string_value = AWKWARD
            span.attributes.add(key="retries").value.int_value = 2**63 - 1
            span.attributes.add(key="ratio").value.double_value = 0.1
            span.attributes.add(key="cached").value.bool_value = True
            span.attributes.add(key="tags").value.array_value.values.add().string_value = "a"
            event = span.events.add(name="exception", time_unix_nano=NOON + order + 7)
            event.attributes.add(key="exception.type").value.string_value = "ValueError"
            span.events.add(name="bare", time_unix_nano=NOON)
            link = span.links.add(trace_id=b"\7" * 16, span_id=b"\x08" * 8, trace_state="a=b")
            link.attributes.add(key="why").value.string_value = "batch"
    return request


def _logs() -> ExportLogsServiceRequest:
    """Return log records of the trace, of two services."""
    request = ExportLogsServiceRequest()
    for number, service in enumerate(("shop", "cart")):
        scope = _resource(request, service).scope_logs.add()
        scope.scope.name = "logger"
        scope.scope.attributes.add(key="module").value.string_value = service
        record = scope.log_records.add(
            time_unix_nano=NOON + number, trace_id=bytes.fromhex(TRACE), span_id=b"\1" * 8, flags=1
        )
        record.severity_number, record.severity_text = 17, "ERROR"
        record.body.string_value = AWKWARD
        record.event_name = "order.failed" if number else ""
        record.attributes.add(key="order.id").value.int_value = number
    return request


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    """Keep the trace, and a span of another."""
    request = _spans()
    keep(store, RequestKind.TRACES, Signal.TRACES, request, "e-0")
    keep(store, RequestKind.LOGS, Signal.LOGS, _logs(), "e-1")
    return store


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with that store."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """Run another collector, with nothing in it."""
    process = CollectorProcess(tmp_path_factory.mktemp("elsewhere") / "data")
    try:
        process.endpoints()
        yield process
        assert process.stop() == 0
    finally:
        if process.alive:
            process.kill()


def exported(client: httpx.Client, signal: str) -> bytes:
    """Return an export of the trace."""
    answer = client.get(f"/api/v1/traces/{TRACE.upper()}/export", params={"signal": signal})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    name = f'attachment; filename="trace-{TRACE}-{signal}.json"'
    assert answer.headers["content-disposition"] == name
    return answer.content


def without_ids(trace: dict[str, Any]) -> dict[str, Any]:
    """Return a trace as it is told, without what names where its log records are stored."""
    return trace | {"logs": [{k: v for k, v in log.items() if k != "id"} for log in trace["logs"]]}


def test_what_was_exported_reads_the_same_elsewhere(
    client: httpx.Client, elsewhere: CollectorProcess, tmp_path: Path
) -> None:
    """Spans by OTLP/HTTP, log records by `glasshouse send`; the trace and its exports are the same there."""
    here = client.get(f"/api/v1/traces/{TRACE}").json()
    assert (len(here["spans"]), len(here["logs"])) == (6, 2)
    addresses = elsewhere.endpoints()
    sent = httpx.post(
        f"http://{addresses['http']}/v1/traces",
        content=exported(client, "traces"),
        headers={"Content-Type": "application/json"},
    )
    assert (sent.status_code, sent.json()) == (200, {})
    file = tmp_path / "trace.jsonl"
    file.write_bytes(exported(client, "logs"))
    program = Path(sys.executable).parent / "glasshouse"
    told = subprocess.run(
        [program, "send", file, "--endpoint", f"http://{addresses['grpc']}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert "2 log records" in told.stdout
    with httpx.Client(base_url=f"http://{addresses['api']}", timeout=60) as there:

        def arrived() -> bool:
            answer = there.get(f"/api/v1/traces/{TRACE}")
            return answer.status_code == 200 and all(answer.json()[it] for it in ("spans", "logs"))

        until(arrived, "the trace is kept elsewhere")
        assert without_ids(there.get(f"/api/v1/traces/{TRACE}").json()) == without_ids(here)
        for signal in ("traces", "logs"):
            assert exported(there, signal) == exported(client, signal)


def as_kept(message: Any) -> Any:
    """Return a request as the store keeps it: attributes by key, their values as text."""
    texts = {"process.pid": "42", "retries": str(2**63 - 1), "ratio": "0.1", "cached": "true"}
    for resource in message.resource_spans:
        spans = [span for scope in resource.scope_spans for span in scope.spans]
        for having in (resource.resource, *spans):
            for attribute in having.attributes:
                text = (texts | {"tags": '["a"]'}).get(attribute.key)
                if text is not None:
                    attribute.value.string_value = text
            having.attributes.sort(key=lambda attribute: attribute.key.encode())
    return message


def test_the_document_is_otlp(client: httpx.Client) -> None:
    """Each resource and scope stands there once; all but the types of values is as it was sent."""
    document = to_protobuf(RequestKind.TRACES, exported(client, "traces"))
    assert ExportTraceServiceRequest.FromString(document) == as_kept(_spans())


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_an_export_is_whole_or_refused(filled: Store, signal: Any) -> None:
    """A trace with more than a document may hold is a 422 that says where to read it instead."""
    with pytest.raises(Problem, match=r"more than 1 (spans|log records), .*POST /sql") as refused:
        read_export(filled.of_project("default"), TRACE, signal, QueryLimits(), most=1)
    assert refused.value.status_code == 422


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        (f"{'ab' * 16}/export", 404, f"nothing is kept of trace {'ab' * 16}"),
        ("x/export", 400, "'x' is no trace id: 32 hex digits are expected"),
        (f"{TRACE}/export?signal=metrics", 400, "signal: one of traces or logs is expected, not 'metrics'"),
        (f"{TRACE}/export?format=csv", 400, "format: there is no such parameter"),
    ],
)
def test_what_cannot_be_exported_is_told(client: httpx.Client, path: str, status: int, told: str) -> None:
    """By one line."""
    answer = client.get(f"/api/v1/traces/{path}")
    assert answer.status_code == status
    assert told in answer.json()["detail"]


def test_another_projects_trace_is_not_exported(filled: Store) -> None:
    """Its id opens nothing."""
    for signal in ("traces", "logs"):
        assert read_export(filled.of_project("other"), TRACE, signal, QueryLimits()) is None
