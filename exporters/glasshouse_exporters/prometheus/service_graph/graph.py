"""Who calls whom: client spans joined with the server spans they are the parent of, across batches.

    CLIENT    (trace, its span id)                     SERVER    (trace, its parent's span id)
    PRODUCER  (trace, its span id)                     CONSUMER  each of its links, else its parent

A client span that calls a database is an edge by itself; one without a server span for as long as pairs are
waited for leads to a virtual node, named by what the span says of its peer. A server span without a parent is
called by `user`. Spans are told by a number made of their ids, so a batch is joined by whole columns.
"""

import threading
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from glasshouse_exporters.prometheus.columns import Codes, Hashes, Mask, coded, column, group_numbers, mixed
from glasshouse_exporters.prometheus.resources import OWN_PROJECT
from glasshouse_exporters.prometheus.service_graph.edges import EDGE, USER, Connection, Edges, EdgeSeries
from glasshouse_exporters.prometheus.service_graph.names import Names
from glasshouse_exporters.prometheus.service_graph.peers import peers_of
from glasshouse_exporters.prometheus.service_graph.pending import END, Ends, Pair, Pending, joined
from glasshouse_exporters.prometheus.spans.ids import SPAN_ID_LENGTH, TRACE_ID_LENGTH, Ids, SpanKeys, fixed

_NANOSECONDS_A_SECOND = 1e9
_MANY_NAMES = 100_000
"""Names beyond what waits are forgotten when there are so many."""


@dataclass(frozen=True, slots=True)
class ServiceGraphSettings:
    """How long and how many spans wait for their other end, and what names a peer without spans."""

    wait_seconds: float
    max_waiting: int
    peer_attributes: tuple[str, ...]


class ServiceGraph:
    """Joins spans to requests between services. May be used from several threads."""

    def __init__(self, series: EdgeSeries, settings: ServiceGraphSettings) -> None:
        self._series, self._settings = series, settings
        self._lock = threading.Lock()
        self._keys = SpanKeys()
        self._names = Names()
        self._user = self._names.number(USER)
        self._pending = Pending(settings.max_waiting)

    def take(self, records: pa.RecordBatch) -> None:
        """Join the spans of a batch, without those of the collector itself."""
        with self._lock:
            self._give_up()
            clients, databases = self._clients(records)
            servers, roots = self._servers(records)
            pairs, dropped = self._pending.pair(clients, servers)
            edges = [_paired(pair) for pair in pairs]
            edges += [_database(databases), self._from_user(roots)]
            self._series.add(joined(edges), self._names)
            self._count("dropped_spans_total", "Spans for which there was no room to wait", dropped)

    def expire(self) -> None:
        """Give up the spans that waited long enough."""
        with self._lock:
            self._give_up()

    def _give_up(self) -> None:
        clients, servers = self._pending.expire(self._series.table.now())
        named = clients["peer"] > 0
        self._series.add(_virtual(clients.compress(named)), self._names)
        lone = joined((clients.compress(~named), servers))
        self._count("unpaired_spans_total", "Spans whose other end did not come in time", lone)
        if len(self._names) > _MANY_NAMES:
            self._forget_names()

    def _count(self, name: str, text: str, ends: Ends) -> None:
        if len(ends):
            numbers, counts = np.unique(ends["project"], return_counts=True)
            projects = [self._names[number] for number in numbers.tolist()]
            self._series.count(name, text, dict(zip(projects, counts.tolist(), strict=True)))

    def _forget_names(self) -> None:
        waiting = (self._pending.clients.ends, self._pending.servers.ends)
        fields = ("project", "service", "peer")
        used = [ends[field].astype(np.int64) for ends in waiting for field in fields]
        moved = self._names.keep([self._user, *np.unique(np.concatenate(used)).tolist()])
        for ends in waiting:
            before = ends["project"].astype(np.uint64)
            for field in fields:
                ends[field] = moved[ends[field]]
            ends["key"] ^= mixed(before) ^ mixed(ends["project"].astype(np.uint64))
        self._user = int(moved[self._user])

    def _clients(self, records: pa.RecordBatch) -> tuple[Ends, Ends]:
        """Return the client spans that have a server span somewhere, and those that call a database."""
        rows = _rows_of(records, ("Client", "Producer"))
        span_ids = fixed(column(records, "SpanId"), SPAN_ID_LENGTH)[rows]
        ends = self._ends(records, rows, self._span_keys(records, rows, span_ids), "Producer")
        peers = peers_of(records, rows, self._settings.peer_attributes)
        ends["peer"] = self._names.numbers(peers.name, np.arange(len(rows)))
        return ends.compress(~peers.database), ends.compress(peers.database)

    def _servers(self, records: pa.RecordBatch) -> tuple[Ends, Ends]:
        """Return the server spans that have a client span somewhere, and those that begin a trace."""
        rows = _rows_of(records, ("Server", "Consumer"))
        parent_ids = fixed(column(records, "ParentSpanId"), SPAN_ID_LENGTH)[rows]
        ends = self._ends(records, rows, self._span_keys(records, rows, parent_ids), "Consumer")
        places, keys = self._linked(records, rows[ends["messaging"]])
        linked = ends.take(np.searchsorted(rows, places))
        linked["key"] = keys ^ mixed(linked["project"].astype(np.uint64))
        with_links = np.zeros(len(rows), dtype=bool)
        with_links[np.searchsorted(rows, places)] = True
        root = parent_ids == b""
        by_parent = ends.compress(~root & ~with_links)
        return joined((by_parent, linked)), ends.compress(root & ~ends["messaging"])

    def _linked(self, records: pa.RecordBatch, consumers: Codes) -> tuple[Codes, Hashes]:
        """Return the spans that consumers have links to, each once: the consumer's row, the span's number."""
        trace_ids, span_ids = column(records, "Links.TraceId"), column(records, "Links.SpanId")
        starts = np.asarray(trace_ids.offsets).astype(np.int64)
        counts = starts[consumers + 1] - starts[consumers]
        total = int(counts.sum())
        if not total:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64)
        rows = np.repeat(consumers, counts)
        first = np.repeat(starts[consumers] - (np.cumsum(counts) - counts), counts)
        places = pa.array(first + np.arange(total))
        traces = self._keys.of_traces(fixed(trace_ids.values.take(places), TRACE_ID_LENGTH))
        keys = self._keys.of_spans(traces, fixed(span_ids.values.take(places), SPAN_ID_LENGTH))
        once = np.sort(group_numbers(mixed(rows.astype(np.uint64)) ^ keys).a_row)
        return rows[once], keys[once]

    def _span_keys(self, records: pa.RecordBatch, rows: Codes, span_ids: Ids) -> Hashes:
        trace_ids = fixed(column(records, "TraceId"), TRACE_ID_LENGTH)[rows]
        return self._keys.of_spans(self._keys.of_traces(trace_ids), span_ids)

    def _ends(self, records: pa.RecordBatch, rows: Codes, keys: Hashes, messaging_kind: str) -> Ends:
        ends = np.zeros(len(rows), dtype=END)
        ends["due"] = self._series.table.now() + self._settings.wait_seconds
        ends["seconds"] = np.asarray(column(records, "Duration"))[rows] / _NANOSECONDS_A_SECOND
        ends["project"] = self._names.numbers(coded(records, "Project"), rows)
        ends["service"] = self._names.numbers(coded(records, "ServiceName"), rows)
        ends["failed"] = _is(records, "StatusCode", ("Error",))[rows]
        ends["messaging"] = _is(records, "SpanKind", (messaging_kind,))[rows]
        # A trace's spans of different projects are no pair.
        ends["key"] = keys ^ mixed(ends["project"].astype(np.uint64))
        return ends

    def _from_user(self, roots: Ends) -> Edges:
        edges = _edges(roots, Connection.VIRTUAL)
        edges["client"], edges["server"] = self._user, roots["service"]
        edges["server_seconds"] = roots["seconds"]
        return edges


def _is(records: pa.RecordBatch, name: str, texts: tuple[str, ...]) -> Mask:
    """Tell the rows whose text in a dictionary-encoded column is one of `texts`."""
    names = column(records, name)
    wanted = np.array([text in texts for text in names.dictionary.to_pylist()], dtype=bool)
    mask: Mask = wanted[np.asarray(names.indices)]
    return mask


def _rows_of(records: pa.RecordBatch, kinds: tuple[str, ...]) -> Codes:
    """Return the spans of these kinds, but the collector's own and those of no service."""
    not_shown = _is(records, "Project", (OWN_PROJECT,)) | _is(records, "ServiceName", ("",))
    return np.flatnonzero(_is(records, "SpanKind", kinds) & ~not_shown)


def _edges(ends: Ends, connection: Connection) -> Edges:
    edges = np.zeros(len(ends), dtype=EDGE)
    edges["project"], edges["failed"], edges["connection"] = ends["project"], ends["failed"], connection
    edges["client_seconds"] = edges["server_seconds"] = np.nan
    return edges


def _paired(pair: Pair) -> Edges:
    clients, servers = pair
    edges = _edges(servers, Connection.DIRECT)
    edges["connection"][clients["messaging"] | servers["messaging"]] = Connection.MESSAGING
    edges["client"], edges["server"] = clients["service"], servers["service"]
    edges["failed"] |= clients["failed"]
    edges["client_seconds"], edges["server_seconds"] = clients["seconds"], servers["seconds"]
    return edges


def _database(ends: Ends) -> Edges:
    """Return requests to databases: the client's duration stands for both sides, as there is one span."""
    edges = _edges(ends, Connection.DATABASE)
    edges["client"], edges["server"] = ends["service"], ends["peer"]
    edges["client_seconds"] = edges["server_seconds"] = ends["seconds"]
    return edges


def _virtual(ends: Ends) -> Edges:
    edges = _edges(ends, Connection.VIRTUAL)
    edges["client"], edges["server"] = ends["service"], ends["peer"]
    edges["client_seconds"] = ends["seconds"]
    return edges
