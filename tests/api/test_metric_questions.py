"""What a question may be: formulas, exports, exemplars, projects, and what is refused."""

import io
from collections.abc import Callable
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from glasshouse_collector.api import create_app
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import Store
from sent_metrics import ask, at, by_label, counter, gauge, number, rfc, send, values

Serve = Callable[..., httpx.Client]
RANGE = {"start_time": rfc(0), "end_time": rfc(120), "step": "60s"}
HOSTILE = [
    "'",
    "\\",
    "x' OR 1=1 --",
    "{p0:String}",
    "\0",
    "é" * 300,
    "%",
    "`",
    "a=b'\\",
    "a\nb",
    "🦊",
    "); DROP TABLE x",
]


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    """Return a store with requests, failures, a level, and another project's."""
    for name, factor in (("served", 3), ("failed", 1)):
        for route, more in (("/x", 0), ("/y", 60)):
            points = [
                number(second, factor * (second + more * second / 60), route=route) for second in (0, 60, 120)
            ]
            send(store, counter(name, *points, unit="1"))
    send(store, gauge("limit", number(5, 60), number(65, 0)))
    send(store, gauge("only.here", number(5, 1, route="/x")))
    send(store, gauge("limit", number(5, 777, word="theirs")), project="theirs")
    return store


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with that store."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


def formula(
    client: httpx.Client, written: str, *, group_by: tuple[str, ...] = (), **queries: str
) -> httpx.Response:
    """Ask for a formula of queries, each `name:function`."""
    asked = {
        name: dict(zip(("name", "function"), query.split(":"), strict=True)) | {"group_by": group_by}
        for name, query in queries.items()
    }
    return client.post("/api/v1/metrics/formula", json=RANGE | {"queries": asked, "formula": written})


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("100 * b / (a + b)", [25, 25]),
        ("a - b * 2", [180, 180]),
        ("-(a - b) / -2", [180, 180]),
        ("a - b - 1", [359, 359]),
        ("a / b / 3 * 2 + 0.5", [2.5, 2.5]),
        ("(a) / (b - b)", [None, None]),
    ],
)
def test_formulas_are_computed(client: httpx.Client, written: str, expected: list[float | None]) -> None:
    """By the rules of arithmetic; what zero divides is unknown."""
    answer = formula(client, written, a="served:increase", b="failed:increase")
    assert answer.status_code == 200, answer.text
    assert values(answer.json()) == expected
    assert answer.json()["notes"] == ["a: cumulative", "b: cumulative"]


def test_series_meet_by_their_labels(client: httpx.Client) -> None:
    """What is on one side alone is left out; one without labels meets all."""
    told = formula(client, "a / b", group_by=("route",), a="served:increase", b="failed:increase").json()
    assert by_label(told) == {("/x",): [3, 3], ("/y",): [3, 3]}
    told = formula(client, "b / a", group_by=("route",), a="served:increase", b="only.here:last").json()
    assert list(by_label(told)) == [("/x",)]
    body = RANGE | {
        "queries": {
            "a": {"name": "served", "function": "increase", "group_by": ["route"]},
            "all": {"name": "served", "function": "increase"},
        },
        "formula": "a / all",
        "limit": 1,
    }
    told = client.post("/api/v1/metrics/formula", json=body).json()
    assert by_label(told) == {("/y",): pytest.approx([2 / 3, 2 / 3])}
    assert told["truncated"]


@pytest.mark.parametrize(
    ("written", "detail"),
    [
        ("a +", "a number, a bracket, or one of the queries (a) is expected at the end"),
        ("a b", "nothing is expected at 'b'"),
        ("(a", "a closing bracket is expected"),
        ("a ** 2", "a number, a bracket, or one of the queries (a) is expected at '*'"),
        ("__import__('os')", "numbers, names of queries, + - * / and brackets are expected at '__import__'"),
        ("b", "a number, a bracket, or one of the queries (a) is expected at 'b'"),
        ("1", "the query a is not in it"),
        ("(" * 60 + "a" + ")" * 60, "at most 20 brackets within each other are expected"),
        ("-" * 100 + "a", "at most 20 brackets within each other are expected"),
    ],
)
def test_what_is_no_formula_is_refused(client: httpx.Client, written: str, detail: str) -> None:
    """And where it is none is said."""
    answer = formula(client, written, a="served:increase")
    assert (answer.status_code, answer.json()["detail"]) == (400, f"formula: {detail}")


def test_answers_leave_as_flat_rows(client: httpx.Client) -> None:
    """A row each value that there is."""
    body = RANGE | {"name": "served", "function": "increase", "group_by": ["route"]}
    asked = client.post("/api/v1/metrics/query", json=body, params={"format": "csv"})
    assert asked.text.splitlines()[:2] == [
        "time,labels.route,value",
        "2030-03-17T18:00:00.000000000Z,/y,360.0",
    ]
    parquet = client.post("/api/v1/metrics/query", json=body, params={"format": "parquet"})
    assert pq.read_table(io.BytesIO(parquet.content)).num_rows == 4
    lines = client.post(
        "/api/v1/metrics/query", json=body, headers={"Accept": "application/x-ndjson"}
    ).text.splitlines()
    assert len(lines) == 4


def test_exemplars_lead_to_traces(client: httpx.Client, store: Store) -> None:
    """The largest of each series, once, those alone that have a trace."""

    def one(second: float, value: float, trace: int) -> otlp.Exemplar:
        told = otlp.Exemplar(time_unix_nano=at(second), as_double=value, span_id=b"\1" * 8)
        told.trace_id = bytes([trace]) * 16 if trace else b""
        told.filtered_attributes.add(key="user").value.string_value = "u"
        return told

    kept = [one(10 + number_of, number_of, number_of) for number_of in range(8)]
    points = [number(second, second, exemplars=kept, route="/x") for second in (30, 60)]
    send(store, counter("traced", *points, number(60, 1, exemplars=[one(1, 9, 9)], route="/y")))
    answer = ask(client, "traced", "last", group_by=["route"], exemplars=True)
    told = {series["labels"]["route"]: series["exemplars"] for series in answer["series"]}
    assert [exemplar["value"] for exemplar in told["/x"]] == [7, 6, 5, 4, 3]
    assert told["/y"] == [
        {
            "time": "2030-03-17T18:00:01.000000000Z",
            "value": 9,
            "trace_id": "09" * 16,
            "span_id": "01" * 8,
            "attributes": {"user": "u"},
        }
    ]
    assert ask(client, "traced", "last")["series"][0]["exemplars"] == []


def test_no_project_sees_anothers_points(client: httpx.Client) -> None:
    """The same name in two projects has each one's values."""
    assert values(ask(client, "limit", "last")) == [60, 0]
    body = RANGE | {"name": "limit", "function": "last", "group_by": ["word"]}
    told = client.post("/api/v1/metrics/query", json=body, params={"project": "theirs"}).json()
    assert by_label(told) == {("theirs",): [777, None]}


@pytest.mark.parametrize(
    ("wrong", "detail"),
    [
        ({"function": "median"}, "function: one of rate, increase, sum, avg"),
        ({"function": "quantile"}, "quantile: which one is expected, from 0 to 1"),
        ({"function": "sum", "quantile": 0.5}, "quantile: it goes with the function quantile alone"),
        ({"function": "quantile", "quantile": 2}, "quantile: 1 or less is expected, not 2"),
        ({"quantile": "NaN"}, "quantile: a number is expected, neither NaN nor an infinity"),
        ({"step": "1s", "start_time": rfc(-3600)}, "step: 3720 steps of 1s cover the range; at most 1000"),
        ({"step": "0s"}, "step: a length such as 30s, 5m, 1h or 1d is expected"),
        ({"steps": 1001}, "steps: 1000 or less is expected, not 1001"),
        ({"limit": 1000, "step": "1s", "end_time": rfc(900)}, "limit: at most 555 series of 900 steps"),
        ({"limit": 0}, "limit: 1 or more is expected, not 0"),
        ({"start_time": rfc(120)}, "start_time: a time before end_time is expected"),
        ({"start_time": "soon"}, "start_time: 'soon' is no time"),
        ({"end_time": "2262-01-01T00:00:00Z"}, "end_time: a time before the year 2261 is expected"),
        ({"where": ["=3"]}, "where: a key is expected"),
        ({"where": ["a>b"]}, "where: 'a>b': a number is expected after >"),
        ({"where": ["a"] * 21}, "where: at most 20 of them are expected"),
        ({"group_by": ["a"] * 11}, "group_by: at most 10 of them are expected"),
        ({"fill": "guess"}, "fill: one of null, zero, previous or linear is expected, not 'guess'"),
        ({"unknown": 1}, "unknown: there is no such field"),
        ({"name": ""}, "name: at least 1 character"),
        ({"function": "last", "name": "no.such"}, "no metric is called 'no.such'"),
    ],
)
def test_what_is_wrong_is_named(client: httpx.Client, wrong: dict[str, Any], detail: str) -> None:
    """The field, and what would be right."""
    body = RANGE | {"name": "limit", "function": "last"} | wrong
    answer = client.post("/api/v1/metrics/query", json=body)
    assert answer.status_code in {400, 404}
    assert answer.json()["detail"].startswith(detail)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_values_find_nothing(client: httpx.Client, hostile: str) -> None:
    """Nothing that was sent becomes part of a statement."""
    name, function = "served", "rate"
    questions: tuple[dict[str, list[str]], ...] = (
        {"where": [f"route={hostile}"]},
        {"where": [f"{hostile.strip('=<>!') or 'x'}"]},
        {"service_name": [hostile]},
    )
    for asked in questions:
        body: dict[str, Any] = RANGE | {"name": name, "function": function} | asked
        answer = client.post("/api/v1/metrics/query", json=body)
        assert answer.status_code == 400 or answer.json()["series"] == [], answer.text
    body = RANGE | {"name": name, "function": function, "group_by": [hostile]}
    assert list(by_label(client.post("/api/v1/metrics/query", json=body).json())) == [("",)]
    missing = client.post("/api/v1/metrics/query", json=RANGE | {"name": hostile, "function": "sum"})
    assert missing.status_code == 404
    for path in ("/api/v1/metrics/names", "/api/v1/metrics/x"):
        answer = client.get(path, params={"text": hostile, "service_name": hostile, "cursor": ""})
        assert answer.status_code < 500


def test_texts_that_are_no_unicode_are_refused(client: httpx.Client) -> None:
    """A lone surrogate in JSON, bytes that are no UTF-8, numbers beyond all bounds."""
    for body in (
        b'{"name": "\\ud800", "function": "sum"}',
        b'{"name": "\xff", "function": "sum"}',
        b'{"name": "limit", "function": "sum", "limit": 1e400}',
        b'{"name": "limit", "function": "quantile", "quantile": 1e400}',
        b'{"name": "limit", "function": "sum", "where": ["a>1e999"], "end_time": "99999-01-01T00:00:00Z"}',
        b"[]",
        b"null",
    ):
        answer = client.post(
            "/api/v1/metrics/query", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, answer.text
