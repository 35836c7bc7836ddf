"""Log records told live, over a real socket from a real store."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

from glasshouse_collector.api import ApiConfig, ApiServer, create_app
from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.logs import arrivals as arriving
from glasshouse_collector.api.logs.arrivals import LIMITS, LogArrivals
from glasshouse_collector.api.logs.batches import BatchName, Told, Unit, parse_told
from glasshouse_collector.api.logs.finding import find_arrivals, find_newest
from glasshouse_collector.api.logs.tail import LogTail, TailQuestion
from glasshouse_collector.api.logs.tail_seats import TailSeats
from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.routes import log_tail
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.core.access import Authenticator, Caller, OpenAccess, Scope
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import Unauthenticated
from glasshouse_collector.store import Store
from kept_records import keep

Serve = Callable[..., httpx.Client]
MINUTE = 60 * 10**9
INFO, ERROR = 9, 17


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in an event loop of its own."""

    @wraps(test)
    def run(*fixtures: Any, **named: Any) -> None:
        asyncio.run(test(*fixtures, **named))

    return run


@dataclass
class Event:
    """One server-sent event."""

    id: str
    kind: str
    data: dict[str, Any]


@dataclass
class Sender:
    """Stores log records of one service, a batch at a time, as a collector's journal does."""

    store: Store
    service: str
    journal: str = "aa"
    project: str = "default"
    batches: int = 0

    def batch(self, *bodies: str, ago: int = 0, severity: int = INFO) -> None:
        """Store one batch; its records are `ago` nanoseconds old."""
        request = ExportLogsServiceRequest()
        resource = request.resource_logs.add()
        resource.resource.attributes.add(key="service.name").value.string_value = self.service
        scope, now = resource.scope_logs.add(), time.time_ns()
        for number, body in enumerate(bodies):
            record = scope.log_records.add(time_unix_nano=now - ago - number * 1000)
            record.severity_number = SeverityNumber.ValueType(severity)
            record.body.string_value = body
        token = f"{self.service}{self.journal}-1-{self.batches:x}"
        keep(self.store, RequestKind.LOGS, Signal.LOGS, request, token, self.project)
        self.batches += 1


@pytest.fixture(scope="module")
def client(shared_services: Services, store: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with that store."""
    shared_services.provide(Store, store)
    return shared_serve(create_app(shared_services))


@pytest.fixture
def sender(store: Store, request: pytest.FixtureRequest) -> Sender:
    """Return a sender whose service is this test's alone."""
    return Sender(store, "".join(letter for letter in request.node.name if letter.isalnum()))


@contextmanager
def following(
    client: httpx.Client, service: str, headers: Mapping[str, str] | None = None, **asked: Any
) -> Iterator[Iterator[Event]]:
    """Lend the events of a tail that has begun."""
    asked = {"service_name": service, **asked}
    with client.stream("GET", "/api/v1/logs/tail", params=asked, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == "retry: 2000"
        yield _events(lines)


def _events(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            if "data" in fields:
                yield Event(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}


def bodies(events: Iterator[Event], count: int) -> list[str]:
    """Read so many events of log records, and return their bodies."""
    return [next(events).data["body"] for _ in range(count)]


def test_the_last_records_come_first_and_then_what_is_stored(client: httpx.Client, sender: Sender) -> None:
    """The newest `last` of before, the oldest of them first; then each as GET /logs tells it."""
    sender.batch("c", "b", "a", ago=MINUTE)
    with following(client, sender.service, last=2) as events:
        assert bodies(events, 2) == ["b", "c"]
        sender.batch("d", "e")
        told = [next(events), next(events)]
    assert [event.data["body"] for event in told] == ["d", "e"]
    assert {event.kind for event in told} == {"log"}
    listed = client.get("/api/v1/logs", params={"service_name": sender.service, "limit": 2}).json()["logs"]
    assert sorted(listed, key=str) == sorted((event.data for event in told), key=str)
    assert [event.id.partition("~")[0] for event in told] == [event.data["id"] for event in told]


def test_late_records_are_told_when_they_come(client: httpx.Client, sender: Sender) -> None:
    """A batch whose records are older than those told before; but none of more than an hour ago."""
    with following(client, sender.service) as events:
        sender.batch("now")
        assert bodies(events, 1) == ["now"]
        sender.batch("half an hour late", ago=30 * MINUTE)
        assert bodies(events, 1) == ["half an hour late"]
        sender.batch("too late", ago=61 * MINUTE)
        sender.batch("almost too late", ago=55 * MINUTE)
        sender.batch("now again")
        assert bodies(events, 2) == ["almost too late", "now again"]


def test_what_other_collectors_store_is_told_too(client: httpx.Client, sender: Sender) -> None:
    """Each has a journal of its own; one that is behind the other is as good."""
    other = Sender(sender.store, sender.service, "bb", batches=70)
    with following(client, sender.service) as events:
        other.batch("1")
        sender.batch("2")
        assert sorted(bodies(events, 2)) == ["1", "2"]
        sender.batch("3", ago=20 * MINUTE)
        other.batch("4", ago=40 * MINUTE)
        assert sorted(bodies(events, 2)) == ["3", "4"]


def test_tails_tell_what_each_asked_for(client: httpx.Client, sender: Sender) -> None:
    """Conditions are those of GET /logs."""
    with (
        following(client, sender.service, level="error") as errors,
        following(client, sender.service, text="refused") as words,
    ):
        sender.batch("fine", "refused once")
        sender.batch("broken", severity=ERROR)
        sender.batch("refused twice", severity=ERROR)
        assert bodies(errors, 2) == ["broken", "refused twice"]
        assert bodies(words, 2) == ["refused once", "refused twice"]


def test_merges_neither_hide_nor_double(client: httpx.Client, sender: Sender) -> None:
    """A merge writes what was told into a new part together with what was not."""
    with following(client, sender.service) as events:
        for number in range(4):
            sender.batch(f"a{number}", f"b{number}")
            sender.store.engine.command("OPTIMIZE TABLE otel_logs FINAL")
            if number % 2:
                expected = [f"{letter}{of}" for of in (number - 1, number) for letter in "ab"]
                assert bodies(events, 4) == expected


@pytest.mark.parametrize("cut", [1, 4, 5, 9])
@pytest.mark.parametrize("by", ["header", "cursor"])
def test_who_comes_back_misses_nothing_and_sees_nothing_twice(
    client: httpx.Client, sender: Sender, cut: int, by: str
) -> None:
    """Wherever the tail was cut, also in the middle of a batch, and whatever came meanwhile."""
    other = Sender(sender.store, sender.service, "bb")
    other.batch("before", "the tail")
    with following(client, sender.service, last=0) as events:
        for number in range(3):
            sender.batch(f"a{number}", f"b{number}")
            other.batch(f"c{number}", f"d{number}")
        first = [next(events) for _ in range(cut)]
    sender.batch("meanwhile", ago=30 * MINUTE)
    other.batch("meanwhile too")
    place = first[-1].id
    asked: dict[str, Any] = {"headers": {"Last-Event-ID": place}} if by == "header" else {"cursor": place}
    with following(client, sender.service, **asked) as events:
        then = bodies(events, 14 - cut)
        sender.batch("the end")
        assert bodies(events, 1) == ["the end"]
    told = [event.data["body"] for event in first] + then
    every = [f"{letter}{number}" for letter in "abcd" for number in range(3)]
    assert sorted(told) == sorted([*every, "meanwhile", "meanwhile too"])


def test_a_place_among_the_last_records_is_one_to_come_back_to(client: httpx.Client, sender: Sender) -> None:
    """What is stored after the tail began comes, however far its beginning was read."""
    sender.batch("old", ago=3 * MINUTE)
    with following(client, sender.service) as events:
        place = next(events).id
    sender.batch("new")
    with following(client, sender.service, cursor=place) as events:
        assert bodies(events, 1) == ["new"]


def test_who_was_away_too_long_is_told_so(client: httpx.Client, sender: Sender) -> None:
    """And begins anew, with times to ask GET /logs for."""
    sender.batch("missed")
    with following(client, sender.service, cursor=f"~{int(time.time()) - 3700:x}~") as events:
        gap = next(events)
        sender.batch("new")
        assert bodies(events, 1) == ["new"]
    assert gap.kind == "gap"
    assert gap.data["left_out"] is None
    assert gap.data["start_time"] < gap.data["end_time"]


def test_a_tail_is_of_one_project(client: httpx.Client, sender: Sender) -> None:
    """Though others send under the same name, and even in the same batch."""
    other = Sender(sender.store, sender.service, "bb", "other")
    same = Sender(sender.store, sender.service, "aa", "other")
    same.batch("theirs, before")
    with (
        following(client, sender.service) as events,
        following(client, sender.service, project="other", last=0) as theirs,
    ):
        other.batch("theirs")
        sender.batches = same.batches = 1
        sender.batch("ours")
        same.batch("theirs too")
        sender.batch("ours too")
        assert bodies(events, 2) == ["ours", "ours too"]
        assert bodies(theirs, 1) == ["theirs"]


def test_who_leaves_is_forgotten(services: Services, store: Store, serve: Serve, sender: Sender) -> None:
    """One key has so many tails at once and gets no more; each that is closed makes room."""
    services.provide(Store, store)
    app = create_app(services)
    client = serve(app)
    streams = app.state.streams
    for _ in range(2):
        with ExitStack() as tails:
            open_ones = [tails.enter_context(following(client, sender.service)) for _ in range(10)]
            refused = client.get("/api/v1/logs/tail")
            assert refused.status_code == 429
            assert "10 tails of this key are open already" in refused.json()["detail"]
            assert len(streams) == len(open_ones) == 10
        _until(lambda: len(streams) == 0)
    with following(client, sender.service) as events:
        sender.batch("there is room")
        assert bodies(events, 1) == ["there is room"]


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_seats_are_limited_in_all() -> None:
    """Whoever takes them."""
    seats = TailSeats(in_all=2, each=2)
    with seats.taken("a"), seats.taken("b"):
        with pytest.raises(Problem, match="2 tails are open already"), seats.taken("c"):
            pass
        assert len(seats) == 2
    assert len(seats) == 0


@in_a_loop
async def test_a_stop_does_not_wait_for_tails(services: Services, store: Store) -> None:
    """They end as an answer ends, long before a running request would be cut off."""
    services.provide(Store, store)
    app = create_app(services)
    server = ApiServer(app, ApiConfig(port=0))
    await server.start()
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.bound_port}", timeout=30) as client,
        client.stream("GET", "/api/v1/logs/tail") as answer,
    ):
        lines = answer.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        stopping = asyncio.create_task(server.stop())
        async for _ in lines:  # to the end: one that is cut off raises
            pass
        assert len(app.state.streams) == 0
        await stopping


@in_a_loop
async def test_a_slow_reader_is_told_how_much_was_left_out(store: Store, sender: Sender) -> None:
    """More than so many records never wait; the newest batch is told in any case."""
    conditions = Conditions()
    conditions.one_of("ServiceName", [sender.service])
    conditions.add("Body != 'not this'")
    arrivals = LogArrivals(store.of_project)
    asked = TailQuestion("default", conditions, last=0, most_behind=5)
    tail = LogTail(arrivals, asked).events()
    assert (await anext(tail)).startswith(b"retry: 2000\nid: ")
    await asyncio.to_thread(sender.batch, "a1", "a2")
    assert b'"a1"' in await anext(tail)
    for letter in "bcdef":  # while nobody reads
        await asyncio.to_thread(sender.batch, f"{letter}1", "not this", f"{letter}2")
    await _arrived(arrivals, sender)
    rest = _events(iter(b"".join([await anext(tail) for _ in range(6)]).decode().split("\n")))
    assert [event.data.get("body", event.data.get("left_out")) for event in rest] == [
        "a2",
        6,
        *("e1", "e2", "f1", "f2"),
    ]
    await tail.aclose()


@in_a_loop
async def test_who_was_forgotten_asks_for_all_since(
    store: Store, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so many batches are kept for a reader; the store knows the rest."""
    monkeypatch.setattr(arriving, "_MOST_KEPT", 2)
    conditions = Conditions()
    conditions.one_of("ServiceName", [sender.service])
    arrivals = LogArrivals(store.of_project)
    tail = LogTail(arrivals, TailQuestion("default", conditions, last=0)).events()
    await anext(tail)
    for number in range(5):
        await asyncio.to_thread(sender.batch, str(number))
    await _arrived(arrivals, sender)
    rest = _events(iter(b"".join([await anext(tail) for _ in range(5)]).decode().split("\n")))
    assert bodies(rest, 5) == ["0", "1", "2", "3", "4"]
    await tail.aclose()


async def _arrived(arrivals: LogArrivals, sender: Sender) -> None:
    """Wait until the watch has seen all that the sender stored."""
    last = BatchName(f"{sender.service}{sender.journal}", 1, sender.batches - 1)
    deadline = time.monotonic() + 30
    while arrivals.newest.may_lack(last) and not arrivals.newest.has(last, time.time_ns() // (1440 * MINUTE)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_what_cannot_be_read_is_left_out_and_said(
    client: httpx.Client, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question that takes too long for one batch does not hold up the next ones."""
    read = LogTail._read

    def refuses(self: LogTail, chosen: Any) -> Any:
        self._asked.conditions.terms[1:] = ["throwIf(Body = 'poison') = 0"]
        return read(self, chosen)

    monkeypatch.setattr(LogTail, "_read", refuses)
    with following(client, sender.service) as events:
        sender.batch("poison")
        gap = next(events)
        sender.batch("fine")
        assert bodies(events, 1) == ["fine"]
    assert (gap.kind, gap.data["left_out"]) == ("gap", None)


def test_a_key_that_is_good_no_more_ends_the_tail(
    services: Services, store: Store, serve: Serve, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at once, but soon."""

    class Revocable(OpenAccess):
        revoked = False

        def admit(self, headers: Mapping[str, str], scope: Scope) -> Caller:
            if self.revoked:
                raise Unauthenticated("the key was revoked")
            return super().admit(headers, scope)

    access = Revocable()
    services.provide(Authenticator, access)  # type: ignore[type-abstract]
    services.provide(Store, store)
    monkeypatch.setattr(log_tail, "_ADMITTED_SECONDS", 0.0)
    with following(serve(create_app(services)), sender.service) as events:
        sender.batch("one")
        assert bodies(events, 1) == ["one"]
        access.revoked = True
        sender.batch("two", "three")
        assert len(list(events)) <= 1


def test_without_a_store_there_is_no_tail(services: Services, serve: Serve) -> None:
    """A 503 to come back from, before anything is told."""
    answer = serve(create_app(services)).get("/api/v1/logs/tail")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"cursor": "x"}, "cursor: the id of an event"),
        ({"cursor": "~1~x"}, "cursor"),
        ({"cursor": "~" * 30_000}, "cursor"),
        ({"cursor": "~1~aa-1-1.1.0.fffffffff~bb"}, "cursor"),
        ({"last": -1}, "last"),
        ({"last": 1001}, "last"),
        ({"level": "loud"}, "level"),
        ({"text": "/(/"}, "text"),
    ],
)
def test_what_is_wrong_is_named(client: httpx.Client, asked: dict[str, Any], told: str) -> None:
    """A 400 with one line, instead of a stream."""
    answer = client.get("/api/v1/logs/tail", params=asked)
    assert answer.status_code == 400, answer.text
    assert told in answer.json()["detail"]


@pytest.mark.parametrize(
    "place", ["", "~0~", "x~ffffffffff~", "~1~aa-1-1.0.0.0", "~ffffffffff~a-b-c-1-1.ffffff.ffffff.fffffffff"]
)
def test_any_place_that_can_be_is_taken(client: httpx.Client, sender: Sender, place: str) -> None:
    """Of long ago, of the future, of journals that never were."""
    with following(client, sender.service, cursor=place) as events:
        sender.batch("here")
        assert next(event for event in events if event.kind == "log").data["body"] == "here"


def test_what_was_told_is_kept_by_batch_and_row() -> None:
    """Of a journal, all before its newest batch is told; of that one, what was."""
    batch = BatchName("a-b", 1, 0x10)
    older, newer = BatchName("a-b", 1, 0xF), BatchName("a-b", 2, 0)
    told = Told()
    assert told.row(Unit(batch, 1, 0)) == -1
    told.advance(Unit(batch, 1, 0), 7)
    told.advance(Unit(batch, 2, 0))
    for each in (told, told.copy(), parse_told(told.written())):
        assert each.row(Unit(batch, 1, 0)) == 7
        assert each.row(Unit(batch, 2, 0)) == each.row(Unit(older, 9, 0)) == 2**32
        assert each.row(Unit(batch, 1, 1)) == each.row(Unit(newer, 1, 0)) == -1
        assert each.may_lack(batch)
        assert not each.may_lack(older)


def test_the_days_of_a_batch_come_one_by_one(store: Store, sender: Sender) -> None:
    """A batch is stored a day at a time: the second is found though the first was told."""
    day = 1440 * MINUTE
    within = TimeRange(time.time_ns() - 4 * day, time.time_ns() + day)
    seen = store.of_project("default")
    sender.batch("the day before", ago=day)
    told = find_newest(seen, within, LIMITS)
    assert find_arrivals(seen, told, within, None, LIMITS) == []
    sender.batches -= 1
    sender.batch("the day")
    (found,) = find_arrivals(seen, told, within, 60, LIMITS)
    assert found.unit.day == time.time_ns() // day
    assert found.projects == {"default": 1}
