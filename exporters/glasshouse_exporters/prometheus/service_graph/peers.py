"""Whom a client span calls, by what it says itself: a database, or a service that sends no spans.

Source: OpenTelemetry semantic conventions for databases, messaging and peers, with the names that were in use
before they were stable; the service graph connector of the OpenTelemetry Collector.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from glasshouse_exporters.prometheus.columns import Coded, Codes, Mask, column, find_keys

DATABASE_SYSTEMS = ("db.system.name", "db.system")
"""A client span with one of these calls a database."""
DATABASE_NAMES = (
    "db.namespace",
    "db.name",
    "peer.service",
    "server.address",
    "net.peer.name",
    *DATABASE_SYSTEMS,
)
"""What a database is called by, first found first."""
PEER_NAMES = (
    "peer.service",
    "messaging.destination.name",
    "server.address",
    "net.peer.name",
    "net.sock.peer.addr",
    "rpc.service",
    "messaging.system",
)
"""What a service without spans is called by, first found first."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Of each client span: whether it calls a database, and what its peer is called (empty: not said)."""

    database: Mask
    name: Coded


def peers_of(records: pa.RecordBatch, rows: Codes, peer_names: Sequence[str]) -> Peers:
    """Return the peers of the client spans at `rows`, ascending."""
    maps = column(records, "SpanAttributes")
    found = find_keys(maps, tuple(dict.fromkeys((*DATABASE_NAMES, *peer_names))))
    client = np.full(records.num_rows, -1, dtype=np.int64)
    client[rows] = np.arange(len(rows))
    of_client = client[found.rows]
    there = found.of_each(of_client >= 0)
    database = np.zeros(len(rows), dtype=bool)
    for key in DATABASE_SYSTEMS:
        database[of_client[there[key]]] = True
    best = np.full(len(rows), -1, dtype=np.int64)
    for names, wanted in ((peer_names, ~database), (DATABASE_NAMES, database)):
        # What is asked for first comes last, and so stays.
        for key in reversed(names):
            entries = there[key]
            mine = entries[wanted[of_client[entries]]]
            best[of_client[mine]] = found.places[mine]
    named = np.flatnonzero(best >= 0)
    texts = maps.items.take(pa.array(best[named])).cast(pa.string()).dictionary_encode()
    codes = np.zeros(len(rows), dtype=np.int64)
    codes[named] = np.asarray(texts.indices) + 1
    known = ["", *texts.dictionary.to_pylist()]
    return Peers(database, Coded(codes, len(known), known.__getitem__))
