"""Pages of log records, over a real socket from a real store, held against a plain reading of all."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

from glasshouse_collector.api import create_app
from glasshouse_collector.api.logs.counting import step_for
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import Store
from kept_records import keep

Serve = Callable[..., httpx.Client]
NOON = 1_900_000_800 * 10**9
"""2030-03-17 18:00:00 UTC: no retention drops it."""
MINUTE = 60 * 10**9
SPAN = {"start_time": "2030-03-15T00:00:00Z", "end_time": "2030-03-19T00:00:00Z"}
SEVERITIES = {1: "TRACE", 5: "DEBUG", 9: "INFO", 13: "WARN", 17: "ERROR", 18: "ERROR2", 21: "FATAL"}
BODIES = (
    "connection refused by db-7",
    "Connection RESET",
    "order 42 placed",
    "timeout after 3000 ms: refused",
    "50% of %s_like things",
    "naïve café",
)


@dataclass
class Written:
    """A log record as it was sent."""

    time: int
    severity: int
    service: str
    body: str
    trace: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    host: str = "node-1"


def _records() -> list[Written]:
    chance = random.Random(7)
    return [
        Written(
            time=NOON - chance.choice([0, 1, 2, 40 * MINUTE, 30 * 60 * MINUTE]) - chance.randrange(3) * 10**9,
            severity=chance.choice(list(SEVERITIES)),
            service=chance.choice(["shop", "cart"]),
            body=chance.choice(BODIES),
            trace=chance.choice(["", "ab" * 16]),
            attributes=chance.choice([{}, {"route": "/cart"}, {"route": "/pay", "retries": str(number % 9)}]),
            host=f"node-{number % 2}",
        )
        for number in range(400)
    ]


RECORDS = _records()


def _request(records: list[Written]) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    for written in records:
        resource = request.resource_logs.add()
        for key, value in (("service.name", written.service), ("host.name", written.host)):
            resource.resource.attributes.add(key=key).value.string_value = value
        record = resource.scope_logs.add().log_records.add(time_unix_nano=written.time)
        record.severity_number = SeverityNumber.ValueType(written.severity)
        record.severity_text = SEVERITIES[written.severity]
        record.body.string_value, record.trace_id = written.body, bytes.fromhex(written.trace)
        for key, value in written.attributes.items():
            record.attributes.add(key=key).value.string_value = value
    return request


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    """Return a store with the records in two batches."""
    keep(store, RequestKind.LOGS, Signal.LOGS, _request(RECORDS[:250]), "j-1-0")
    keep(store, RequestKind.LOGS, Signal.LOGS, _request(RECORDS[250:]), "j-1-ff")
    return store


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with that store."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


def ask(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    """Return an answer to a question about the whole range."""
    answer = client.get("/api/v1/logs", params={**SPAN, "limit": 1000, **asked})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def pages(client: httpx.Client, **asked: Any) -> Iterator[list[dict[str, Any]]]:
    """Turn the pages of an answer to its end."""
    cursor = ""
    while True:
        page = ask(client, **asked, cursor=cursor)
        yield page["logs"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def test_everything_is_told_in_the_order_asked_for(client: httpx.Client) -> None:
    """Newest first, or oldest first, which is the very reverse."""
    newest = ask(client)["logs"]
    assert [int(log["time_unix_nano"]) for log in newest] == sorted((it.time for it in RECORDS), reverse=True)
    assert ask(client, order="oldest")["logs"] == newest[::-1]
    assert len({log["id"] for log in newest}) == len(RECORDS)


def test_a_record_is_told_with_all_it_has(client: httpx.Client) -> None:
    """Time to the nanosecond, severity, ids, body and attributes."""
    written = next(it for it in RECORDS if it.trace and len(it.attributes) == 2)
    found = [
        log
        for log in ask(client, trace_id=written.trace.upper())["logs"]
        if int(log["time_unix_nano"]) == written.time and log["attributes"] == written.attributes
    ]
    log = next(log for log in found if log["body"] == written.body)
    assert log["severity_number"] in SEVERITIES
    assert log["resource_attributes"]["service.name"] == log["service_name"]
    assert log["trace_id"] == written.trace
    assert log["span_id"] is None
    assert log["project"] == "default"
    assert log["time"].startswith("2030-03-1")


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 7, 399, 400])
def test_pages_are_the_whole_cut_up(client: httpx.Client, order: str, limit: int) -> None:
    """No record twice, none left out, also among those of the same nanosecond."""
    asked = (
        {"order": order, "limit": limit, "level": "warn"} if limit == 1 else {"order": order, "limit": limit}
    )
    turned = list(pages(client, **asked))
    whole = ask(client, **{**asked, "limit": 1000})["logs"]
    assert [log for page in turned for log in page] == whole
    assert all(len(page) == limit for page in turned[:-1])


def test_pages_stay_as_they_were_while_more_is_written(
    client: httpx.Client, filled: Store, services: Services
) -> None:
    """What comes between two pages neither pushes records onto the next one nor takes any away."""
    before = ask(client, service_name="cart")["logs"]
    first = ask(client, service_name="cart", limit=50)
    late = [Written(NOON + number, 9, "cart", "came later") for number in range(30)]
    keep(filled, RequestKind.LOGS, Signal.LOGS, _request(late), "j-2-0")
    try:
        told, cursor = first["logs"], first["next_cursor"]
        while cursor:
            page = ask(client, service_name="cart", limit=50, cursor=cursor)
            told, cursor = told + page["logs"], page["next_cursor"]
        assert told == before
    finally:
        filled.engine.command(
            "ALTER TABLE otel_logs DELETE WHERE BatchId = 'j-2-0' SETTINGS mutations_sync = 2"
        )


QUESTIONS: dict[str, tuple[dict[str, Any], Callable[[Written], bool]]] = {
    "minimum level": ({"level": "warn"}, lambda it: it.severity >= 13),
    "its other name": ({"level": "WARNING"}, lambda it: it.severity >= 13),
    "set of levels": ({"level": "info,error"}, lambda it: it.severity in {9, 17, 18}),
    "levels repeated": ({"level": ["debug", "critical"]}, lambda it: it.severity in {5, 21}),
    "service": ({"service_name": "cart"}, lambda it: it.service == "cart"),
    "services": ({"service_name": ["cart", "shop", "none"]}, lambda _: True),
    "word": ({"text": "refused"}, lambda it: "refused" in it.body),
    "a part of a word is none": ({"text": "refuse"}, lambda _: False),
    "words in either case": ({"text": "connection reset"}, lambda it: it.body == BODIES[1]),
    "phrase": ({"text": '"connection refused"'}, lambda it: it.body == BODIES[0]),
    "phrase in another order": ({"text": '"refused connection"'}, lambda _: False),
    "word with a sign in it": ({"text": "db-7"}, lambda it: "db-7" in it.body),
    "signs alone": ({"text": "%"}, lambda it: "%" in it.body),
    "not a pattern": ({"text": "%s_like"}, lambda it: it.body == BODIES[4]),
    "beyond ASCII": ({"text": "CAFÉ"}, lambda it: it.body == BODIES[5]),
    "beyond ASCII in its case": ({"text": "café"}, lambda it: it.body == BODIES[5]),
    "regex": ({"text": r"/after \d+ MS/"}, lambda it: it.body == BODIES[3]),
    "attribute": ({"attribute": "route=/cart"}, lambda it: it.attributes.get("route") == "/cart"),
    "attribute is not": ({"attribute": "route!=/cart"}, lambda it: it.attributes.get("route") != "/cart"),
    "attribute is there": ({"attribute": "retries"}, lambda it: "retries" in it.attributes),
    "attribute is not there": ({"attribute": "!retries"}, lambda it: "retries" not in it.attributes),
    "attribute above": ({"attribute": "retries>5"}, lambda it: int(it.attributes.get("retries", 0)) > 5),
    "attribute up to": (
        {"attribute": "retries <= 2"},
        lambda it: 0 <= int(it.attributes.get("retries", -1)) <= 2,
    ),
    "no number": ({"attribute": "route>5"}, lambda _: False),
    "resource": ({"attribute": "resource.host.name=node-0"}, lambda it: it.host == "node-0"),
    "all of them": (
        {"level": "info", "service_name": "shop", "text": "order", "attribute": ["route=/pay", "retries>=3"]},
        lambda it: (
            it.severity >= 9
            and it.service == "shop"
            and "order" in it.body
            and int(it.attributes.get("retries", 0)) >= 3
        ),
    ),
    "trace": ({"trace_id": "AB" * 16}, lambda it: bool(it.trace)),
    "time": (
        {"start_time": "2030-03-17T17:59:00Z", "end_time": "2030-03-17T18:00:00.000000000Z"},
        lambda it: NOON - MINUTE <= it.time < NOON,
    ),
    "a nanosecond": (
        {"start_time": "2030-03-17T19:59:59.999999999+02:00", "end_time": "2030-03-17T18:00:00Z"},
        lambda it: it.time == NOON - 1,
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_conditions_hold_for_what_is_told_and_nothing_else(client: httpx.Client, name: str) -> None:
    """The same records as a plain reading of all finds."""
    asked, holds = QUESTIONS[name]
    told = sorted((int(log["time_unix_nano"]), log["body"]) for log in ask(client, **asked)["logs"])
    assert told == sorted((it.time, it.body) for it in RECORDS if holds(it))


@pytest.mark.parametrize("steps", [1, 60, 1000])
def test_counts_add_up_to_what_is_told(client: httpx.Client, steps: int) -> None:
    """By level, in steps of one length that cover the range; conditions hold here too."""
    answer = client.get(
        "/api/v1/logs/histogram", params={**SPAN, "steps": steps, "service_name": "cart"}
    ).json()
    of_cart = [it for it in RECORDS if it.service == "cart"]
    assert answer["total"] == len(of_cart)
    assert len(answer["steps"]) <= steps
    names = {1: "trace", 5: "debug", 9: "info", 13: "warn", 17: "error", 18: "error", 21: "fatal"}
    length = answer["step_seconds"] * 10**9
    expected = Counter((it.time // length * length, names[it.severity]) for it in of_cart)
    told = {
        (int(datetime.fromisoformat(step["time"][:19] + "Z").timestamp()) * 10**9, name): count
        for step in answer["steps"]
        for name, count in step["counts"].items()
    }
    assert told == expected


def test_steps_without_records_are_told_too(client: httpx.Client) -> None:
    """So that a chart has no holes."""
    span = {"start_time": "2031-01-01T00:00:00Z", "end_time": "2031-01-01T01:00:00Z"}
    answer = client.get("/api/v1/logs/histogram", params=span).json()
    assert answer["step_seconds"] == 60
    assert [step["counts"] for step in answer["steps"]] == [{}] * 60
    assert answer["steps"][1]["time"] == "2031-01-01T00:01:00.000000000Z"


@given(start=st.integers(0, 2**62), length=st.integers(1, 2**62), most=st.integers(1, 1000))
def test_no_range_has_more_steps_than_asked_for(start: int, length: int, most: int) -> None:
    """However long or short it is; one step can be one too few only where the range lies across two."""
    within = TimeRange(start, start + length)
    step = step_for(within, most)
    assert (within.end - 1) // step - within.start // step + 1 <= most


def test_the_lines_around_one(client: httpx.Client) -> None:
    """Of its service and host, in the order of time; others are not among them."""
    log = ask(client, service_name="cart", attribute="resource.host.name=node-1")["logs"][30]
    near = ask(client, service_name="cart", attribute="resource.host.name=node-1", order="oldest")["logs"]
    place = near.index(log)
    context = client.get(f"/api/v1/logs/{log['id']}/context", params={"lines": 5}).json()
    hour = 3600 * 10**9
    here = int(log["time_unix_nano"])
    within = [other for other in near if abs(int(other["time_unix_nano"]) - here) <= hour]
    place = within.index(log)
    assert context == {
        "before": within[max(0, place - 5) : place],
        "log": log,
        "after": within[place + 1 : place + 6],
    }


def test_an_unknown_record_is_not_found(client: httpx.Client) -> None:
    """An id that names none is 404, what can be none 400."""
    assert client.get("/api/v1/logs/1.j-9-9.0/context").status_code == 404
    for written in ("x", "1.j.z", "1..0", "1.j-9-9", "f" * 17 + ".j.0", "1.j'.0"):
        answer = client.get(f"/api/v1/logs/{written}/context")
        assert answer.status_code == 400, written
        assert "is no id of a log record" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"level": "loud"}, "level: 'loud' is no level; one of trace, debug"),
        ({"start_time": "yesterday"}, "start_time: 'yesterday' is no time"),
        ({"end_time": "2030-13-01"}, "end_time"),
        ({"start_time": "1066-10-14T09:00:00Z"}, "is out of range; a time from 1970-01-01 to 2262-04-11"),
        (
            {"start_time": "0001-01-01T00:00:00+14:00"},
            "start_time: '0001-01-01T00:00:00+14:00' is out of range",
        ),
        ({"end_time": "9999-12-31T23:59:59-14:00"}, "is out of range"),
        ({"start_time": "now-999999999w"}, "is out of range"),
        ({"start_time": "now", "end_time": "now-1h"}, "start_time: a time before end_time"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"order": "random"}, "order"),
        ({"trace_id": "xyz"}, "trace_id: a trace's id, 32 hex digits, is expected"),
        ({"attribute": "=5"}, "attribute: a key is expected"),
        ({"attribute": "retries>many"}, "a number is expected after >"),
        ({"attribute": ["a"] * 21}, "attribute"),
        ({"text": "x" * 1001}, "text: up to 1000 characters"),
        ({"text": "a " * 21}, "text: up to 20 words"),
        ({"text": "/[/"}, "missing ]"),
        ({"cursor": "x"}, "cursor: the next_cursor of an earlier answer"),
        ({"cursor": "WzEsMiwzLCJhIiw0LDVd"}, "cursor"),
        ({"cursor": "A" * 5000}, "cursor"),
    ],
)
def test_what_is_wrong_is_named(client: httpx.Client, asked: dict[str, Any], told: str) -> None:
    """A 400 with one line."""
    answer = client.get("/api/v1/logs", params=asked)
    assert answer.status_code == 400, answer.text
    assert told in answer.json()["detail"]


def test_a_cursor_is_good_for_its_question_alone(client: httpx.Client) -> None:
    """With other conditions it would leave records out."""
    cursor = ask(client, limit=5, level="info")["next_cursor"]
    answer = client.get("/api/v1/logs", params={**SPAN, "limit": 5, "level": "error", "cursor": cursor})
    assert answer.status_code == 400
    assert "belongs to a question with other conditions" in answer.json()["detail"]


@pytest.mark.parametrize(
    "hostile", ["' OR 1=1 --", "{p0:String}", "\\'", "`", "%", "\0", "'); DROP TABLE otel_logs"]
)
def test_sql_stays_text(client: httpx.Client, hostile: str) -> None:
    """Whatever is sent in a parameter is looked for, and finds nothing."""
    for asked in (
        {"service_name": hostile},
        {"attribute": f"route={hostile}"},
        {"attribute": f"{hostile}x=1"},
    ):
        assert ask(client, **asked)["logs"] == []
    assert len(ask(client)["logs"]) == len(RECORDS)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("service", "is service_name meant?"), ("limt", "is limit meant?"), ("zz", "there are")],
)
def test_a_parameter_that_there_is_not_is_refused(client: httpx.Client, name: str, hint: str) -> None:
    """An answer that took no notice of it would look right."""
    answer = client.get("/api/v1/logs", params={name: "1"})
    assert answer.status_code == 400
    assert f"{name}: there is no such parameter; {hint}" in answer.json()["detail"]
