"""Patterns of log records, over a real socket from a real store."""

import gzip
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

from glasshouse_collector.api import create_app
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.patterns import shapes
from glasshouse_collector.store import Store
from kept_records import keep

Serve = Callable[..., httpx.Client]
MINUTE = 60 * 10**9
START = 1_900_000_800 * 10**9
"""2030-03-17 18:00:00 UTC: no retention drops it."""
HOUR = {"start_time": "2030-03-17T18:00:00Z", "end_time": "2030-03-17T19:00:00Z"}
FOLDER = Path(
    os.environ.get("GLASSHOUSE_TRAINTICKET", Path(__file__).parents[3] / "shared" / "data" / "trainticket")
)
STATEMENT = re.compile(r"\S+#\d+")
"""Where a line of Train Ticket was logged: class and line of source."""


class Sender:
    """Stores log records in batches of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._batches = 0

    def send(
        self, records: list[tuple[int, int, str]], service: str = "shop", project: str = "default"
    ) -> None:
        """Store records of time, severity number and body."""
        request = ExportLogsServiceRequest()
        resource = request.resource_logs.add()
        resource.resource.attributes.add(key="service.name").value.string_value = service
        scope = resource.scope_logs.add()
        for time, severity, body in records:
            record = scope.log_records.add(time_unix_nano=time)
            record.severity_number = SeverityNumber.ValueType(severity)
            record.body.string_value = body
        token = f"patterns-1-{self._batches:x}"
        keep(self._store, RequestKind.LOGS, Signal.LOGS, request, token, project)
        self._batches += 1


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    """Return a store with an hour of some known patterns, and another project's beside them."""
    sender = Sender(store)
    sender.send(
        [(START + number * MINUTE // 2, 9, f"order {number} placed in {number} ms") for number in range(120)]
    )
    sender.send(
        [(START + 45 * MINUTE + number, 17, f"db-{number % 3} is away\nat line 1") for number in range(30)]
    )
    sender.send([(START + number, 13, f"slow: {number / 7:.2f}s") for number in range(40)], "cart")
    sender.send([(START + number * MINUTE, 0, "  \n") for number in range(3)])
    sender.send([(START + number * MINUTE, 9, "theirs") for number in range(5)], "shop", "other")
    return store


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with that store."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


def ask(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    """Return the patterns of the hour."""
    answer = client.get("/api/v1/logs/patterns", params={**HOUR, **asked})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_patterns_are_counted_by_all_that_is_told(client: httpx.Client) -> None:
    """Count, share, levels, services, times and trend of each, the frequent ones first."""
    told = ask(client)
    assert (told["total"], told["sampled"], told["looked_at"], told["truncated"]) == (193, False, 1.0, False)
    assert told["step_seconds"] == 60
    found = {pattern["template"]: pattern for pattern in told["patterns"]}
    assert {name: pattern["count"] for name, pattern in found.items()} == {
        "order <number> placed in <duration>": 120,
        "slow: <duration>": 40,
        "db-<number> is away": 30,
        "(empty)": 3,
    }
    assert list(found) == sorted(found, key=lambda name: -found[name]["count"])
    assert sum(pattern["share"] for pattern in found.values()) == pytest.approx(1)
    order, slow, away = (found[name] for name in list(found)[:3])
    assert (order["trend"]["word"], slow["trend"]["word"], away["trend"]["word"]) == ("steady", "gone", "new")
    assert order["trend"]["counts"] == [2] * 60
    assert away["trend"]["counts"] == [0] * 45 + [30] + [0] * 14
    assert (order["levels"], away["levels"], slow["services"]) == ({"info": 120}, {"error": 30}, ["cart"])
    assert order["first_seen"] == "2030-03-17T18:00:00.000000000Z"
    assert order["last_seen"] == "2030-03-17T18:59:30.000000000Z"


def test_examples_are_records_that_can_be_read(client: httpx.Client) -> None:
    """Each by its id, of different lines."""
    order = ask(client, text="order")["patterns"][0]
    assert len({example["body"] for example in order["examples"]}) == len(order["examples"]) == 2
    for example in order["examples"]:
        read = client.get(f"/api/v1/logs/{example['id']}/context").json()["log"]
        assert read["body"].startswith(example["body"])


@pytest.mark.parametrize(
    ("asked", "templates"),
    [
        ({"level": "error"}, ["db-<number> is away"]),
        ({"service_name": "cart"}, ["slow: <duration>"]),
        ({"text": "placed"}, ["order <number> placed in <duration>"]),
        ({"start_time": "2030-03-17T18:50:00Z"}, ["order <number> placed in <duration>"]),
        ({"project": "other"}, ["theirs"]),
        ({"text": "nowhere"}, []),
    ],
)
def test_conditions_are_those_of_log_records(
    client: httpx.Client, asked: dict[str, Any], templates: list[str]
) -> None:
    """And a pattern has the same id under any of them."""
    found = {pattern["template"]: pattern["id"] for pattern in ask(client, **asked)["patterns"]}
    assert list(found) == templates
    ids = {pattern["template"]: pattern["id"] for pattern in ask(client)["patterns"]}
    assert {name: ids.get(name, found[name]) for name in found} == found


def test_the_rare_ones_are_cut_off_and_it_is_said(client: httpx.Client) -> None:
    """By the limit; shares stay those among all."""
    told = ask(client, limit=1)
    assert (len(told["patterns"]), told["truncated"]) == (1, True)
    assert told["patterns"][0]["share"] == pytest.approx(120 / 193)


def test_of_many_records_some_are_looked_at_and_it_is_said(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts are reckoned from these."""
    monkeypatch.setattr(shapes, "MOST_RECORDS", 100)
    told = ask(client)
    assert told["sampled"]
    assert 0.3 < told["looked_at"] < 0.7
    assert told["total"] == 193
    order = told["patterns"][0]
    assert 80 < order["count"] < 160
    assert order["count"] % 2 == 0
    assert sum(order["trend"]["counts"]) == sum(order["levels"].values()) == order["count"]


def test_rows_are_exported(client: httpx.Client) -> None:
    """One a pattern."""
    answer = client.get("/api/v1/logs/patterns", params={**HOUR, "format": "ndjson"})
    assert [json.loads(line)["count"] for line in answer.text.splitlines()] == [120, 40, 30, 3]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"start_time": "soon"}, "start_time"),
        ({"text": "/(/"}, "text"),
        ({"attribute": "=x"}, "attribute"),
    ],
)
def test_what_is_wrong_is_named(client: httpx.Client, asked: dict[str, Any], told: str) -> None:
    """A 400 with one line."""
    answer = client.get("/api/v1/logs/patterns", params={**HOUR, **asked})
    assert answer.status_code == 400, answer.text
    assert told in answer.json()["detail"]


@pytest.mark.parametrize("hostile", ["' OR 1=1 --", "{p0:String}", "\\'", "\0", "{where}", "%s", "x" * 990])
def test_sql_stays_text(client: httpx.Client, hostile: str) -> None:
    """Whatever is sent in a parameter is looked for, and finds nothing."""
    for asked in ({"service_name": hostile}, {"attribute": f"route={hostile}"}):
        assert ask(client, **asked)["patterns"] == []


def test_any_body_has_a_pattern(client: httpx.Client, filled: Store) -> None:
    """Binary rubbish, long lines, marks of our own, a whole range of one nanosecond."""
    long_ago = START - 24 * 60 * MINUTE
    bodies = ["\0\x01", "<*> <number>", "x" * 10_000, "'" * 500, "\\", "{}", "naïve café ☕ 5", "a\tb\rc"]
    sender = Sender(filled)
    sender.send([(long_ago, 99, body) for body in bodies], "rubbish")
    told = ask(
        client,
        service_name="rubbish",
        start_time="2030-03-16T18:00:00Z",
        end_time="2030-03-16T18:00:00.000000001Z",
    )
    assert told["total"] == len(bodies)
    assert sum(pattern["count"] for pattern in told["patterns"]) == len(bodies)


def test_statements_of_a_real_system_are_told_apart(client: httpx.Client, filled: Store) -> None:
    """Train Ticket's lines name the statement that wrote them: a template holds lines of one."""
    recordings = sorted(FOLDER.glob("*/logs.jsonl.gz"), key=lambda recording: recording.stat().st_size)
    if not recordings:
        pytest.skip(f"the Train Ticket recordings are not at {FOLDER} (GLASSHOUSE_TRAINTICKET)")
    with gzip.open(recordings[-1], "rt") as lines:
        bodies = [body for line in islice(lines, 20) for body in _bodies(json.loads(line))]
    day_before = START - 48 * 60 * MINUTE
    Sender(filled).send([(day_before + number, 9, body) for number, body in enumerate(bodies)], "ticket")
    told = ask(
        client,
        service_name="ticket",
        start_time="2030-03-15T17:00:00Z",
        end_time="2030-03-15T19:00:00Z",
        limit=1000,
    )
    assert told["total"] == sum(pattern["count"] for pattern in told["patterns"]) == len(bodies) > 1000
    assert len(told["patterns"]) < len(bodies) / 20
    statements: dict[str, Counter[str]] = defaultdict(Counter)
    for pattern in told["patterns"]:
        for example in pattern["examples"]:
            if found := STATEMENT.search(example["body"]):
                statements[pattern["template"]][found[0]] += 1
    assert len(statements) > 20
    mixed = [name for name, found in statements.items() if len(found) > 1]
    assert len(mixed) < len(statements) / 20


def _bodies(request: dict[str, Any]) -> list[str]:
    return [
        record["body"]["stringValue"]
        for resource in request["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]
