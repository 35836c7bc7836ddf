"""Errors: exceptions of spans and log records by service, type and place, from a real store."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.api import create_app
from glasshouse_collector.api.errors.message import masked
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import Store
from kept_records import keep

Serve = Callable[..., httpx.Client]
NOON = 1_900_000_800 * 10**9
"""2030-03-17 18:00:00 UTC: no retention drops it."""
MINUTE = 60 * 10**9
SPAN: dict[str, Any] = {
    "start_time": "2030-03-17T17:00:00Z",
    "end_time": "2030-03-17T19:00:00Z",
    "limit": 100,
}
STACKS = Path(__file__).parent / "stack_traces"
PLACES = {
    "python_json": ("python", "/app/a.py", "parse"),
    "python_chained": ("python", "/app/a.py", "order"),
    "python_httpx": ("python", "/app/lib.py", "call"),
    "java_lambda": ("java", "Orders.java", "Orders.lambda$main"),
    "java_stream": ("java", "Orders.java", "Orders.lambda$main"),
    "node_map": ("javascript", "/app/a.js", None),
    "node_json": ("javascript", "/app/a.js", "Object.<anonymous>"),
    "chrome": ("javascript", "/static/js/main.3f2a1b4c.js", "total"),
    "firefox": ("javascript", "/static/js/main.3f2a1b4c.js", "total"),
    "go_panic": ("go", "/app/go/main.go", "main.(*server).total"),
    "rust_panic": ("rust", "./main.rs", "main::orders::total"),
    "dotnet_linq": (
        "dotnet",
        "/src/Shop/Orders/OrderService.cs",
        "Shop.Orders.OrderService.<Total>g__Sum",
    ),
    "ruby_rescue": ("ruby", "/srv/shop/app/models/order.rb", "block in total"),
    "ruby_3_4": ("ruby", "app/models/order.rb", "Order#total"),
    "php_laravel": ("php", "/var/www/app/Orders/Order.php", "Illuminate\\Database\\Query\\Builder->get"),
}
"""What was raised where: Python, Java, JavaScript, Go and Rust made by programs that ran."""
TRACEBACK = 'Traceback (most recent call last):\n  File "/app/{}", line {}, in {}\n    fail()\n{}\n'


@dataclass
class Raised:
    """An exception as it was sent."""

    service: str
    type: str
    message: str = ""
    stack: str = ""
    time: int = NOON
    trace: bytes = b"\xab" * 16
    span: bytes = b"\xcd" * 8
    operation: str = "GET /orders/42"
    version: str = "1.0"
    environment: str = "production"

    def attributes(self) -> dict[str, str]:
        """Return those of the exception conventions, without empty ones."""
        told = {"type": self.type, "message": self.message, "stacktrace": self.stack}
        return {f"exception.{name}": value for name, value in told.items() if value}


def _put(into: Any, told: dict[str, str]) -> None:
    for key, value in told.items():
        into.add(key=key).value.string_value = value


def _resource(into: Any, raised: Raised) -> None:
    _put(
        into.resource.attributes,
        {
            "service.name": raised.service,
            "service.version": raised.version,
            "deployment.environment.name": raised.environment,
        },
    )


def by_spans(store: Store, token: str, *exceptions: Raised, project: str = "default") -> None:
    """Keep a span for each, with an event `exception` and one of another name."""
    request = ExportTraceServiceRequest()
    for raised in exceptions:
        group = request.resource_spans.add()
        _resource(group, raised)
        span = group.scope_spans.add().spans.add(
            trace_id=raised.trace,
            span_id=raised.span,
            name=raised.operation,
            start_time_unix_nano=raised.time,
            end_time_unix_nano=raised.time + MINUTE,
        )
        _put(span.attributes, {"http.route": "/orders/{id}"})
        span.events.add(name="retry", time_unix_nano=raised.time)
        event = span.events.add(name="exception", time_unix_nano=raised.time)
        _put(event.attributes, raised.attributes())
    keep(store, RequestKind.TRACES, Signal.TRACES, request, token, project)


def by_logs(store: Store, token: str, *exceptions: Raised, project: str = "default") -> None:
    """Keep a log record for each."""
    request = ExportLogsServiceRequest()
    for raised in exceptions:
        group = request.resource_logs.add()
        _resource(group, raised)
        scope = group.scope_logs.add()
        scope.scope.name = "shop.orders"
        record = scope.log_records.add(
            time_unix_nano=raised.time + 1, trace_id=raised.trace, span_id=raised.span, severity_number=17
        )
        record.body.string_value = "it failed"
        _put(record.attributes, {**raised.attributes(), "thread.name": "worker-1"})
    keep(store, RequestKind.LOGS, Signal.LOGS, request, token, project)


@pytest.fixture(scope="module")
def client(shared_services: Services, store: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with the module's store."""
    shared_services.provide(Store, store)
    return shared_serve(create_app(shared_services))


def ask(client: httpx.Client, path: str = "", **asked: Any) -> dict[str, Any]:
    """Return an answer about the two hours around noon."""
    answer = client.get(f"/api/v1/errors{path}", params={**SPAN, **asked})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def only(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    """Return the one error that is found."""
    [error] = ask(client, **asked)["errors"]
    found: dict[str, Any] = error
    return found


def test_places_are_found_in_the_stack_traces_of_every_language(client: httpx.Client, store: Store) -> None:
    """The innermost frame of the application; frames of libraries and of the language do not count."""
    for name in PLACES:
        raised = Raised(f"place-{name}", "Failed", "no", (STACKS / f"{name}.txt").read_text())
        by_spans(store, f"place-{name}", raised)
    for name, expected in PLACES.items():
        place = only(client, service_name=f"place-{name}")["place"]
        assert (place["language"], place["file"], place["function"]) == expected, name


def test_a_shifted_line_another_build_and_another_library_stay_in_their_group(
    client: httpx.Client, store: Store
) -> None:
    """Line numbers, hashes in file names and addresses are no part of an id; another function is."""
    stack = TRACEBACK.format("orders.py", 12, "total", "KeyError: 'x'")
    chrome, go = ((STACKS / f"{name}.txt").read_text() for name in ("chrome", "go_panic"))
    by_spans(
        store,
        "shifted",
        Raised("shift", "KeyError", "'x'", stack),
        Raised("shift", "KeyError", "'y'", stack.replace("line 12", "line 345"), span=b"\x02" * 8),
        Raised("shift", "KeyError", "'x'", stack.replace("in total", "in pay"), span=b"\x03" * 8),
        Raised("shift", "TypeError", "", chrome),
        Raised("shift", "TypeError", "", chrome.replace("3f2a1b4c", "99ab01cd").replace(":10:5", ":7:9")),
        Raised("shift", "error", "", go),
        Raised("shift", "error", "", go.replace("main.go:4", "main.go:40").replace("0x6104f0", "0x7104f8")),
    )
    told = ask(client, service_name="shift")["errors"]
    assert sorted((error["type"], error["place"]["function"]) for error in told) == [
        ("KeyError", "pay"),
        ("KeyError", "total"),
        ("TypeError", "total"),
        ("error", "main.(*server).total"),
    ]


def test_an_id_is_the_hash_that_is_documented(client: httpx.Client, store: Store) -> None:
    """SHA-256 of service, bare type and frame without digits: others keep these ids."""
    stack = TRACEBACK.format("orders.py", 12, "total", "shop.errors.Gone: x")
    by_spans(store, "id", Raised("hash", "shop.errors.Gone", "x", stack))
    by_logs(store, "id-bare", Raised("hash-bare", "Gone", operation="", stack=""))
    frame = 'File "/app/orders.py", line , in total'
    expected = hashlib.sha256(f"hash\nGone\n{frame}".encode()).hexdigest()[:16]
    assert only(client, service_name="hash")["id"] == expected
    expected = hashlib.sha256(b"hash-bare\nGone\nshop.orders").hexdigest()[:16]
    assert only(client, service_name="hash-bare")["id"] == expected


def test_what_a_span_and_its_log_record_tell_is_one(client: httpx.Client, store: Store) -> None:
    """The more of the two count; a log record names the type without its package, and lies elsewhere."""
    stack = TRACEBACK.format("orders.py", 12, "total", "x.Gone: 1")
    first = Raised("twice", "x.Gone", "1", stack)
    by_spans(store, "twice-spans", first, Raised("twice", "x.Gone", "1", stack, span=b"\x02" * 8))
    logged = Raised("twice", "Gone", "1", "  extra\n" + stack)
    outside = Raised("twice", "Gone", "1", stack, trace=b"", span=b"")
    by_logs(store, "twice-logs", logged, logged, outside, outside)
    error = only(client, service_name="twice")
    assert error["count"] == 2 + 1 + 2  # a span logged twice, one that only has an event, two of no span
    assert sum(error["trend"]) == 5
    assert error["sources"] == ["logs", "spans"]
    assert only(client, service_name="twice", source="logs")["count"] == 4
    assert only(client, service_name="twice", source="spans")["count"] == 2
    told = ask(client, f"/{error['id']}")
    assert len(told["occurrences"]) == 5
    both = [it for it in told["occurrences"] if it["source"] == "spans" and it["log_id"]]
    assert len(both) == 1
    context = client.get(f"/api/v1/logs/{both[0]['log_id']}/context")
    assert context.json()["log"]["attributes"]["exception.message"] == "1"


def test_an_error_is_told_with_all_it_has(client: httpx.Client, store: Store) -> None:
    """Last message, times to the nanosecond, trend, operations without ids, versions, real traces."""
    stack = TRACEBACK.format("pay.py", 3, "pay", "Declined")
    by_spans(
        store,
        "whole",
        Raised("whole", "Declined", "card 4711 of 'bob'", stack, NOON - 30 * MINUTE, trace=b"\x01" * 16),
        Raised("whole", "Declined", "card 42 of 'al'", stack, NOON, trace=b"\x02" * 16, version="1.1"),
    )
    error = only(client, service_name="whole", type="Declined")
    assert error["message"] == "card 42 of 'al'"
    assert error["masked_message"] == "card * of '*'"
    assert error["count"] == 2
    assert error["first_seen"] == "2030-03-17T17:30:00.000000000Z"
    assert error["last_seen"] == "2030-03-17T18:00:00.000000000Z"
    assert error["operations"] == ["GET /orders/*"]
    assert error["versions"] == ["1.0", "1.1"]
    assert error["environments"] == ["production"]
    assert error["trace_ids"] == ["02" * 16, "01" * 16]
    page = ask(client, service_name="whole")
    assert page["step_seconds"] == 120
    assert (error["trend"][15], error["trend"][30], len(error["trend"])) == (1, 1, 60)
    [last, first] = ask(client, f"/{error['id']}")["occurrences"]
    assert last["stack_trace"] == stack
    assert last["attributes"] == {"http.route": "/orders/{id}"}
    assert first["trace_id"] == "01" * 16
    assert client.get(f"/api/v1/traces/{last['trace_id']}").json()["spans"][0]["span_id"] == last["span_id"]


@pytest.fixture(scope="module")
def several(store: Store) -> list[str]:
    """Keep errors that occurred once, twice, … ; returns their types by how often they did."""
    types = [f"pkg.Several{number}" for number in range(1, 6)]
    by_spans(
        store,
        "several",
        *(
            Raised("several", name, f"text-{number}", "", NOON - number * MINUTE, span=bytes([turn + 1]) * 8)
            for number, name in enumerate(types, 1)
            for turn in range(number)
        ),
    )
    old = Raised("several", types[0], "long ago", "", NOON - 30 * 24 * 60 * MINUTE, environment="staging")
    by_spans(store, "several-old", old)
    return types


def test_orders(client: httpx.Client, several: list[str]) -> None:
    """By count, last seen, first ever seen; new ones are those not known before the range."""

    def types(sort: str) -> list[str]:
        return [error["type"] for error in ask(client, service_name="several", sort=sort)["errors"]]

    assert types("count") == several[::-1]
    assert types("last_seen") == several
    assert types("first_seen") == [several[0], *several[:0:-1]]
    assert types("new") == several[1:]


@pytest.mark.parametrize("sort", ["count", "last_seen", "first_seen", "new"])
def test_pages_are_the_whole_cut_up(client: httpx.Client, several: list[str], sort: str) -> None:
    """No error twice, none left out."""
    whole = ask(client, service_name="several", sort=sort)["errors"]
    turned, cursor = [], ""
    while cursor is not None:
        page = ask(client, service_name="several", sort=sort, limit=2, cursor=cursor)
        turned += page["errors"]
        cursor = page["next_cursor"]
    assert turned == whole
    assert len(whole) >= len(several) - 1


def test_conditions_hold_for_what_is_told(client: httpx.Client, several: list[str]) -> None:
    """Type with or without its package, text in message or type, environment, time."""

    def types(**asked: Any) -> list[str]:
        return [error["type"] for error in ask(client, service_name="several", **asked)["errors"]]

    assert types(type="Several2") == types(type="pkg.Several2") == [several[1]]
    assert types(type="everal2") == []
    assert types(text="TEXT-3") == [several[2]]
    assert types(text="several") == several[::-1]
    assert types(environment="staging") == []
    assert types(environment="staging", start_time="2030-02-01T00:00:00Z") == [several[0]]
    assert types(start_time="2030-03-17T17:58:30Z") == [several[0]]


def test_projects_are_apart(client: httpx.Client, store: Store) -> None:
    """The same error of two projects is counted for each alone, and was first seen when each saw it."""
    by_spans(store, "apart-a", Raised("apart", "Gone", "mine"), project="mine")
    by_spans(store, "apart-b", Raised("apart", "Gone", "theirs", time=NOON - MINUTE), project="theirs")
    mine = only(client, service_name="apart", project="mine")
    theirs = only(client, service_name="apart", project="theirs")
    assert (mine["message"], mine["count"]) == ("mine", 1)
    assert (theirs["message"], theirs["count"]) == ("theirs", 1)
    assert mine["id"] == theirs["id"]
    assert mine["first_seen"] == mine["last_seen"]
    assert ask(client, service_name="apart")["errors"] == []
    other = client.get(f"/api/v1/errors/{mine['id']}", params=SPAN | {"limit": 5})
    assert other.status_code == 404


HOSTILE = ("' OR 1=1 --", "\\", "\x00", '"}{', "%", "{p0:String}", "é" * 400, "\ud7ff", "../../etc")


def test_hostile_exceptions_are_kept_and_told(client: httpx.Client, store: Store) -> None:
    """Whatever stands in type, message and stack trace, bytes beyond the limits, times beside the span's."""
    deep = (
        "Traceback (most recent call last):\n" + '  File "/app/deep.py", line 1, in deep\n    deep()\n' * 2000
    )
    exceptions = [
        Raised("hostile", text, text, text, span=bytes([1 + at]) * 8) for at, text in enumerate(HOSTILE)
    ]
    exceptions += [Raised("hostile", "RecursionError", "m" * 10_000, deep), Raised("hostile", "")]
    by_spans(store, "hostile-spans", *exceptions)
    by_logs(store, "hostile-logs", *exceptions)
    told = ask(client, service_name="hostile")["errors"]
    assert {error["type"] for error in told} >= {"RecursionError", "' OR 1=1 --", "\\"}
    recursion = only(client, service_name="hostile", type="RecursionError")
    assert recursion["place"]["function"] == "deep"
    assert len(recursion["message"]) == 2000
    [occurrence] = ask(client, f"/{recursion['id']}")["occurrences"]
    assert len(occurrence["stack_trace"]) < 17_000
    assert client.get("/api/v1/errors", params=SPAN | {"format": "csv"}).status_code == 200


@pytest.mark.parametrize("name", ["service_name", "type", "text", "environment"])
def test_hostile_questions_find_nothing(client: httpx.Client, name: str) -> None:
    """A value is a value: it never becomes part of the query."""
    for value in ("' OR 1=1 --", "\\' OR 1", "{p0:String}", "x\x00y", "*", "'; DROP TABLE otel_logs"):
        told = ask(client, **{"service_name": "none-such", name: value})
        assert told["errors"] == [] or name == "service_name"
    assert client.get("/api/v1/errors", params={name: "x" * 10_000}).status_code in {200, 400}


@pytest.mark.parametrize(
    ("path", "asked", "said"),
    [
        ("", {"sort": "size"}, "sort: one of count, last_seen, first_seen or new is expected, not 'size'"),
        ("", {"source": "metrics"}, "source: one of spans or logs is expected, not 'metrics'"),
        ("", {"limit": 1001}, "limit: 1000 or less is expected"),
        ("", {"cursor": "x"}, "cursor: the next_cursor of an earlier answer is expected"),
        ("", {"cursor": "W10"}, "cursor: the next_cursor of an earlier answer is expected"),
        ("", {"start_time": "yesterday"}, "start_time: 'yesterday' is no time"),
        ("/xyz", {}, "error_id: an error's id, 16 digits of 0-9 and a-f,"),
        ("/0123456789abcdef", {"limit": 101}, "limit: 100 or less is expected"),
    ],
)
def test_wrong_parameters_are_told(client: httpx.Client, path: str, asked: dict[str, Any], said: str) -> None:
    """Each says which, and what would be right."""
    answer = client.get(f"/api/v1/errors{path}", params=asked)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(said)


def test_a_cursor_of_another_question_is_refused(client: httpx.Client, several: list[str]) -> None:
    """Its next page would be of something else."""
    cursor = ask(client, service_name="several", limit=1)["next_cursor"]
    answer = client.get("/api/v1/errors", params={"cursor": cursor, "type": several[0]})
    assert answer.status_code == 400
    assert "another" not in answer.json()["detail"]
    assert "other conditions" in answer.json()["detail"]


def test_an_error_that_did_not_occur_is_missing(client: httpx.Client) -> None:
    """A 404 that names it."""
    answer = client.get("/api/v1/errors/0123456789abcdef", params=SPAN | {"limit": 1})
    assert answer.status_code == 404
    assert answer.json()["detail"] == "the error 0123456789abcdef did not occur in this time"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("order 42 of user 7", "order * of user *"),
        ("no row 123e4567-e89b-12d3-a456-426614174000", "no row *"),
        ("bad value 'x y' for \"k\"", "bad value '*' for \"*\""),
        ("at 0x7ffd12 and deadbeef01", "at * and *"),
        ("mail to al@shop.example failed in 1.5 s", "mail to * failed in * s"),
        ("it doesn't work, won't it", "it doesn't work, won't it"),
        ("nothing to mask", "nothing to mask"),
    ],
)
def test_messages_are_masked(message: str, expected: str) -> None:
    """A star for what is different each time."""
    assert masked(message) == expected
