"""Who calls whom, over a real socket from a real store."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from glasshouse_collector.api import create_app
from glasshouse_collector.api.services.counts import Minutes
from glasshouse_collector.api.services.map import read_service_map
from glasshouse_collector.api.services.sampling import sample_of
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import QueryLimits, Store
from kept_records import keep
from migrated_store import migrated_store
from service_spans import MILLISECOND, NOON, Made, spans_request

Serve = Callable[..., httpx.Client]
RANGE = {"start_time": "2030-03-17T17:30:00Z", "end_time": "2030-03-17T18:30:00Z"}
MINUTES = Minutes(NOON // 10**9 - 1800, NOON // 10**9 + 1800)
HTTP = {"server.address": "cart.internal"}
DATABASE = {"db.system.name": "postgresql", "db.namespace": "orders", "server.address": "db-1"}
KAFKA = {"messaging.system": "kafka", "messaging.destination.name": "mails"}

SPANS = [
    # A request through the shop, which asks the cart; the cart asks its database.
    Made("shop", "server", 1, 1, name="GET /pay"),
    Made("shop", "client", 1, 2, 1, duration=20 * MILLISECOND, attributes=HTTP),
    Made("cart", "server", 1, 3, 2, duration=10 * MILLISECOND),
    Made("cart", "client", 1, 4, 3, duration=5 * MILLISECOND, attributes=DATABASE),
    # The same, with a failure that only the cart tells.
    Made("shop", "client", 2, 2, 9, duration=40 * MILLISECOND, attributes=HTTP),
    Made("cart", "server", 2, 3, 2, duration=30 * MILLISECOND, failed=True),
    # A provider that sends no spans, called by an older name of its attribute.
    Made("shop", "client", 3, 2, failed=True, attributes={"net.peer.name": "api.pay.example"}),
    # A client that does not say whom it calls, and a span that calls nobody.
    Made("shop", "client", 4, 2),
    Made("shop", "internal", 4, 3),
    # A message by a queue that the consumer names too; and by one that only the producer names, by a link.
    Made("shop", "producer", 5, 2, duration=2 * MILLISECOND, attributes=KAFKA),
    Made("mailer", "consumer", 5, 3, 2, duration=70 * MILLISECOND, attributes=KAFKA),
    Made("shop", "producer", 6, 2, attributes={"messaging.destination.name": "bills"}),
    Made("biller", "consumer", 7, 3, 0, duration=50 * MILLISECOND, links=[(9, 9), (6, 2), (6, 2)]),
    # A message without a queue's name.
    Made("biller", "producer", 8, 2, duration=3 * MILLISECOND),
    Made("mailer", "consumer", 8, 3, 2, failed=True),
    # Of another range.
    Made("late", "client", 10, 2, start=NOON + 3600 * 10**9, attributes=DATABASE),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Lend a store with the spans in two batches, the ends of a call apart, and those of another project."""
    opened = migrated_store(tmp_path_factory, "map")
    for number in range(2):
        request = spans_request(SPANS[number::2])
        keep(opened, RequestKind.TRACES, Signal.TRACES, request, f"m-{number}")
    others = [
        Made("shop", "client", 1, 2, attributes={"server.address": "theirs"}),
        Made("spy", "server", 1, 3, 2),
    ]
    keep(opened, RequestKind.TRACES, Signal.TRACES, spans_request(others), "o-1", "other")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with that store."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


def ask(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    """Return the map of the range."""
    answer = client.get("/api/v1/service-map", params={**RANGE, **asked})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_the_map_is_what_the_spans_say(client: httpx.Client) -> None:
    """Services, databases, queues and hosts, each call once, and nothing else."""
    told = ask(client)
    assert {(it["client"], it["server"], it["calls"], it["errors"]) for it in told["edges"]} == {
        ("service:shop", "service:cart", 2, 1),
        ("service:cart", "database:orders", 1, 0),
        ("service:shop", "external:api.pay.example", 1, 1),
        ("service:shop", "queue:mails", 1, 0),
        ("queue:mails", "service:mailer", 1, 0),
        ("service:shop", "queue:bills", 1, 0),
        ("queue:bills", "service:biller", 1, 0),
        ("service:biller", "service:mailer", 1, 1),
    }
    assert [(it["id"], it["system"]) for it in told["nodes"]] == [
        ("service:biller", ""),
        ("service:cart", ""),
        ("service:mailer", ""),
        ("service:shop", ""),
        ("database:orders", "postgresql"),
        ("external:api.pay.example", ""),
        ("queue:bills", ""),
        ("queue:mails", "kafka"),
    ]
    assert (told["sampled"], told["truncated"]) == (1, False)


def test_both_sides_of_a_call_tell_how_long_it_took(client: httpx.Client) -> None:
    """The client's duration and the server's; of a database only the client's."""
    edges = {(it["client"], it["server"]): it for it in ask(client)["edges"]}
    cart = edges["service:shop", "service:cart"]
    assert cart["client_p50_ns"] == pytest.approx(30 * MILLISECOND, rel=0.4)
    assert cart["client_p95_ns"] == pytest.approx(40 * MILLISECOND, rel=0.1)
    assert cart["server_p95_ns"] == pytest.approx(30 * MILLISECOND, rel=0.1)
    database = edges["service:cart", "database:orders"]
    assert (database["client_p50_ns"], database["server_p50_ns"]) == (5 * MILLISECOND, None)
    consumed = edges["queue:mails", "service:mailer"]
    assert (consumed["client_p50_ns"], consumed["server_p50_ns"]) == (None, 70 * MILLISECOND)


def test_services_have_all_their_requests(client: httpx.Client) -> None:
    """The numbers of a service are those of its own spans, called by known ones or not."""
    nodes = {it["id"]: it for it in ask(client)["nodes"]}
    cart, database = nodes["service:cart"], nodes["database:orders"]
    assert (cart["requests"], cart["error_ratio"], cart["rate"]) == (2, 0.5, 2 / 3600)
    assert (database["requests"], database["error_ratio"], database["p95_ns"]) == (1, 0, 5 * MILLISECOND)


def test_a_range_without_spans_has_an_empty_map(client: httpx.Client) -> None:
    """Nothing is told where nothing is known."""
    told = ask(client, start_time="2029-01-01T00:00:00Z", end_time="2029-01-02T00:00:00Z")
    assert (told["nodes"], told["edges"], told["sampled"]) == ([], [], 1)


def test_no_project_sees_anothers_calls(filled: Store) -> None:
    """The same trace and span ids of another project make no pair, and their names are not told."""
    ours = read_service_map(filled.of_project("default"), MINUTES, QueryLimits(), 100)
    theirs = read_service_map(filled.of_project("other"), MINUTES, QueryLimits(), 100)
    assert not {"service:spy", "external:theirs"} & {node.id for node in ours.nodes}
    assert [(edge.client, edge.server) for edge in theirs.edges] == [("service:shop", "service:spy")]


def test_more_than_the_limit_is_told_as_truncated(client: httpx.Client) -> None:
    """The most frequent calls are kept, and only edges whose ends are there."""
    told = ask(client, limit=4)
    assert told["truncated"]
    assert len(told["nodes"]) == 4
    known = {node["id"] for node in told["nodes"]}
    assert ("service:shop", "service:cart") in {(it["client"], it["server"]) for it in told["edges"]}
    assert all({edge["client"], edge["server"]} <= known for edge in told["edges"])


def test_a_sample_of_a_long_range_is_scaled(filled: Store) -> None:
    """Looked at one span in ten, the calls of an even hour are still about as many."""
    spans = []
    for number in range(1, 1801):
        start = NOON - 1800 * 10**9 + number * 2 * 10**9 - 1
        spans.append(Made("shop", "client", number, 1, start=start, attributes=HTTP))
        spans.append(Made("cart", "server", number, 2, 1, start=start, failed=number % 2 == 0))
    keep(filled, RequestKind.TRACES, Signal.TRACES, spans_request(spans), "s-1", "even")
    told = read_service_map(filled.of_project("even"), MINUTES, QueryLimits(), 100, most_spans=360)
    assert told.sampled == 10
    [edge] = told.edges
    assert (edge.client, edge.server) == ("service:shop", "service:cart")
    assert edge.calls == pytest.approx(1800, rel=0.1)
    assert edge.errors == pytest.approx(900, rel=0.2)
    cart = next(node for node in told.nodes if node.name == "cart")
    assert cart.requests == 1800


def test_a_sample_lies_within_its_range() -> None:
    """Its stretches do not overlap, and are together as long as is said."""
    sample = sample_of(MINUTES, 1_000_000, 10_000)
    assert sample.one_in == 100
    assert len(sample.starts) * sample.length == pytest.approx(3600 * 10**9 / 100, rel=0.01)
    ends = [(start, start + sample.length) for start in sample.starts]
    assert ends == sorted(ends)
    assert all(end < start for (_, end), (start, _) in pairwise(ends))
    assert ends[0][0] >= MINUTES.start * 10**9
    assert ends[-1][1] <= MINUTES.end * 10**9
