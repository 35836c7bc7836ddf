"""Gauges, sums that rise and fall, and summaries: what was told last, and what is made of several."""

from collections.abc import Callable

import httpx
import pytest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from glasshouse_collector.api import create_app
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import Store
from sent_metrics import DELTA, ask, at, by_label, counter, gauge, labelled, number, send, values

Serve = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def client(shared_services: Services, store: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with the store."""
    shared_services.provide(Store, store)
    return shared_serve(create_app(shared_services))


def test_the_last_of_each_series_is_what_counts(client: httpx.Client, store: Store) -> None:
    """Then these are added, averaged, compared; what lies outside of the range is none of it."""
    first = [number(at, value, host="a") for at, value in ((-1, 99), (10, 1), (50, 2), (70, 5), (120, 99))]
    second = [number(at, value, host="b") for at, value in ((20, 40), (5, 30))]
    send(store, gauge("queue", *first, *second, unit="{job}"))
    asked = {"sum": [42, 5], "avg": [21, 5], "min": [2, 5], "max": [40, 5], "count": [2, 1], "last": [2, 5]}
    assert {function: values(ask(client, "queue", function)) for function in asked} == asked
    assert values(ask(client, "queue", "p75")) == [2 + 0.75 * 38, 5]
    assert values(ask(client, "queue", "quantile", quantile=1)) == [40, 5]
    assert by_label(ask(client, "queue", "last", group_by=["host"])) == {("b",): [40, None], ("a",): [2, 5]}
    assert (ask(client, "queue", "sum")["unit"], ask(client, "queue", "count")["unit"]) == ("{job}", "1")
    assert ask(client, "queue", "sum")["series"][0]["total"] is None


def test_doubled_points_have_one_value(client: httpx.Client, store: Store) -> None:
    """Of two values at one time it is always the same one, and it counts once."""
    send(store, gauge("doubled", number(10, 1), number(10, 4), number(10, 4)))
    told = values(ask(client, "doubled", "sum"))
    send(store, gauge("doubled", number(10, 4), number(10, 1)))
    assert values(ask(client, "doubled", "sum")) == told
    assert told[0] in {1, 4}


def test_no_number_is_no_value(client: httpx.Client, store: Store) -> None:
    """What is not finite, or says that it has no value, is passed over."""
    points = [number(10, 3), number(20, float("nan")), number(30, float("inf")), number(40, 0, flags=1)]
    send(store, gauge("broken", *points))
    assert values(ask(client, "broken", "last")) == [3, None]


def test_sums_that_fall_are_levels(client: httpx.Client, store: Store) -> None:
    """Cumulative ones are told as they are, deltas as the change in each step."""
    send(store, counter("open", number(10, 5), number(50, 3), number(70, 9), monotonic=False))
    assert values(ask(client, "open", "sum")) == [3, 9]
    changes = [number(30, 5, start=0), number(60, -7, start=30), number(90, 2, start=60)]
    send(store, counter("changes", *changes, monotonic=False, temporality=DELTA))
    assert values(ask(client, "changes", "sum")) == [-2, 2]
    refused = client.post("/api/v1/metrics/query", json={"name": "open", "function": "rate"})
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith(
        "function: rate does not fit a sum that rises and falls; one of"
    )


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("null", [None, 4, None, None, 10, None]),
        ("zero", [0, 4, 0, 0, 10, 0]),
        ("previous", [None, 4, 4, 4, 10, 10]),
        ("linear", [None, 4, 6, 8, 10, None]),
    ],
)
def test_gaps_are_filled_as_asked(
    client: httpx.Client, store: Store, fill: str, expected: list[float | None]
) -> None:
    """Nothing is made up before the first value, nor by a line after the last."""
    send(store, gauge(f"gaps-{fill}", number(65, 4), number(250, 10)))
    assert values(ask(client, f"gaps-{fill}", "last", 360, fill=fill)) == expected


def test_the_largest_series_are_told(client: httpx.Client, store: Store) -> None:
    """Up to the limit, the largest first, and it is said that there are more."""
    send(store, gauge("many", *(number(10, value, which=str(value)) for value in range(30))))
    answer = ask(client, "many", "last", group_by=["which"], limit=3)
    assert [series["labels"]["which"] for series in answer["series"]] == ["29", "28", "27"]
    assert answer["truncated"]
    assert len(ask(client, "many", "last", group_by=["which"])["series"]) == 20
    assert not ask(client, "many", "last", group_by=["which"], limit=30)["truncated"]


def _summary(
    seconds: float, count: int, total: float, told: dict[float, float], **labels: str
) -> otlp.Metric:
    point = otlp.SummaryDataPoint(time_unix_nano=at(seconds), count=count, sum=total)
    for quantile, value in told.items():
        point.quantile_values.add(quantile=quantile, value=value)
    labelled(point, -99, labels)
    return otlp.Metric(name="took", unit="s", summary=otlp.Summary(data_points=[point]))


def test_summaries_tell_their_own_quantiles(client: httpx.Client, store: Store) -> None:
    """The last ones, averaged over series; counts and sums rise as counters do."""
    for host, more in (("a", 0.0), ("b", 1.0)):
        for seconds in (0, 60, 120):
            told = {0.5: 1 + more, 0.99: 3 + more + seconds}
            send(store, _summary(seconds - 1, 10 + seconds, 100 + 2 * seconds, told, host=host))
    assert values(ask(client, "took", "p99")) == [63.5, 123.5]
    assert values(ask(client, "took", "p50", where=["host=b"])) == [2, 2]
    assert values(ask(client, "took", "count")) == pytest.approx([120, 118])
    assert values(ask(client, "took", "avg")) == [2, 2]
    body = {
        "name": "took",
        "function": "p90",
        "start_time": "2030-03-17T18:00:00Z",
        "end_time": "2030-03-17T19:00:00Z",
    }
    refused = client.post("/api/v1/metrics/query", json=body)
    assert refused.status_code == 400
    assert refused.json()["detail"] == "function: this summary tells the quantiles 0.5, 0.99; one is expected"
