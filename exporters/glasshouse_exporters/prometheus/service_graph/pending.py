"""Ends of requests that wait for the other end, bounded in number and time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glasshouse_exporters.prometheus.columns import Codes, Hashes, Mask

END = np.dtype(
    [
        ("key", "u8"),
        ("due", "f8"),
        ("seconds", "f8"),
        ("project", "i4"),
        ("service", "i4"),
        ("peer", "i4"),
        ("failed", "?"),
        ("messaging", "?"),
        ("paired", "?"),
    ]
)
"""One span: the number of the client's span that makes the pair, until when it waits, its duration, names by
their numbers, and whether it has been paired already (a producer may have many consumers)."""

_FIRST_CAPACITY = 1024
_MARKS_A_NUMBER = 8
_NOBODY = 0
"""The key of an end that is forgotten but still in its place."""

Ends = npt.NDArray[np.void]


class Pair(NamedTuple):
    """Ends that belong together, one of each in every place."""

    clients: Ends
    servers: Ends


class Waiting:
    """The ends of one side, in the order in which they are due."""

    def __init__(self) -> None:
        self._kept: Ends = np.zeros(_FIRST_CAPACITY, dtype=END)
        self._first = self._next = self._gone = 0

    @property
    def count(self) -> int:
        """Return how many wait."""
        return self._next - self._first - self._gone

    @property
    def ends(self) -> Ends:
        """Return them, to be marked as paired in place."""
        return self._kept[self._first : self._next]

    def add(self, ends: Ends) -> None:
        """Let more wait; they are due after those that wait already."""
        if self._next + len(ends) > len(self._kept):
            self._move(len(ends))
        _plain(self._kept)[self._next : self._next + len(ends)] = _plain(ends)
        self._next += len(ends)

    def take_due(self, now: float) -> Ends:
        """Return those that are due, and forget them."""
        late = int(np.searchsorted(self.ends["due"], now, side="right"))
        due = self.ends.take(np.arange(late))
        self._first += late
        self._gone = int(np.count_nonzero(self.ends["key"] == _NOBODY))
        return due

    def forget(self, gone: Mask) -> None:
        """Forget some of `ends`."""
        self._gone = int(np.count_nonzero(gone))
        if self._gone * 2 > len(gone):
            self._keep(self.ends.compress(~gone))
        elif self._gone:
            # Moving the others costs more than the room of a few, which only must not be found again.
            self.ends["key"][gone] = _NOBODY

    def _move(self, more: int) -> None:
        """Make room behind those that wait."""
        waiting = self.ends.compress(self.ends["key"] != _NOBODY)
        if 2 * (len(waiting) + more) > len(self._kept):
            self._kept = np.zeros(2 * (len(waiting) + more), dtype=END)
        self._keep(waiting)

    def _keep(self, ends: Ends) -> None:
        """Let only these wait, which are a copy."""
        _plain(self._kept)[: len(ends)] = _plain(ends)
        self._first, self._next, self._gone = 0, len(ends), 0


class Pending:
    """Client and server spans that wait for each other, at most `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.clients, self.servers = Waiting(), Waiting()

    def pair(self, clients: Ends, servers: Ends) -> tuple[list[Pair], Ends]:
        """Pair new ends among each other and with those that wait; return the pairs and what found no room.

        A client's span is paired with all server spans of its own batch, or with those of one that comes
        later. A producer's waits for more consumers until it is due.
        """
        pairs = [
            _paired(servers, clients),
            _paired(servers, self.clients.ends),
            _paired(self.servers.ends, clients),
        ]
        self.clients.forget(~_waits(self.clients.ends))
        self.servers.forget(self.servers.ends["paired"])
        clients, servers = clients.compress(_waits(clients)), servers.compress(~servers["paired"])
        room = max(self._most - self.clients.count - self.servers.count, 0)
        self.clients.add(clients[:room])
        no_room = clients[room:]
        room = max(room - len(clients), 0)
        self.servers.add(servers[:room])
        return pairs, joined((no_room.compress(~no_room["paired"]), servers[room:]))

    def expire(self, now: float) -> tuple[Ends, Ends]:
        """Give up the ends that are due; return the clients and servers that found no other end."""
        clients, servers = self.clients.take_due(now), self.servers.take_due(now)
        return clients.compress(~clients["paired"]), servers.compress(~servers["paired"])


def _paired(servers: Ends, clients: Ends) -> Pair:
    """Pair the servers that are not paired yet; ends paired are marked so."""
    waiting = np.flatnonzero(~servers["paired"])
    found = index_in(servers["key"][waiting], clients["key"])
    there = found >= 0
    of_servers, of_clients = waiting[there], found[there]
    servers["paired"][of_servers] = True
    clients["paired"][of_clients] = True
    return Pair(clients.take(of_clients), servers.take(of_servers))


def _waits(clients: Ends) -> Mask:
    """Tell the clients that wait for a server: a producer's span may have more consumers."""
    waits: Mask = ~clients["paired"] | clients["messaging"]
    return waits


def joined(parts: Sequence[Ends]) -> Ends:
    """Put records one behind the other."""
    return np.concatenate([_plain(part) for part in parts]).view(parts[0].dtype)


def _plain(records: Ends) -> npt.NDArray[np.void]:
    """View records as bytes: numpy copies those at once, and records of fields field by field."""
    return np.ascontiguousarray(records).view(f"V{records.dtype.itemsize}")


def index_in(wanted: Hashes, known: Hashes) -> Codes:
    """Return where each number is among the known ones, the first of several, -1 where it is not.

    Few are: a table of marks leaves those that may be, and only they are looked up exactly.
    """
    found = np.full(len(wanted), -1, dtype=np.int64)
    likely_known = _may_be_in(known, wanted)
    likely = _may_be_in(wanted, known[likely_known])
    if len(likely):
        places = pc.index_in(pa.array(wanted[likely]), pa.array(known[likely_known]))
        there = np.flatnonzero(np.asarray(places.is_valid()))
        found[likely[there]] = likely_known[np.asarray(places.fill_null(0))[there]]
    return found


def _may_be_in(numbers: Hashes, others: Hashes) -> Codes:
    """Return where the numbers are that may be among the others: all that are, and a few more."""
    mask = np.uint64((1 << (_MARKS_A_NUMBER * len(others)).bit_length()) - 1)
    marks = np.zeros(int(mask) + 1, dtype=bool)
    marks[others & mask] = True
    return np.flatnonzero(marks[numbers & mask])
