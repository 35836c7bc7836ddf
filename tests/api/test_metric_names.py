"""Which metrics there are, and what is told of one."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from glasshouse_collector.api import create_app
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import Store
from sent_metrics import DELTA, at, counter, gauge, labelled, number, send

Serve = Callable[..., httpx.Client]
DAY = {"start_time": "2030-03-17T00:00:00Z", "end_time": "2030-03-18T00:00:00Z"}


def _fill(store: Store) -> None:
    points = [number(second, second, start=-9, route=f"/{second % 3}") for second in range(30)]
    for host in ("a", "b"):
        send(store, counter("http.requests", *points, unit="1"), resource={"host.name": host})
    send(store, counter("http.requests", *points, unit="1"), service="cart")
    send(store, gauge("Queue.Length", number(5, 1), unit="{job}"))
    send(store, gauge("conflict", number(5, 1), unit="ms"))
    send(store, gauge("conflict", number(6, 1), unit="s"), service="cart")
    send(store, counter("conflict", number(7, 1), unit="s", temporality=DELTA), service="cart")
    point = labelled(otlp.HistogramDataPoint(time_unix_nano=at(3), count=0), None, {})
    data = otlp.Histogram(data_points=[point], aggregation_temporality=DELTA)
    send(store, otlp.Metric(name="http.duration", unit="s", description="How long it took", histogram=data))
    send(store, gauge("secret", number(5, 1, word="theirs")), project="theirs")


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    """Return a store with some metrics, one of them another project's."""
    _fill(store)
    return store


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with that store."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


def names(client: httpx.Client, **asked: Any) -> list[str]:
    """Return the names that are listed, a page after the other."""
    found, cursor = [], ""
    while True:
        answer = client.get("/api/v1/metrics/names", params={**DAY, **asked, "cursor": cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["metrics"]) <= asked.get("limit", 100)
        found += [metric["name"] for metric in page["metrics"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_metrics_are_listed_by_name(client: httpx.Client) -> None:
    """All of the project, by parts of their names, services and kinds; page by page the same."""
    every = ["Queue.Length", "conflict", "http.duration", "http.requests"]
    assert names(client) == every
    assert names(client, limit=1) == every
    assert names(client, text="QUEUE") == ["Queue.Length"]
    assert names(client, text="%") == []
    assert names(client, service_name="cart") == ["conflict", "http.requests"]
    assert names(client, kind="histogram") == ["http.duration"]
    assert names(client, start_time="2030-03-17T18:00:20Z") == ["http.requests"]
    assert names(client, end_time="2030-03-17T17:00:00Z") == []
    assert names(client, project="theirs") == ["secret"]


def test_a_listed_metric_is_told_with_its_facts(client: httpx.Client) -> None:
    """Kind, unit, temporality, who sends it, how many series it has."""
    listed = client.get("/api/v1/metrics/names", params={**DAY, "text": "http"}).json()["metrics"]
    duration, requests = listed
    assert requests == {
        "name": "http.requests",
        "kind": "sum",
        "unit": "1",
        "description": "",
        "temporality": "cumulative",
        "monotonic": True,
        "services": ["cart", "shop"],
        "series": 9,
        "points": 90,
        "first_seen": "2030-03-17T18:00:00.000000000Z",
        "last_seen": "2030-03-17T18:00:29.000000000Z",
        "conflicts": [],
    }
    assert (duration["description"], duration["temporality"]) == ("How long it took", "delta")


def test_senders_that_differ_are_told(client: httpx.Client) -> None:
    """A name of two kinds and units is one metric with conflicts, and a question has to choose."""
    told = client.get("/api/v1/metrics/conflict", params=DAY).json()
    assert told["conflicts"] == ["kind: gauge, sum", "unit: ms, s"]
    body = {"name": "conflict", "function": "sum", **DAY}
    refused = client.post("/api/v1/metrics/query", json=body)
    assert refused.json()["detail"] == "kind: conflict is of several; one of gauge, sum is expected"
    asked = client.post("/api/v1/metrics/query", json=body | {"kind": "gauge"}).json()
    assert asked["notes"] == ["some points have another unit: s"]
    wrong = client.post("/api/v1/metrics/query", json=body | {"kind": "summary"})
    assert wrong.json()["detail"] == "kind: conflict is a gauge, no summary"


def test_a_metric_is_told_with_its_attributes(client: httpx.Client) -> None:
    """Its own and its resources', with their most frequent values, and the functions that fit."""
    told = client.get("/api/v1/metrics/http.requests", params=DAY).json()
    attributes = {attribute["key"]: attribute for attribute in told["attributes"]}
    assert list(attributes) == ["route", "resource.host.name", "resource.service.name"]
    assert attributes["route"]["values"] == [{"value": f"/{number}", "points": 30} for number in range(3)]
    assert attributes["resource.host.name"]["distinct"] == 2
    assert told["sampled_points"] == 90
    assert told["functions"][:2] == ["rate", "increase"]
    assert "rate" not in client.get("/api/v1/metrics/Queue.Length", params=DAY).json()["functions"]


def test_what_is_not_there_is_told_with_what_is_near(client: httpx.Client) -> None:
    """A 404 names metrics that are written nearly so, and none of another project."""
    for answer in (
        client.get("/api/v1/metrics/http.request", params=DAY),
        client.post("/api/v1/metrics/query", json={"name": "http.request", "function": "rate"}),
    ):
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith(
            "no metric is called 'http.request'; there is http.requests"
        )
    earlier = client.get("/api/v1/metrics/http.requests", params=DAY | {"end_time": "2030-03-17T12:00:00Z"})
    assert earlier.status_code == 404
    assert earlier.json()["detail"] == "http.requests has no points in this range of time"
    unknown = client.get("/api/v1/metrics/secret", params=DAY)
    assert unknown.json()["detail"] == "no metric is called 'secret'"


def test_bad_parameters_are_named(client: httpx.Client) -> None:
    """With what would be right."""
    wrongs: tuple[dict[str, Any], ...] = (
        {"cursor": "%%%"},
        {"cursor": "gA"},
        {"limit": 0},
        {"kind": "none"},
        {"text": "x" * 1001},
    )
    for wrong in wrongs:
        answer = client.get("/api/v1/metrics/names", params=DAY | wrong)
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith(next(iter(wrong)))


def test_names_leave_as_other_formats(client: httpx.Client) -> None:
    """A row each metric."""
    answer = client.get("/api/v1/metrics/names", params={**DAY, "format": "csv"})
    assert len(answer.text.splitlines()) == 5
