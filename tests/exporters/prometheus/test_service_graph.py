"""The service graph, held against one span after the other, and case by case."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from glasshouse_exporters.prometheus.config import SECONDS
from glasshouse_exporters.prometheus.service_graph.edges import EdgeSeries
from glasshouse_exporters.prometheus.service_graph.graph import ServiceGraph, ServiceGraphSettings
from glasshouse_exporters.prometheus.service_graph.peers import PEER_NAMES
from shown_series import Labels, TestClock, label_key, table_of, values
from span_batches import SentSpan, batch_of

_REQUESTS, _FAILED = "traces_service_graph_request_total", "traces_service_graph_request_failed_total"
_CLIENT, _SERVER = (f"traces_service_graph_request_{side}_seconds" for side in ("client", "server"))
_UNPAIRED, _DROPPED = (f"traces_service_graph_{what}_spans_total" for what in ("unpaired", "dropped"))
_WAIT = 10.0


@dataclass
class Graph:
    """A service graph with a table and a clock of its own."""

    clock: TestClock = field(default_factory=TestClock)
    max_waiting: int = 1000

    def __post_init__(self) -> None:
        self.table = table_of(now=self.clock)
        settings = ServiceGraphSettings(_WAIT, self.max_waiting, PEER_NAMES)
        self.graph = ServiceGraph(EdgeSeries(self.table, SECONDS, 10_000), settings)

    def take(self, *spans: SentSpan) -> None:
        """Take a batch."""
        self.graph.take(batch_of(spans).records)

    def wait(self, seconds: float = _WAIT) -> None:
        """Let time pass, and a scrape come."""
        self.clock.seconds += seconds
        self.graph.expire()

    def shown(self, name: str) -> dict[Labels, float]:
        """Return the samples of a name."""
        return values(self.table, name)

    def requests(self) -> dict[tuple[str, str, str], float]:
        """Return requests by client, server and connection type; the project is the default."""
        found = {}
        for labels, value in self.shown(_REQUESTS).items():
            named = dict(labels)
            assert named.pop("project") == "default"
            found[named["client"], named.get("server", ""), named.get("connection_type", "")] = value
        return found


def _edge(client: str, server: str, connection: str = "") -> Labels:
    return label_key(
        {"project": "default", "client": client, "server": server, "connection_type": connection}
    )


_CALL = SentSpan(service="shop", kind="CLIENT", span=2, parent=1, duration=300_000_000)
_ANSWER = SentSpan(service="cart", kind="SERVER", span=3, parent=2, duration=200_000_000)


def test_a_client_span_and_its_server_span_are_one_request() -> None:
    """Each side with its own duration, in one batch or in two, whichever comes first."""
    for batches in ([[_CALL, _ANSWER]], [[_ANSWER, _CALL]], [[_CALL], [_ANSWER]], [[_ANSWER], [_CALL]]):
        graph = Graph()
        for spans in batches:
            graph.take(*spans)
        graph.wait()
        edge = _edge("shop", "cart")
        assert graph.shown(_REQUESTS) == {edge: 1.0}
        assert graph.shown(_FAILED) == {edge: 0.0}
        assert graph.shown(f"{_CLIENT}_sum") == {edge: 0.3}
        assert graph.shown(f"{_SERVER}_sum") == {edge: 0.2}
        assert graph.shown(f"{_SERVER}_bucket")[edge | {("le", "0.2")}] == 1.0
        assert graph.shown(f"{_SERVER}_bucket")[edge | {("le", "0.1")}] == 0.0
        assert graph.shown(_UNPAIRED) == {}


def test_a_request_failed_if_either_side_says_so() -> None:
    """Client or server."""
    graph = Graph()
    for trace, statuses in enumerate((("ERROR", "UNSET"), ("UNSET", "ERROR"), ("OK", "UNSET")), start=1):
        client, server = statuses
        graph.take(
            SentSpan(service="shop", kind="CLIENT", trace=trace, span=2, status=client),
            SentSpan(service="cart", kind="SERVER", trace=trace, span=3, parent=2, status=server),
        )
    assert graph.shown(_FAILED) == {_edge("shop", "cart"): 2.0}
    assert graph.shown(_REQUESTS) == {_edge("shop", "cart"): 3.0}


def test_ends_that_come_too_late_are_no_request() -> None:
    """Both are counted as unpaired, and nothing is kept of them."""
    graph = Graph()
    graph.take(_CALL)
    graph.wait()
    graph.take(_ANSWER)
    graph.wait()
    assert graph.shown(_REQUESTS) == {}
    assert graph.shown(_UNPAIRED) == {label_key({"project": "default"}): 2.0}


def test_spans_of_other_traces_and_projects_are_no_pair() -> None:
    """Though their span ids fit."""
    graph = Graph()
    graph.take(_CALL, SentSpan(service="cart", trace=2, span=3, parent=2))
    graph.take(SentSpan(service="cart", span=3, parent=2, project="other"))
    assert graph.shown(_REQUESTS) == {}


def test_a_database_is_a_node_by_what_its_client_says() -> None:
    """By the names of today and those before them; it waits for nobody."""
    graph = Graph()
    said = (
        {"db.system.name": "postgresql", "db.namespace": "orders", "db.name": "old"},
        {"db.system": "mysql", "db.name": "users", "peer.service": "somebody"},
        {"db.system": "redis", "server.address": "cache-1"},
        {"db.system.name": "sqlite"},
    )
    graph.take(*(SentSpan(kind="CLIENT", span=span, attributes=each) for span, each in enumerate(said, 1)))
    names = ("orders", "users", "cache-1", "sqlite")
    assert graph.requests() == {("shop", name, "database"): 1.0 for name in names}
    assert graph.shown(f"{_SERVER}_count") == graph.shown(f"{_CLIENT}_count") == graph.shown(_REQUESTS)


def test_a_client_without_a_server_span_leads_to_a_virtual_node() -> None:
    """After its wait, by the peer it names, observed by the client alone; without a name it is unpaired."""
    graph = Graph()
    far = {"server.address": "api.example.com"}
    graph.take(
        SentSpan(kind="CLIENT", span=1, attributes=far | {"peer.service": "bank"}),
        SentSpan(kind="CLIENT", span=2, attributes=far),
        SentSpan(kind="PRODUCER", span=3, attributes={"messaging.destination.name": "orders"}),
        SentSpan(kind="CLIENT", span=4, attributes={"http.route": "/"}),
    )
    assert graph.requests() == {}
    graph.wait()
    assert graph.requests() == {
        ("shop", name, "virtual_node"): 1.0 for name in ("bank", "api.example.com", "orders")
    }
    assert graph.shown(f"{_CLIENT}_count") == graph.shown(_REQUESTS)
    assert graph.shown(f"{_SERVER}_count") == {}
    assert graph.shown(_UNPAIRED) == {label_key({"project": "default"}): 1.0}


def test_a_trace_that_begins_with_a_server_span_is_called_by_user() -> None:
    """At once, observed by the server alone."""
    graph = Graph()
    graph.take(SentSpan(), SentSpan(kind="CONSUMER", span=2), SentSpan(kind="INTERNAL", span=3))
    graph.wait()
    assert graph.requests() == {("user", "shop", "virtual_node"): 1.0}
    assert graph.shown(f"{_CLIENT}_count") == {}


def test_consumers_are_joined_by_links_or_by_their_parent() -> None:
    """All of a message's consumers, each time, as long as the producer is waited for."""
    graph = Graph()
    graph.take(
        SentSpan(kind="PRODUCER", trace=1, span=1),
        SentSpan(kind="PRODUCER", trace=2, span=2),
        SentSpan(service="mail", kind="CONSUMER", trace=1, span=3, parent=1),
    )
    batch = [(1, 1), (2, 2), (2, 2)]
    graph.take(
        SentSpan(service="bill", kind="CONSUMER", trace=9, span=4, links=batch),
        SentSpan(service="mail", kind="CONSUMER", trace=2, span=5, parent=2),
    )
    graph.wait()
    assert graph.requests() == {
        ("shop", "mail", "messaging_system"): 2.0,
        ("shop", "bill", "messaging_system"): 2.0,
    }
    assert graph.shown(_UNPAIRED) == {}


def test_what_waits_is_bounded_and_what_is_dropped_is_counted() -> None:
    """Those that wait already keep their place."""
    graph = Graph(max_waiting=3)
    graph.take(*(SentSpan(kind="CLIENT", span=span) for span in range(1, 6)))
    graph.take(*(SentSpan(service="cart", span=10 + span, parent=span) for span in range(1, 6)))
    assert graph.requests() == {("shop", "cart", ""): 3.0}
    assert graph.shown(_DROPPED) == {label_key({"project": "default"}): 2.0}
    graph.wait()
    assert graph.shown(_UNPAIRED) == {label_key({"project": "default"}): 2.0}


def test_the_collectors_own_spans_and_those_of_no_service_make_no_edge() -> None:
    """Nor do they wait."""
    graph = Graph()
    graph.take(SentSpan(project="_self"), SentSpan(service=""), SentSpan(kind="CLIENT", service="", span=2))
    graph.wait()
    assert graph.requests() == {}
    assert graph.shown(_UNPAIRED) == {}


def test_names_are_forgotten_and_what_waits_keeps_its_own() -> None:
    """However many names come by, pairs are found by those that wait."""
    graph = Graph()
    graph.graph._names.number("a project before")
    graph.take(_CALL, SentSpan(kind="CLIENT", span=9, attributes={"peer.service": "bank"}))
    for number in range(120_000):
        graph.graph._names.number(f"name {number}")
    graph.take(_ANSWER, SentSpan(span=20))
    assert len(graph.graph._names) < 10
    graph.wait()
    assert graph.requests() == {
        ("shop", "cart", ""): 1.0,
        ("shop", "bank", "virtual_node"): 1.0,
        ("user", "shop", "virtual_node"): 1.0,
    }


_KINDS = st.sampled_from(["CLIENT", "SERVER", "PRODUCER", "CONSUMER", "INTERNAL"])
_ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "db.system": st.just("mysql"),
        "db.name": st.sampled_from(["users", "orders"]),
        "server.address": st.sampled_from(["far", ""]),
        "peer.service": st.just("bank"),
    },
)


@st.composite
def _batches(draw: st.DrawFn) -> list[list[SentSpan]]:
    """Draw batches of a few traces, in which each span has an id of its own and names any as its parent."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    ids = iter(draw(st.permutations(range(1, sum(sizes) + 1))))
    ends = st.tuples(st.integers(1, 2), st.integers(1, sum(sizes)))
    return [
        [
            SentSpan(
                service=draw(st.sampled_from(["a", "b", "c"])),
                kind=draw(_KINDS),
                status=draw(st.sampled_from(["UNSET", "ERROR"])),
                trace=draw(st.integers(1, 2)),
                span=next(ids),
                parent=draw(st.integers(0, sum(sizes))),
                links=draw(st.lists(ends, max_size=2)),
                attributes=draw(_ATTRIBUTES),
            )
            for _ in range(size)
        ]
        for size in sizes
    ]


@settings(max_examples=150)
@given(_batches(), st.lists(st.sampled_from([0.0, 6.0, 10.0]), min_size=4, max_size=4))
def test_edges_are_what_joining_one_span_after_the_other_gives(
    batches: list[list[SentSpan]], pauses: list[float]
) -> None:
    """Requests, failures and unpaired spans, over batches with time between them."""
    graph, oracle = Graph(), Oracle()
    for spans, pause in zip(batches, pauses, strict=False):
        graph.take(*spans)
        oracle.take(spans)
        graph.wait(pause)
        oracle.wait(pause)
    graph.wait()
    oracle.wait(_WAIT)
    assert graph.requests() == oracle.requests
    failed = {labels: count for labels, count in graph.shown(_FAILED).items() if count}
    assert failed == {_edge(*edge): count for edge, count in oracle.failed.items()}
    assert sum(graph.shown(_UNPAIRED).values()) == oracle.unpaired


@dataclass
class _End:
    span: SentSpan
    key: tuple[int, int]
    due: float
    paired: bool = False


class Oracle:
    """Joins spans one by one, as the documentation says it."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self.failed: Counter[tuple[str, str, str]] = Counter()
        self.unpaired = 0
        self._now = 0.0
        self._clients: list[_End] = []
        self._servers: list[_End] = []

    def take(self, spans: list[SentSpan]) -> None:
        """Join a batch."""
        clients, servers = [], []
        for span in spans:
            due = self._now + _WAIT
            if span.kind in ("CLIENT", "PRODUCER"):
                if "db.system" in span.attributes:
                    self._count(span.service, _peer(span), "database", span)
                else:
                    clients.append(_End(span, (span.trace, span.span), due))
            if span.kind in ("SERVER", "CONSUMER"):
                keys = list(dict.fromkeys(span.links)) if span.kind == "CONSUMER" else []
                if not keys and span.parent:
                    keys = [(span.trace, span.parent)]
                servers += [_End(span, key, due) for key in keys]
                if not span.parent and span.kind == "SERVER":
                    self._count("user", span.service, "virtual_node", span)
        self._join(servers, clients)
        self._join(servers, self._clients)
        self._join(self._servers, clients)
        self._servers = [end for end in self._servers + servers if not end.paired]
        self._clients = [
            end for end in self._clients + clients if not end.paired or end.span.kind == "PRODUCER"
        ]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds
        for client in self._clients:
            if client.due <= self._now and not client.paired:
                if _peer(client.span):
                    self._count(client.span.service, _peer(client.span), "virtual_node", client.span)
                else:
                    self.unpaired += 1
        self.unpaired += sum(server.due <= self._now for server in self._servers)
        self._clients = [end for end in self._clients if end.due > self._now]
        self._servers = [end for end in self._servers if end.due > self._now]

    def _join(self, servers: list[_End], clients: list[_End]) -> None:
        for server in servers:
            for client in clients:
                if not server.paired and server.key == client.key:
                    server.paired = client.paired = True
                    messaging = client.span.kind == "PRODUCER" or server.span.kind == "CONSUMER"
                    connection = "messaging_system" if messaging else ""
                    self._count(
                        client.span.service, server.span.service, connection, client.span, server.span
                    )

    def _count(self, client: str, server: str, connection: str, *spans: SentSpan) -> None:
        self.requests[client, server, connection] += 1
        if any(span.status == "ERROR" for span in spans):
            self.failed[client, server, connection] += 1


def _peer(span: SentSpan) -> str:
    keys = ["peer.service", "server.address"]
    if "db.system" in span.attributes:
        keys = ["db.name", *keys, "db.system"]
    return next((span.attributes[key] for key in keys if key in span.attributes), "")
