"""Attributes: keys with exact counts, values of a sample, from a real store."""

import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.api import create_app
from glasshouse_collector.api.attributes.estimate import estimate_distinct
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import Store
from kept_records import keep

Serve = Callable[..., httpx.Client]
NOON = 1_900_000_800 * 10**9
"""2030-03-17 18:00:00 UTC: no retention drops it."""
SPAN = {"start_time": "2030-03-17T17:50:00Z", "end_time": "2030-03-17T18:20:00Z"}
MANY = 3000
"""More than are looked at one by one in a batch."""


def _put(into: Any, told: dict[str, str]) -> None:
    for key, value in told.items():
        into.add(key=key).value.string_value = value


def spans(service: str, attributes: list[dict[str, str]], time: int = NOON) -> ExportTraceServiceRequest:
    """Return a request of a span for each set of attributes."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    _put(group.resource.attributes, {"service.name": service, "host.name": "node-1"})
    scope = group.scope_spans.add()
    for number, told in enumerate(attributes):
        span = scope.spans.add(
            trace_id=b"\x01" * 16, span_id=(number + 1).to_bytes(8), name="work", start_time_unix_nano=time
        )
        _put(span.attributes, told)
    return request


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    """Return a store with few spans, many, log records and metrics."""
    few = [{"route": "/cart", "only": "here"}, {"route": "/cart"}, {"route": "/pay"}, {}]
    keep(store, RequestKind.TRACES, Signal.TRACES, spans("few", few), "few")
    many = [{"id": f"id-{number}", "kind": "ab"[number % 2]} for number in range(MANY)]
    many[MANY // 2 + 1]["once"] = "rare"
    keep(store, RequestKind.TRACES, Signal.TRACES, spans("many", many), "many")
    later = [{"route": "/later"}]
    keep(store, RequestKind.TRACES, Signal.TRACES, spans("few", later, NOON + 3600 * 10**9), "later")
    keep(store, RequestKind.TRACES, Signal.TRACES, spans("few", [{"route": "/x"}]), "other", "theirs")
    logs = ExportLogsServiceRequest()
    group = logs.resource_logs.add()
    _put(group.resource.attributes, {"service.name": "few"})
    scope = group.scope_logs.add()
    _put(scope.scope.attributes, {"library": "structlog"})
    _put(scope.log_records.add(time_unix_nano=NOON).attributes, {"order": "1"})
    keep(store, RequestKind.LOGS, Signal.LOGS, logs, "logs")
    metrics = ExportMetricsServiceRequest()
    of_service = metrics.resource_metrics.add()
    _put(of_service.resource.attributes, {"service.name": "few"})
    metric = of_service.scope_metrics.add().metrics.add(name="queue.length")
    for queue in ("in", "in", "out"):
        _put(metric.gauge.data_points.add(time_unix_nano=NOON, as_int=1).attributes, {"queue": queue})
    keep(store, RequestKind.METRICS, Signal.METRICS_GAUGE, metrics, "metrics")
    return store


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with that store."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


def ask(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    """Return an answer about the half hour."""
    answer = client.get("/api/v1/attributes", params={**SPAN, **asked})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def counts(told: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Return the records of each place and key."""
    return {(it["place"], it["key"]): it["records"] for it in told["attributes"]}


def test_keys_are_counted_exactly(client: httpx.Client) -> None:
    """Also where values are of a sample; one that came once among thousands is there."""
    assert counts(ask(client, service_name="few")) == {
        ("resource", "host.name"): 4,
        ("resource", "service.name"): 4,
        ("own", "route"): 3,
        ("own", "only"): 1,
    }
    assert counts(ask(client, service_name="many")) == {
        ("own", "id"): MANY,
        ("own", "kind"): MANY,
        ("own", "once"): 1,
        ("resource", "host.name"): MANY,
        ("resource", "service.name"): MANY,
    }
    assert counts(ask(client))["resource", "service.name"] == MANY + 4


def test_values_are_estimated(client: httpx.Client) -> None:
    """How many there are: exactly of few records, within a tenth of many, one each of ids."""
    told = {it["key"]: it for it in ask(client, service_name="many")["attributes"]}
    assert told["id"]["distinct_values"] == pytest.approx(MANY, rel=0.1)
    assert told["kind"]["distinct_values"] == 2
    told = {it["key"]: it for it in ask(client, service_name="few")["attributes"]}
    assert told["route"]["distinct_values"] == 2
    assert told["route"]["last_seen"] == "2030-03-17T18:00:00.000000000Z"


def test_values_of_few_records_are_exact(client: httpx.Client) -> None:
    """With their counts, and not told as a sample."""
    told = ask(client, key="route")
    assert told["values"] == [{"value": "/cart", "records": 2}, {"value": "/pay", "records": 1}]
    assert (told["records"], told["distinct_values"]) == (3, 2)
    assert (told["sampled"], told["truncated"]) == (False, False)


def test_values_of_many_records_are_scaled(client: httpx.Client) -> None:
    """Two halves come out as halves; of ids there are too many, and it is said."""
    told = ask(client, key="kind")
    assert told["sampled"]
    assert {it["value"] for it in told["values"]} == {"a", "b"}
    assert sum(it["records"] for it in told["values"]) == pytest.approx(MANY, rel=0.01)
    ids = ask(client, key="id")
    assert ids["sampled"]
    assert ids["truncated"]
    assert 0 < len(ids["values"]) <= 100


def test_a_rare_keys_values_may_be_missing(client: httpx.Client) -> None:
    """The key is known, what it was is not: the answer says that it is of a sample."""
    told = ask(client, key="once")
    assert (told["records"], told["values"], told["sampled"]) == (1, [], True)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"key": "resource.host.name", "service_name": "few"}, {"node-1": 4}),
        ({"key": "host.name", "place": "resource", "service_name": "few"}, {"node-1": 4}),
        ({"key": "route", "text": "PAY"}, {"/pay": 1}),
        ({"key": "route", "limit": 1}, {"/cart": 2}),
        ({"key": "route", "project": "theirs"}, {"/x": 1}),
        ({"key": "route", "end_time": "2030-03-17T20:00:00Z"}, {"/cart": 2, "/pay": 1, "/later": 1}),
        ({"key": "library", "signal": "logs"}, {"structlog": 1}),
        ({"key": "order", "signal": "logs"}, {"1": 1}),
        ({"key": "queue", "signal": "metrics"}, {"in": 2, "out": 1}),
        ({"key": "service.name", "signal": "metrics", "text": "FEW"}, {"few": 3}),
    ],
)
def test_values_hold_what_is_asked(
    client: httpx.Client, asked: dict[str, Any], expected: dict[str, int]
) -> None:
    """By place, text, limit, project, time and signal."""
    told = ask(client, **asked)
    assert {it["value"]: it["records"] for it in told["values"]} == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"signal": "logs"}, {("own", "order"): 1, ("resource", "service.name"): 1, ("scope", "library"): 1}),
        ({"signal": "logs", "place": "scope"}, {("scope", "library"): 1}),
        ({"signal": "metrics"}, {("own", "queue"): 3, ("resource", "service.name"): 3}),
        ({"signal": "metrics", "place": "scope"}, {}),
        ({"text": "ROU"}, {("own", "route"): 3}),
        ({"service_name": "few", "place": "own"}, {("own", "route"): 3, ("own", "only"): 1}),
        ({"service_name": "none-such"}, {}),
        ({"project": "theirs", "place": "own"}, {("own", "route"): 1}),
        ({"start_time": "2031-01-01T00:00:00Z", "end_time": "2031-01-02T00:00:00Z"}, {}),
    ],
)
def test_keys_hold_what_is_asked(
    client: httpx.Client, asked: dict[str, Any], expected: dict[tuple[str, str], int]
) -> None:
    """By signal, place, text, service, project and time."""
    assert counts(ask(client, **asked)) == expected


def test_a_limit_says_that_there_are_more(client: httpx.Client) -> None:
    """And which range it was, in whole quarter hours."""
    told = ask(client, limit=1)
    assert (len(told["attributes"]), told["truncated"]) == (1, True)
    assert told["start_time"] == "2030-03-17T17:45:00.000000000Z"
    assert told["end_time"] == "2030-03-17T18:30:00.000000000Z"


def test_rows_are_exported(client: httpx.Client) -> None:
    """Keys, or values."""
    keys = client.get("/api/v1/attributes", params=SPAN | {"format": "csv", "service_name": "few"}).text
    assert keys.splitlines()[0] == "key,place,records,distinct_values,last_seen"
    values = client.get("/api/v1/attributes", params=SPAN | {"format": "csv", "key": "route"}).text
    assert values.splitlines() == ["value,records", "/cart,2", "/pay,1"]


def test_a_key_that_nothing_has_is_missing(client: httpx.Client) -> None:
    """A 404 that names it, for each signal."""
    for signal in ("traces", "logs", "metrics"):
        answer = client.get("/api/v1/attributes", params=SPAN | {"signal": signal, "key": "no'such"})
        assert answer.status_code == 404
        assert answer.json()["detail"] == f'no record of {signal} has the attribute "no\'such" in this time'


@pytest.mark.parametrize("name", ["key", "text", "service_name"])
@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
def test_hostile_values_are_only_values(client: httpx.Client, name: str, signal: str) -> None:
    """They find nothing, or are refused: nothing of them becomes part of a query."""
    for value in ("' OR 1=1 --", "\\' OR 1", "{p0:String}", "x\x00y", "'; DROP TABLE otel_logs", "é" * 900):
        answer = client.get("/api/v1/attributes", params=SPAN | {"signal": signal, name: value})
        assert answer.status_code in {200, 404}
        assert answer.json().get("attributes", []) == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"signal": "spans"}, "signal: one of traces, logs or metrics is expected, not 'spans'"),
        ({"place": "span"}, "place: one of own, resource or scope is expected, not 'span'"),
        ({"limit": 0}, "limit: 1 or more is expected, not '0'"),
        ({"key": "x" * 10_000}, "key: at most 1000 characters are expected"),
        ({"start_time": "now", "end_time": "now-1h"}, "start_time: a time before end_time is expected"),
    ],
)
def test_wrong_parameters_are_told(client: httpx.Client, asked: dict[str, Any], said: str) -> None:
    """Each says which, and what would be right."""
    answer = client.get("/api/v1/attributes", params=asked)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(said)


@given(records=st.integers(1, 10**7), sampled=st.integers(0, 10**5), found=st.integers(0, 10**5))
def test_an_estimate_lies_between_what_was_found_and_all(records: int, sampled: int, found: int) -> None:
    """Never fewer values than the sample shows, never more than there are records."""
    sampled, found = min(sampled, records), min(found, sampled, records)
    assert found <= estimate_distinct(found, sampled, records) <= records


@pytest.mark.parametrize("values", [2, 50, 1000, 100_000])
def test_estimates_of_even_values_come_close(values: int) -> None:
    """Where each value is as frequent as any other, within 15 % of how many there are."""
    records, step = 1_000_000, 97
    chance = random.Random(values)
    shown = {chance.randrange(values) for _ in range(0, records, step)}
    assert estimate_distinct(len(shown), len(range(0, records, step)), records) == pytest.approx(
        values, rel=0.15
    )
