"""Two traces side by side: matched by structure, with what took longer, failed, or differs."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.api import create_app
from glasshouse_collector.api.traces.comparing import read_comparison
from glasshouse_collector.api.traces.matching import ShapedTrace, match_traces
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import QueryLimits, Store
from kept_records import keep

Serve = Callable[..., httpx.Client]
NOON = 1_900_000_800 * 10**9
"""2030-03-17 18:00:00 UTC: no retention drops it."""
MS = 10**6
FAST, SLOW, OTHER = (f"{number:02x}" * 16 for number in (0xA1, 0xB2, 0xC3))

# number, parent, service, name, start and end in milliseconds, status, attributes
Row = tuple[int, int, str, str, int, int, int, dict[str, str]]
TRACES: dict[str, list[Row]] = {
    FAST: [
        (1, 0, "shop", "GET /cart", 0, 100, 0, {"http.route": "/cart", "user.id": "1"}),
        (2, 1, "cart", "SELECT", 10, 30, 0, {"db.rows": "3"}),
        (3, 1, "cart", "SELECT", 40, 60, 2, {}),
        (4, 1, "mail", "send", 70, 80, 2, {}),
    ],
    SLOW: [
        (
            0x11,
            0,
            "shop",
            "GET /cart",
            0,
            900,
            0,
            {"http.route": "/cart", "user.id": "2", "retry": "x" * 3000},
        ),
        (0x12, 0x11, "cart", "SELECT", 10, 30, 0, {"db.rows": "3"}),
        (0x13, 0x11, "cart", "SELECT", 40, 740, 2, {}),
        (0x14, 0x11, "cart", "SELECT", 750, 760, 0, {}),
        (0x15, 0x14, "db", "lock", 752, 758, 2, {}),
    ],
    OTHER: [(0x21, 0, "shop", "POST /order", 0, 10, 0, {})],
}


def _request(trace: str) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for number, parent, service, name, start, end, status, attributes in TRACES[trace]:
        resource = request.resource_spans.add()
        versions = {FAST: "1.0", SLOW: "1.1"}
        for key, value in (("service.name", service), ("service.version", versions.get(trace, "1.0"))):
            if service == "cart" or key == "service.name":
                resource.resource.attributes.add(key=key).value.string_value = value
        span = resource.scope_spans.add().spans.add(
            trace_id=bytes.fromhex(trace),
            span_id=number.to_bytes(8, "big"),
            parent_span_id=parent.to_bytes(8, "big") if parent else b"",
            name=name,
            start_time_unix_nano=NOON + start * MS,
            end_time_unix_nano=NOON + end * MS,
        )
        span.status.code = status  # type: ignore[assignment]
        span.status.message = f"failed in {name}" if status == 2 else ""
        for key, value in attributes.items():
            span.attributes.add(key=key).value.string_value = value
    return request


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    """Keep the traces, one of them in another project."""
    for trace in TRACES:
        project = "elsewhere" if trace == OTHER else "default"
        keep(store, RequestKind.TRACES, Signal.TRACES, _request(trace), f"c-{trace}", project)
    return store


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with the traces."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


def compared(client: httpx.Client, a: str, b: str) -> dict[str, Any]:
    """Return a comparison."""
    answer = client.get("/api/v1/traces/compare", params={"a": a, "b": b.upper()})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_spans_are_matched_by_where_they_stand(client: httpx.Client) -> None:
    """The nth of a service's operation beneath the same path; the rest is of one trace alone."""
    told = compared(client, FAST, SLOW)
    assert [
        (it["id"], it["parent"], it["depth"], it["service_name"], it["occurrence"], it["found_in"])
        for it in told["nodes"]
    ] == [
        (0, None, 0, "shop", 1, "both"),
        (1, 0, 1, "cart", 1, "both"),
        (2, 0, 1, "cart", 2, "both"),
        (3, 0, 1, "mail", 1, "a"),
        (4, 0, 1, "cart", 3, "b"),
        (5, 4, 2, "db", 1, "b"),
    ]
    slower = told["nodes"][2]
    assert slower["a"] == {
        "span_id": f"{3:016x}",
        "start_offset_ns": 40 * MS,
        "duration_ns": 20 * MS,
        "self_time_ns": 20 * MS,
        "status": "Error",
    }
    assert (slower["duration_difference_ns"], slower["self_time_difference_ns"]) == (680 * MS, 680 * MS)
    alone = told["nodes"][3]
    assert (alone["b"], alone["duration_difference_ns"], alone["attributes"]) == (None, None, [])


def test_the_whole_is_told_with_what_made_the_difference(client: httpx.Client) -> None:
    """Durations, and the operations by how much longer they were at work themselves."""
    told = compared(client, FAST, SLOW)
    assert told["a"] == {
        "trace_id": FAST,
        "start_time": "2030-03-17T18:00:00.000000000Z",
        "duration_ns": 100 * MS,
        "spans": 4,
        "errors": 2,
        "truncated": False,
    }
    assert (told["b"]["duration_ns"], told["b"]["spans"]) == (900 * MS, 5)
    assert told["duration_difference_ns"] == 800 * MS
    assert [
        (it["operation"], it["spans_a"], it["spans_b"], it["self_time_difference_ns"] // MS)
        for it in told["contributors"]
    ] == [("SELECT", 2, 3, 684), ("GET /cart", 1, 1, 120), ("send", 1, 0, -10), ("lock", 0, 1, 6)]


def test_errors_and_attributes_that_differ_are_told(client: httpx.Client) -> None:
    """What failed in one alone; what a matched span, or a service's resource, has else than the other."""
    told = compared(client, FAST, SLOW)
    assert [(it["node"], it["operation"], it["message"]) for it in told["errors_appeared"]] == [
        (5, "lock", "failed in lock")
    ]
    assert [(it["node"], it["span_id"]) for it in told["errors_gone"]] == [(3, f"{4:016x}")]
    assert told["nodes"][0]["attributes"] == [
        {"key": "retry", "a": None, "b": "x" * 1000 + "…"},
        {"key": "user.id", "a": "1", "b": "2"},
    ]
    assert told["nodes"][1]["attributes"] == []
    assert told["services"] == [
        {
            "service_name": "cart",
            "resource_attributes": [{"key": "service.version", "a": "1.0", "b": "1.1"}],
        }
    ]


def test_a_trace_is_the_same_as_itself(client: httpx.Client) -> None:
    """Nothing differs."""
    told = compared(client, SLOW, SLOW)
    assert told["duration_difference_ns"] == 0
    assert [told[name] for name in ("contributors", "errors_appeared", "errors_gone", "services")] == [[]] * 4
    assert {it["found_in"] for it in told["nodes"]} == {"both"}
    assert [it["attributes"] for it in told["nodes"]] == [[]] * 5


def test_of_a_long_trace_the_first_spans_are_compared(filled: Store) -> None:
    """And that there are more is told."""
    told = read_comparison(filled.of_project("default"), FAST, SLOW, QueryLimits(), most=4)
    assert (told.a.truncated, told.b.truncated) == (False, True)
    assert (told.a.spans, told.b.spans) == (4, 4)
    assert [node.found_in for node in told.nodes] == ["both", "both", "both", "a", "b"]


@pytest.mark.parametrize(
    ("asked", "status", "detail"),
    [
        ({"a": FAST}, 400, "b: a value is needed"),
        ({"a": "x", "b": SLOW}, 400, "a: 'x' is no trace id: 32 hex digits are expected"),
        ({"a": FAST, "b": "'; DROP TABLE otel_traces"}, 400, "b: "),
        ({"a": FAST, "b": "ff" * 16}, 404, f"b: no span is kept of trace {'ff' * 16}"),
        ({"a": OTHER, "b": FAST}, 404, f"a: no span is kept of trace {OTHER}"),
    ],
)
def test_what_cannot_be_compared_is_told(
    client: httpx.Client, asked: dict[str, str], status: int, detail: str
) -> None:
    """By the parameter; another project's trace is none that is kept."""
    answer = client.get("/api/v1/traces/compare", params=asked)
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(detail)


def test_nodes_are_exported_as_rows(client: httpx.Client) -> None:
    """One line a place, the sides' fields as columns."""
    answer = client.get("/api/v1/traces/compare", params={"a": FAST, "b": SLOW, "format": "csv"})
    lines = answer.text.splitlines()
    assert len(lines) == 7
    assert {"a.duration_ns", "b.self_time_ns"} <= set(lines[0].split(","))


SPANS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from("xy"), st.integers(0, 50)), max_size=12
)


def shaped(spans: list[tuple[int, int, str, int]]) -> ShapedTrace:
    """Return a trace that may be damaged: parents that are missing or circular, ids that come twice."""
    spans = sorted(spans, key=lambda it: it[3])
    return ShapedTrace.of(
        [
            {
                "SpanId": str(number),
                "ParentSpanId": str(parent) if parent else "",
                "ServiceName": name,
                "SpanName": name,
                "Nanos": str(start),
                "Duration": "5",
            }
            for number, parent, name, start in spans
        ]
    )


@given(SPANS, SPANS)
def test_every_span_stands_at_one_place(first: list[Any], second: list[Any]) -> None:
    """Of damaged traces too; parents come first, and no two places are alike."""
    a, b = shaped(first), shaped(second)
    nodes = list(match_traces(a, b))
    assert sorted(it.a for it in nodes if it.a is not None) == list(range(len(first)))
    assert sorted(it.b for it in nodes if it.b is not None) == list(range(len(second)))
    seen: set[int] = set()
    places: Counter[tuple[int, str, int]] = Counter()
    for node in nodes:
        assert node.parent is None or id(node.parent) in seen
        seen.add(id(node))
        places[id(node.parent), node.name, node.occurrence] += 1
    assert set(places.values()) <= {1}


@given(SPANS)
def test_a_trace_matches_itself_whole(spans: list[Any]) -> None:
    """Each span with itself."""
    trace = shaped(spans)
    assert all(node.a == node.b for node in match_traces(trace, trace))
