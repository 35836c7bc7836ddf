"""Pages of trace summaries, over a real socket from a real store, held against a plain reading of all."""

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from glasshouse_collector.api import create_app
from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.traces.durations import parse_duration
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import Store
from kept_records import keep

Serve = Callable[..., httpx.Client]
NOON = 1_900_000_800 * 10**9
"""2030-03-17 18:00:00 UTC: no retention drops it."""
MINUTE = 60 * 10**9
SECOND = 10**9
SPAN = {"start_time": "2030-03-15T00:00:00Z", "end_time": "2030-03-19T00:00:00Z"}
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")
SORTS = ("newest", "oldest", "longest", "shortest", "most_spans", "most_errors")


@dataclass
class Sent:
    """A span as it was sent; times in nanoseconds."""

    trace: str
    number: int
    start: int
    duration: int
    service: str = "shop"
    name: str = "GET /"
    parent: int = 0
    kind: int = 2
    status: int = 0
    attributes: dict[str, str] = field(default_factory=dict)
    host: str = "node-1"


def _traces() -> list[list[Sent]]:
    """Return traces of some hours, a few of them hours long, without a root, or with late spans."""
    chance = random.Random(11)
    traces = []
    for number in range(1, 121):
        start = NOON - chance.choice([0, 1, 40 * MINUTE, 5 * 60 * MINUTE, 30 * 60 * MINUTE]) - number * SECOND
        spans = []
        for place in range(chance.choice([1, 2, 3, 8])):
            late = chance.choice([0, 1, 20, SECOND, 90 * MINUTE if number % 9 == 0 else 5])
            spans.append(
                Sent(
                    trace=f"{number:032x}",
                    number=place + 1,
                    start=start + (late if place else 0) + place,
                    duration=chance.choice([10, 10**6, SECOND, 3 * SECOND]),
                    service=chance.choice(["shop", "cart", "stock"]),
                    name=chance.choice(["GET /", "SELECT", "it's \\ 50%"]),
                    parent=0 if not place and number % 7 else 99 if not place else 1,
                    kind=chance.randrange(6),
                    status=chance.choices([0, 1, 2], [6, 2, 1])[0],
                    attributes={
                        key: chance.choice(["1", "2", "30", "é"])
                        for key in ("user.id", "retries", "k=v")
                        if chance.random() < 0.5
                    },
                    host=chance.choice(["node-1", "node-2"]),
                )
            )
        traces.append(spans)
    return traces


TRACES = _traces()


def request_of(spans: list[Sent]) -> ExportTraceServiceRequest:
    """Return the spans as a request."""
    request = ExportTraceServiceRequest()
    for sent in spans:
        resource = request.resource_spans.add()
        for key, value in (("service.name", sent.service), ("host.name", sent.host)):
            resource.resource.attributes.add(key=key).value.string_value = value
        span = resource.scope_spans.add().spans.add(
            trace_id=bytes.fromhex(sent.trace),
            span_id=sent.number.to_bytes(8, "big"),
            parent_span_id=sent.parent.to_bytes(8, "big") if sent.parent else b"",
            name=sent.name,
            kind=Span.SpanKind.ValueType(sent.kind),
            start_time_unix_nano=sent.start,
            end_time_unix_nano=sent.start + sent.duration,
        )
        span.status.code = sent.status  # type: ignore[assignment]
        for key, value in sent.attributes.items():
            span.attributes.add(key=key).value.string_value = value
    return request


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    """Keep the spans in batches, so that most traces lie in several."""
    spans = [span for spans in TRACES for span in spans]
    random.Random(3).shuffle(spans)
    days = sorted({span.start // (24 * 60 * MINUTE) for span in spans})
    for batch in range(3):
        for day in days:
            some = [it for it in spans[batch::3] if it.start // (24 * 60 * MINUTE) == day]
            keep(store, RequestKind.TRACES, Signal.TRACES, request_of(some), f"s-{batch}-{day}")
    return store


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with the traces."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


def found(client: httpx.Client, **asked: Any) -> list[dict[str, Any]]:
    """Return all traces that are asked for, read page by page."""
    traces: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(200):
        answer = client.get("/api/v1/traces", params=SPAN | asked | {"cursor": cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["traces"]) <= asked.get("limit", 50)
        traces += page["traces"]
        cursor = page["next_cursor"]
        if cursor is None:
            return traces
    raise AssertionError("the pages have no end")


def duration(spans: list[Sent]) -> int:
    """Return from the first start to the last end."""
    return max(it.start + it.duration for it in spans) - min(it.start for it in spans)


def errors(spans: list[Sent]) -> int:
    """Return how many failed."""
    return sum(it.status == 2 for it in spans)


VALUES: dict[str, Callable[[list[Sent]], int]] = {
    "newest": lambda spans: -min(it.start for it in spans),
    "oldest": lambda spans: min(it.start for it in spans),
    "longest": lambda spans: -duration(spans),
    "shortest": duration,
    "most_spans": lambda spans: -len(spans),
    "most_errors": lambda spans: -errors(spans),
}


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [7, 1000])
def test_every_trace_comes_once_in_its_order(client: httpx.Client, sort: str, limit: int) -> None:
    """Through all pages, however long they are."""
    traces = found(client, sort=sort, limit=limit)
    assert sorted(it["trace_id"] for it in traces) == sorted(spans[0].trace for spans in TRACES)
    by_id = {spans[0].trace: spans for spans in TRACES}
    values = [VALUES[sort](by_id[it["trace_id"]]) for it in traces]
    assert values == sorted(values)


def test_a_trace_is_told_by_what_it_has(client: httpx.Client) -> None:
    """Root, or the earliest span where there is none, services, spans, errors, status, duration."""
    told = {it["trace_id"]: it for it in found(client)}
    for spans in TRACES:
        trace = told[spans[0].trace]
        roots = [it for it in spans if not it.parent]
        first = min(roots or spans, key=lambda it: it.start)
        assert trace["root"] == {
            "span_id": f"{first.number:016x}",
            "service_name": first.service,
            "operation": first.name,
            "missing": not roots,
        }
        assert trace["start_time_unix_nano"] == str(min(it.start for it in spans))
        assert trace["duration_ns"] == duration(spans)
        assert (trace["spans"], trace["errors"]) == (len(spans), errors(spans))
        assert trace["status"] == status(spans)
        counted = {
            name: (
                sum(it.service == name for it in spans),
                errors([it for it in spans if it.service == name]),
            )
            for name in {it.service for it in spans}
        }
        assert {it["name"]: (it["spans"], it["errors"]) for it in trace["services"]} == counted
        assert trace["services"] == sorted(trace["services"], key=lambda it: (-it["spans"], it["name"]))


def status(spans: list[Sent]) -> str:
    """Return the status that a trace of these has."""
    return "error" if errors(spans) else "ok" if any(it.status == 1 for it in spans) else "unset"


def has(key: str, value: str) -> Callable[[list[Sent]], bool]:
    """Return whether a span has the attribute."""
    return lambda spans: any(it.attributes.get(key) == value for it in spans)


CASES: list[tuple[dict[str, Any], Callable[[list[Sent]], bool]]] = [
    ({"service_name": "cart"}, lambda spans: any(it.service == "cart" for it in spans)),
    ({"service_name": ["cart", "stock"]}, lambda spans: any(it.service != "shop" for it in spans)),
    ({"operation": "it's \\ 50%"}, lambda spans: any(it.name == "it's \\ 50%" for it in spans)),
    (
        {"service_name": "cart", "operation": "SELECT", "span_kind": "client"},
        lambda spans: any((it.service, it.name, it.kind) == ("cart", "SELECT", 3) for it in spans),
    ),
    ({"span_kind": ["producer", "consumer"]}, lambda spans: any(it.kind in {4, 5} for it in spans)),
    ({"min_duration": "2s"}, lambda spans: duration(spans) >= 2 * SECOND),
    ({"max_duration": "1ms"}, lambda spans: duration(spans) <= 10**6),
    ({"min_duration": "1s", "max_duration": "1h"}, lambda spans: SECOND <= duration(spans) <= 60 * MINUTE),
    ({"min_span_duration": "3s"}, lambda spans: any(it.duration >= 3 * SECOND for it in spans)),
    (
        {"max_span_duration": "10ns", "service_name": "shop"},
        lambda spans: any(it.duration <= 10 and it.service == "shop" for it in spans),
    ),
    ({"status": "error"}, lambda spans: status(spans) == "error"),
    ({"status": "ok"}, lambda spans: status(spans) == "ok"),
    ({"status": "unset"}, lambda spans: status(spans) == "unset"),
    ({"attribute": "user.id=30"}, has("user.id", "30")),
    ({"attribute": "user.id=é"}, has("user.id", "é")),
    (
        {"attribute": ["user.id=30", "retries=2"]},
        lambda spans: has("user.id", "30")(spans) and has("retries", "2")(spans),
    ),
    ({"attribute": "retries>1"}, lambda spans: has("retries", "2")(spans) or has("retries", "30")(spans)),
    ({"attribute": "retries"}, lambda spans: any("retries" in it.attributes for it in spans)),
    ({"attribute": "!retries"}, lambda spans: not any("retries" in it.attributes for it in spans)),
    (
        {"attribute": ["!retries", "user.id!=1", "user.id!=2", *(f"!none-{number}" for number in range(17))]},
        lambda spans: (
            not any("retries" in it.attributes or it.attributes.get("user.id") in {"1", "2"} for it in spans)
        ),
    ),
    (
        {"attribute": ["user.id", *(f"retries<{number}" for number in range(31, 50))]},
        lambda spans: (
            any("user.id" in it.attributes for it in spans)
            and any(it.attributes.get("retries") in {"1", "2", "30"} for it in spans)
        ),
    ),
    (
        {"attribute": ["user.id", "retries", "retries<31", "user.id=30", "retries=2"]},
        lambda spans: has("user.id", "30")(spans) and has("retries", "2")(spans),
    ),
    ({"attribute": "user.id!=30"}, lambda spans: not has("user.id", "30")(spans)),
    ({"attribute": "resource.host.name=node-2"}, lambda spans: any(it.host == "node-2" for it in spans)),
    (
        {"attribute": ["user.id", "retries=1", "!nothing"], "service_name": "stock", "status": "error"},
        lambda spans: (
            any("user.id" in it.attributes for it in spans)
            and has("retries", "1")(spans)
            and any(it.service == "stock" for it in spans)
            and status(spans) == "error"
        ),
    ),
    ({"attribute": "user.id=nobody"}, has("user.id", "nobody")),
    ({"attribute": "user.id=x' OR 1=1 --"}, has("user.id", "nobody")),
]


@pytest.mark.parametrize(("asked", "wanted"), CASES, ids=lambda it: str(it) if isinstance(it, dict) else "")
@pytest.mark.parametrize("sort", ["newest", "oldest", "longest"])
def test_what_is_asked_for_is_found_and_nothing_else(
    client: httpx.Client, asked: dict[str, Any], wanted: Callable[[list[Sent]], bool], sort: str
) -> None:
    """Conditions on one span, on any span of the trace, and on the trace as a whole."""
    traces = [it["trace_id"] for it in found(client, sort=sort, limit=20, **asked)]
    assert len(traces) == len(set(traces))
    assert sorted(traces) == sorted(spans[0].trace for spans in TRACES if wanted(spans))


@pytest.mark.parametrize("sort", SORTS)
def test_a_range_of_time_holds_for_spans(client: httpx.Client, sort: str) -> None:
    """A trace that began before is told where a span of it began within, and not for those after."""
    within = {"start_time": "2030-03-17T17:00:00Z", "end_time": "2030-03-17T17:59:00Z"}
    first, last = NOON - 60 * MINUTE, NOON - MINUTE
    expected = [
        spans[0].trace
        for spans in TRACES
        if any(first <= it.start < last and it.attributes.get("user.id") == "1" for it in spans)
    ]
    assert expected
    traces = found(client, sort=sort, limit=3, attribute="user.id=1", **within)
    assert sorted(it["trace_id"] for it in traces) == sorted(expected)


@pytest.fixture
def growing(services: Services, store: Store, serve: Serve) -> httpx.Client:
    """Return a client of the same store; the test adds to it on a day of its own."""
    services.provide(Store, store)
    return serve(create_app(services))


@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_pages_are_stable_while_traces_are_written(growing: httpx.Client, store: Store, sort: str) -> None:
    """New traces, before, between and after, repeat and displace nothing; nor do late spans."""
    day = NOON + (10 if sort == "newest" else 20) * 24 * 60 * MINUTE
    date = "2030-03-27" if sort == "newest" else "2030-04-06"
    asked: dict[str, Any] = {
        "start_time": f"{date}T00:00:00Z",
        "end_time": f"{date}T23:00:00Z",
        "sort": sort,
        "limit": 4,
    }

    def write(numbers: range, batch: str, *, shift: int = 0, span: int = 1) -> None:
        sent = [Sent(f"{number:032x}", span, day + number * SECOND + shift, 5) for number in numbers]
        keep(store, RequestKind.TRACES, Signal.TRACES, request_of(sent), f"{batch}-{sort}")

    write(range(1000, 1040, 2), "grow-1")
    told, cursor = [], ""
    for page in range(10):
        answer = growing.get("/api/v1/traces", params=asked | {"cursor": cursor}).json()
        told += [it["trace_id"] for it in answer["traces"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
        write(range(1001, 1041, 6), f"grow-2-{page}", shift=page + 1)
        if sort == "newest":  # an earlier span of what was told already moves it to where the next page is
            write(range(1038, 1030, -2), f"grow-3-{page}", shift=-9 * SECOND, span=2)
    there = [f"{number:032x}" for number in range(1000, 1040, 2)]
    assert len(told) == len(set(told))
    assert set(there) <= set(told)


def test_another_projects_traces_are_not_found(client: httpx.Client, store: Store) -> None:
    """Whatever is asked for, in whatever order; its own project finds it."""
    day = NOON + 30 * 24 * 60 * MINUTE
    theirs = [Sent("fe" * 16, 1, day, 5, attributes={"user.id": "theirs"}, status=2)]
    keep(store, RequestKind.TRACES, Signal.TRACES, request_of(theirs), "theirs", "theirs")
    within = {"start_time": "2030-04-16T00:00:00Z", "end_time": "2030-04-17T00:00:00Z"}
    for sort in SORTS:
        for asked in ({}, {"attribute": "user.id=theirs"}, {"attribute": "!k"}, {"status": "error"}):
            assert found(client, sort=sort, **within, **asked) == []
            [trace] = found(client, sort=sort, project="theirs", **within, **asked)
            assert trace["trace_id"] == "fe" * 16


@pytest.mark.parametrize(
    ("asked", "detail"),
    [
        (
            {"min_duration": "fast"},
            "min_duration: 'fast' is no duration; a number with ns, us, ms, s, m or h",
        ),
        ({"max_duration": "-1s"}, "max_duration: '-1s' is no duration"),
        ({"min_span_duration": "9" * 19 + "h"}, "min_span_duration: "),
        ({"max_span_duration": "\u0661s"}, "max_span_duration: "),
        ({"status": "failed"}, "status: one of error, ok or unset is expected, not 'failed'"),
        ({"span_kind": "SERVER"}, "span_kind.0: one of server, client"),
        ({"sort": "random"}, "sort: one of newest"),
        ({"limit": 1001}, "limit: 1000 or less is expected, not '1001'"),
        ({"limit": 0}, "limit: 1 or more is expected, not '0'"),
        ({"cursor": "x"}, "cursor: the next_cursor of an earlier answer is expected"),
        ({"cursor": "W10"}, "cursor: the next_cursor of an earlier answer is expected"),
        ({"cursor": "é" * 5000}, "cursor: the next_cursor of an earlier answer is expected"),
        ({"attribute": "=5"}, "attribute: a key is expected"),
        ({"attribute": "!"}, "attribute: a key is expected"),
        ({"attribute": "resource.!=5"}, "attribute: a key is expected"),
        ({"attribute": "retries>many"}, "attribute: 'retries>many': a number is expected after >"),
        ({"attribute": "k=" + "v" * 10_000}, "attribute: up to 1000 characters are expected"),
        ({"attribute": ["k"] * 21}, "attribute: at most 20 of them are expected"),
        ({"start_time": "yesterday"}, "start_time: 'yesterday' is no time"),
    ],
)
def test_what_cannot_be_asked_is_told(client: httpx.Client, asked: dict[str, Any], detail: str) -> None:
    """A wrong parameter is 400, by its name, with what would be right."""
    answer = client.get("/api/v1/traces", params=SPAN | asked)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(detail)


@pytest.mark.parametrize("sort", SORTS)
def test_a_forged_cursor_does_no_harm(client: httpx.Client, sort: str) -> None:
    """Whatever place it names, the answer is a page."""
    asked: dict[str, Any] = {"sort": sort, "limit": 2}
    made = client.get("/api/v1/traces", params=SPAN | asked).json()["next_cursor"]
    content = orjson.loads(base64.urlsafe_b64decode(made + "=" * (-len(made) % 4)))
    for within in ((0, 2**63 - 1), (2**63 - 2, 2**63 - 1), (5, 4)):
        for value in (0, 2**62, 2**63 - 1):
            forged = base64.urlsafe_b64encode(orjson.dumps([*within, value, *content[3:]])).decode()
            answer = client.get("/api/v1/traces", params=asked | {"cursor": forged})
            assert answer.status_code == 200, answer.text


def test_a_cursor_belongs_to_its_question(client: httpx.Client) -> None:
    """Another order or other conditions begin anew."""
    cursor = client.get("/api/v1/traces", params=SPAN | {"limit": 2}).json()["next_cursor"]
    for other in ({"sort": "oldest"}, {"service_name": "shop"}, {"attribute": "!user.id"}):
        answer = client.get("/api/v1/traces", params=SPAN | {"cursor": cursor} | other)
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("cursor: it belongs to a question with other conditions")


HOSTILE = ["'", "\\", "\0", "'; DROP TABLE otel_traces; --", "{p0:String}", "\ud7ff\u202e", "%", "x" * 10_000]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", ["service_name", "operation", "attribute", "cursor", "min_duration"])
def test_hostile_values_find_nothing(client: httpx.Client, name: str, value: str) -> None:
    """They are looked for as they are, or refused."""
    written = f"user.id={value}" if name == "attribute" else value
    answer = client.get("/api/v1/traces", params=SPAN | {name: written})
    assert answer.status_code == 400 or answer.json()["traces"] == [], answer.text


@pytest.mark.parametrize("query", ["service_name=%ff%fe", "attribute=%c3=%28", "operation=%00"])
def test_bytes_that_are_no_text_find_nothing(client: httpx.Client, query: str) -> None:
    """Bad UTF-8 in an address is no error of the server."""
    answer = client.get(f"/api/v1/traces?start_time=2030-03-15&end_time=2030-03-19&{query}")
    assert answer.status_code == 400 or answer.json()["traces"] == [], answer.text


def test_traces_are_exported_as_rows(client: httpx.Client) -> None:
    """One line a trace, its root's fields as columns."""
    answer = client.get("/api/v1/traces", params=SPAN | {"format": "csv", "limit": 3})
    lines = answer.text.splitlines()
    assert len(lines) == 4
    assert "root.operation" in lines[0].split(",")


@given(st.integers(0, 10**6), st.sampled_from([("ns", 1), ("us", 10**3), ("ms", 10**6), ("s", 10**9)]))
def test_durations_are_read_exactly(number: int, unit: tuple[str, int]) -> None:
    """Whole numbers and fractions, to the nanosecond."""
    assert parse_duration("d", f"{number}{unit[0]}") == number * unit[1]
    if unit[1] >= 10**3:
        assert parse_duration("d", f"{number}.125 {unit[0]}") == number * unit[1] + unit[1] // 8


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_problem(written: str) -> None:
    """Nothing else is raised."""
    try:
        nanoseconds = parse_duration("d", written)
    except Problem:
        return
    assert 0 <= nanoseconds < 2**63
