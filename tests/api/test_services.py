"""How services do and what they do, over a real socket from a real store."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

from glasshouse_collector.api import create_app
from glasshouse_collector.api.services.counts import duration_of
from glasshouse_collector.api.services.reading import status_of
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import Store
from kept_records import keep
from migrated_store import migrated_store
from service_spans import MILLISECOND, NOON, Made, spans_request, trace_id

Serve = Callable[..., httpx.Client]
SECOND = 10**9
HOUR = 3600 * SECOND
DAY = {"start_time": "2030-03-16T18:30:00Z", "end_time": "2030-03-17T18:30:00Z"}
OLD = {"service.version": "1.0", "deployment.environment": "live", "service.instance.id": "pod-1"}
NEW = {"service.version": "1.1", "deployment.environment.name": "live", "host.name": "node-2"}


def _shop() -> list[Made]:
    """Return 100 requests of the older release, then 20 of the newer, slower and failing, then calls."""
    older = [
        Made("shop", "server", n, 1, name="GET /cart", start=NOON - 5 * HOUR + n, resource=OLD)
        for n in range(1, 101)
    ]
    newer = [
        Made(
            "shop",
            "server",
            200 + n,
            1,
            name="GET /pay",
            start=NOON + n * SECOND,
            duration=50 * MILLISECOND,
            failed=n % 2 == 0,
            resource=NEW,
        )
        for n in range(20)
    ]
    calls = [
        Made("shop", "client", 200 + n, 2, 1, name="call cart", start=NOON + n * SECOND, resource=NEW)
        for n in range(20)
    ]
    asked = [Made("cart", "server", 200 + n, 3, 2, name="GET /", start=NOON + n * SECOND) for n in range(20)]
    return [*older, *newer, *calls, *asked]


def _logs(service: str, levels: list[int], start: int, beat: bool = False) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    of = request.resource_logs.add()
    of.resource.attributes.add(key="service.name").value.string_value = service
    for number, level in enumerate(levels):
        record = of.scope_logs.add().log_records.add(
            time_unix_nano=start + number, severity_number=SeverityNumber.ValueType(level)
        )
        record.event_name = "glasshouse.heartbeat" if beat else ""
    return request


def _gauge(service: str, time: int) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    of = request.resource_metrics.add()
    of.resource.attributes.add(key="service.name").value.string_value = service
    metric = of.scope_metrics.add().metrics.add(name="queue.length")
    metric.gauge.data_points.add(time_unix_nano=time, as_double=7)
    return request


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Lend a store with services known by spans, by log records, by metrics, and those of another project."""
    store = migrated_store(tmp_path_factory, "services")
    keep(store, RequestKind.TRACES, Signal.TRACES, spans_request(_shop()), "t-0")
    for number, (service, levels) in enumerate(
        [("shop", [9] * 8 + [13] * 2), ("writer", [9] * 9 + [17]), ("broken", [9] * 7 + [17, 17, 21])]
    ):
        logs = _logs(service, levels, NOON - HOUR)
        keep(store, RequestKind.LOGS, Signal.LOGS, logs, f"l-{number}")
    beats = _logs("writer", [9, 9], NOON + 60 * SECOND, beat=True)
    keep(store, RequestKind.LOGS, Signal.LOGS, beats, "l-9")
    keep(store, RequestKind.METRICS, Signal.METRICS_GAUGE, _gauge("quiet", NOON - 20 * HOUR), "g-0")
    theirs = [Made("theirs", "server"), Made("shop", "server", name="secret", failed=True)]
    keep(store, RequestKind.TRACES, Signal.TRACES, spans_request(theirs), "o-0", "other")
    keep(store, RequestKind.LOGS, Signal.LOGS, _logs("theirs", [21], NOON), "o-1", "other")
    keep(store, RequestKind.METRICS, Signal.METRICS_GAUGE, _gauge("theirs", NOON), "o-2", "other")
    yield store
    store.close()


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with that store."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


def ask(client: httpx.Client, path: str = "services", **asked: Any) -> dict[str, Any]:
    """Return an answer about the day."""
    answer = client.get(f"/api/v1/{path}", params={**DAY, **asked})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_services_of_any_signal_are_listed(client: httpx.Client) -> None:
    """By name, silent ones too; of another project none."""
    told = ask(client)
    assert [it["service_name"] for it in told["services"]] == ["broken", "cart", "quiet", "shop", "writer"]
    assert told["truncated"] is False
    assert (told["start_time"], told["end_time"]) == (
        "2030-03-16T18:30:00.000000000Z",
        "2030-03-17T18:30:00.000000000Z",
    )


def test_a_service_is_told_with_all_it_has(client: httpx.Client) -> None:
    """Requests, durations, log records, versions and instances."""
    shop = next(it for it in ask(client)["services"] if it["service_name"] == "shop")
    durations = [shop.pop(name) for name in ("p50_ns", "p95_ns", "p99_ns")]
    assert durations == pytest.approx([MILLISECOND, 50 * MILLISECOND, 50 * MILLISECOND], rel=0.045)
    assert shop == {
        "service_name": "shop",
        "status": "degraded",
        "requests": 120,
        "failed_requests": 10,
        "rate": 120 / 86_400,
        "error_ratio": 10 / 120,
        "spans": 140,
        "total_logs": 10,
        "error_count": 0,
        "warning_count": 2,
        "last_seen": rfc3339(NOON + 19 * SECOND),
        "last_heartbeat": None,
        "version": "1.1",
        "versions": ["1.0", "1.1"],
        "environment": "live",
        "environments": ["live"],
        "instances": 2,
    }


def test_health_is_that_of_log_records_and_requests(client: httpx.Client) -> None:
    """None failed: healthy; from 30 % on: critical."""
    told = {it["service_name"]: it for it in ask(client)["services"]}
    assert {name: it["status"] for name, it in told.items()} == {
        "broken": "critical",
        "cart": "healthy",
        "quiet": "healthy",
        "shop": "degraded",
        "writer": "degraded",
    }
    assert (told["broken"]["total_logs"], told["broken"]["error_count"]) == (10, 3)
    assert (told["quiet"]["error_ratio"], told["quiet"]["p95_ns"]) == (None, None)


@pytest.mark.parametrize(
    ("logs", "requests", "status"),
    [
        ((0, 0), (0, 0), "healthy"),
        ((1, 1000), (0, 10), "degraded"),
        ((29, 100), (0, 0), "degraded"),
        ((30, 100), (0, 100), "critical"),
        ((0, 100), (3, 10), "critical"),
    ],
)
def test_the_worse_of_both_is_the_health(
    logs: tuple[int, int], requests: tuple[int, int], status: str
) -> None:
    """Errors among log records, and failed among requests."""
    assert status_of(logs, requests) == status


def test_the_last_sign_of_life_is_told(client: httpx.Client) -> None:
    """By any signal; a heartbeat by itself."""
    told = {it["service_name"]: it for it in ask(client)["services"]}
    assert told["quiet"]["last_seen"] == rfc3339(NOON - 20 * HOUR)
    assert told["writer"]["last_heartbeat"] == rfc3339(NOON + 60 * SECOND + 1)
    assert told["writer"]["last_seen"] == told["writer"]["last_heartbeat"]


@pytest.mark.parametrize(
    ("start", "end", "requests"),
    [
        ("2030-03-17T12:00:00Z", "2030-03-17T18:30:00Z", 120),  # hours, and minutes behind them
        ("2030-03-17T17:59:30Z", "2030-03-17T18:00:30Z", 20),  # minutes alone
        ("2030-03-17T12:30:00Z", "2030-03-17T17:59:00Z", 100),
        ("2030-03-17T13:01:00Z", "2030-03-17T18:00:00Z", 0),
        ("1970-01-01T00:00:00Z", "2200-01-01T00:00:00Z", 120),
    ],
)
def test_a_range_counts_what_lies_in_it(client: httpx.Client, start: str, end: str, requests: int) -> None:
    """Whole hours and the minutes at its ends come together without a gap or overlap."""
    told = ask(client, start_time=start, end_time=end)["services"]
    assert next((it["requests"] for it in told if it["service_name"] == "shop"), 0) == requests


def test_no_project_sees_anothers_services(filled: Store, client: httpx.Client) -> None:
    """A service of the same name has its own numbers, operations and errors."""
    assert "secret" not in client.get("/api/v1/services/shop", params=DAY).text
    assert client.get("/api/v1/services/theirs", params=DAY).status_code == 404
    theirs = client.get("/api/v1/services", params={**DAY, "project": "other"}).json()["services"]
    assert [(it["service_name"], it["requests"]) for it in theirs] == [("shop", 1), ("theirs", 1)]


def test_fewer_services_are_told_as_truncated(client: httpx.Client) -> None:
    """The first by name, and that there are more."""
    told = ask(client, limit=2)
    assert ([it["service_name"] for it in told["services"]], told["truncated"]) == (["broken", "cart"], True)


def test_looking_back_ends_now(client: httpx.Client) -> None:
    """Nothing of 2030 is there yet; the range is as long as asked."""
    told = client.get("/api/v1/services", params={"lookback_minutes": 60}).json()
    assert told["services"] == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"lookback_minutes": 0}, "lookback_minutes"),
        ({"lookback_minutes": 10_081}, "lookback_minutes"),
        ({"lookback_minutes": 5, "start_time": "now-1h"}, "either this or start_time"),
        ({"start_time": "yesterday"}, "start_time"),
        ({"start_time": "now", "end_time": "now-1h"}, "start_time"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"sort": "x"}, "sort"),
    ],
)
def test_what_is_asked_wrongly_is_named(client: httpx.Client, asked: dict[str, Any], said: str) -> None:
    """A wrong parameter is 400 and named."""
    answer = client.get("/api/v1/services/shop", params=asked)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_operations_are_told_by_name_and_kind(client: httpx.Client) -> None:
    """The most frequent first; with failures and durations."""
    told = ask(client, "services/shop")
    assert [(it["name"], it["kind"], it["calls"], it["errors"]) for it in told["operations"]] == [
        ("GET /cart", "Server", 100, 0),
        ("GET /pay", "Server", 20, 10),
        ("call cart", "Client", 20, 0),
    ]
    pay = told["operations"][1]
    assert (pay["error_ratio"], pay["rate"]) == (0.5, 20 / 86_400)
    assert pay["p95_ns"] == pytest.approx(50 * MILLISECOND, rel=0.045)
    assert pay["last_seen"] == rfc3339(NOON)
    by_errors = ask(client, "services/shop", sort="errors", limit=1)
    assert ([it["name"] for it in by_errors["operations"]], by_errors["operations_truncated"]) == (
        ["GET /pay"],
        True,
    )


def test_dependencies_are_told_both_ways(client: httpx.Client) -> None:
    """Whom a service calls, and who calls it."""
    shop, cart = ask(client, "services/shop"), ask(client, "services/cart")
    assert [(it["kind"], it["name"], it["calls"]) for it in shop["calls"]] == [("service", "cart", 20)]
    assert [(it["kind"], it["name"], it["calls"]) for it in cart["called_by"]] == [("service", "shop", 20)]
    assert (shop["called_by"], cart["calls"], shop["dependencies_sampled"]) == ([], [], 1)
    assert (shop["dependencies_start_time"], shop["dependencies_end_time"]) == (
        rfc3339(NOON + 60 * SECOND - HOUR),
        rfc3339(NOON + 60 * SECOND),
    )


def test_releases_are_told_apart(client: httpx.Client) -> None:
    """The newest first, each with the requests that it answered."""
    newer, older = ask(client, "services/shop")["releases"]
    assert (newer["version"], newer["requests"], newer["error_ratio"]) == ("1.1", 20, 0.5)
    assert (older["version"], older["requests"], older["error_ratio"]) == ("1.0", 100, 0)
    assert newer["p95_ns"] == 50 * MILLISECOND
    assert (older["first_seen"], older["instances"]) == (rfc3339(NOON - 5 * HOUR + 1), 1)


def test_instances_are_told_by_last_sight(client: httpx.Client) -> None:
    """Id, host, version and environment."""
    told = ask(client, "services/shop")["instances"]
    assert [(it["id"], it["host"], it["version"], it["environment"]) for it in told] == [
        ("", "node-2", "1.1", "live"),
        ("pod-1", "", "1.0", "live"),
    ]
    assert told[0]["last_seen"] == rfc3339(NOON + 19 * SECOND)


def test_steps_cover_the_range(client: httpx.Client) -> None:
    """At most 60 of one length, in which every request is."""
    told = ask(client, "services/shop")
    assert len(told["steps"]) <= 60
    assert told["step_seconds"] * len(told["steps"]) >= 86_400
    assert sum(it["requests"] for it in told["steps"]) == 120
    busy = [it for it in told["steps"] if it["requests"]]
    assert [it["failed_requests"] for it in busy] == [0, 10]
    assert all(it["p95_ns"] is None for it in told["steps"] if not it["requests"])


def test_error_traces_are_there(client: httpx.Client) -> None:
    """The newest first, by ids that can be asked for."""
    told = ask(client, "services/shop")["error_traces"]
    assert [it["trace_id"] for it in told] == [trace_id(218 - 2 * n).hex() for n in range(10)]
    assert (told[0]["operation"], told[0]["message"]) == ("GET /pay", "GET /pay failed")
    assert client.get(f"/api/v1/traces/{told[0]['trace_id']}").status_code == 200


def test_an_unknown_service_is_404_with_near_names(client: httpx.Client) -> None:
    """What was meant is named, where something is near."""
    answer = client.get("/api/v1/services/Shopp", params=DAY)
    assert answer.status_code == 404
    assert answer.json()["detail"] == "no service 'Shopp' was seen in this range of time; there is shop"
    answer = client.get("/api/v1/services/zzz", params=DAY)
    assert answer.json()["detail"] == "no service 'zzz' was seen in this range of time"


@pytest.mark.parametrize(
    "name",
    [
        "' OR 1=1 --",
        "\\",
        "\\'",
        "%00",
        "a/b",
        "..",
        "é" * 1000,
        "%FF%FE",
        "x" * 10_000,
        "{limit:UInt8}",
        "%0A",
    ],
)
def test_hostile_names_find_nothing(client: httpx.Client, name: str) -> None:
    """Whatever a name is made of, it is a name."""
    answer = client.get(f"/api/v1/services/{name}", params=DAY)
    assert answer.status_code in {400, 404}, answer.text


def test_a_list_is_exported(client: httpx.Client) -> None:
    """As CSV with a line a service."""
    answer = client.get("/api/v1/services", params={**DAY, "format": "csv"})
    assert answer.status_code == 200
    assert len(answer.text.strip().splitlines()) == 6


def test_a_bucket_stands_for_its_middle() -> None:
    """What falls into a bucket is within 4.5 % of what it stands for."""
    for nanoseconds in (1000, 123_456, 10**9, 3600 * 10**9):
        bucket = int(8 * math.log2(nanoseconds + 1))
        assert duration_of(bucket) == pytest.approx(nanoseconds, rel=0.045)
    assert duration_of(0) == 0
