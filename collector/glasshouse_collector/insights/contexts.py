"""Spans of the same operation, called by the same: what one of them does, the others would do."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from glasshouse_collector.insights.spans import Ints, Places, Spans
from glasshouse_collector.insights.tree import NONE


@dataclass(frozen=True, slots=True)
class Contexts:
    """`number` is each row's context, from 0 on: its place, its parent's, and by what its service was asked.

    What an operation does depends on what it is called for: a share that changes because callers ask for
    other things is no deviation. So spans count as alike only where they have the same parent, under the
    same operation by which the service was entered, from the same operation of its caller.

    `callee` is, of a span around a single call to another service, the row of the span called, else `NONE`;
    `timed` is `number` parted by what is called, as the way to one service takes longer than that to another.
    """

    number: Places
    timed: Places
    callee: Places

    @classmethod
    def of(cls, spans: Spans) -> Self:
        """Return the contexts of all spans."""
        parent, places = spans.tree.parent, len(spans.places)
        above = _place_of(spans, parent)
        entry = spans.tree.tops(spans.service)
        asked = _numbered(_place_of(spans, parent[entry]) * (places + 1) + spans.place[entry])
        called = np.flatnonzero(parent != NONE)
        alone = np.bincount(parent[called], minlength=len(spans)) == 1
        crossing = called[alone[parent[called]] & (spans.service[parent[called]] != spans.service[called])]
        callee = np.full(len(spans), NONE, np.int32)
        callee[parent[crossing]] = crossing
        below = np.where(callee == NONE, NONE, spans.place[callee]).astype(np.int64) + 1
        number = _numbered((asked * (places + 1) + above) * places + spans.place).astype(np.int64)
        return cls(number.astype(np.int32), _numbered(number * (places + 1) + below), callee)


def _place_of(spans: Spans, rows: Places) -> Ints:
    """Return 1 and more for the places of these rows, 0 for no row."""
    return np.where(rows == NONE, NONE, spans.place[rows]).astype(np.int64) + 1


def _numbered(codes: Ints) -> Places:
    return np.unique(codes, return_inverse=True)[1].astype(np.int32)


def groups_of(codes: Places | Ints) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the rows of each code, in the order of codes."""
    order = np.argsort(codes, kind="stable")
    bounds = np.flatnonzero(np.diff(codes[order])) + 1
    yield from (part for part in np.split(order, bounds) if len(part))
