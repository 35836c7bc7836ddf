"""Which span is under which, over many traces at once, and which time each spent itself.

A trace may be damaged: parents that never arrived, spans that are their own ancestors, children that
outlive their parent. Each span still has its place, and no time counts twice.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

NONE: Final = -1
_MOST_DEPTH: Final = 200
"""Spans deeper than that are taken for roots."""
_MOST_CHILDREN: Final = 1000
"""Children of one span that the critical path is followed through, the last ones to end."""

Places = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tree:
    """Of each span: the row of its parent (`NONE` for a root), its depth, and what it waited for nobody.

    `own` is the time in nanoseconds that the span spent on its trace's critical path without waiting for a
    child: shortening anything else would not have made the trace shorter.
    """

    parent: Places
    depth: Places
    own: Ints
    levels: tuple[Places, ...]
    """The rows of each depth, roots first."""

    def below(self, marked: Flags) -> Flags:
        """Tell which spans have a marked one among their descendants."""
        found = np.zeros(len(marked), np.bool_)
        for rows in self.levels[:0:-1]:
            carrying = rows[marked[rows] | found[rows]]
            found[self.parent[carrying]] = True
        return found

    def most_below(self, strength: Floats) -> Floats:
        """Return of each span the greatest strength among its descendants."""
        found = np.zeros(len(strength))
        for rows in self.levels[:0:-1]:
            np.maximum.at(found, self.parent[rows], np.maximum(strength[rows], found[rows]))
        return found

    def above(self, marked: Flags) -> Flags:
        """Tell which spans have a marked one among their ancestors."""
        found = np.zeros(len(marked), np.bool_)
        for rows in self.levels[1:]:
            parent = self.parent[rows]
            found[rows] = marked[parent] | found[parent]
        return found

    def roots(self) -> Places:
        """Return of each span the row of its trace's root, or of the topmost ancestor that arrived."""
        return self.tops(np.zeros(len(self.parent), np.int32))

    def tops(self, group: Places) -> Places:
        """Return of each span the row of its topmost ancestor that it reaches within its own group."""
        tops = np.arange(len(self.parent), dtype=np.int32)
        for rows in self.levels[1:]:
            parent = self.parent[rows]
            tops[rows] = np.where(group[parent] == group[rows], tops[parent], rows)
        return tops


def grow(ids: npt.NDArray[np.uint64], parents: npt.NDArray[np.uint64], start: Ints, duration: Ints) -> Tree:
    """Return the tree of spans; `ids` are unique, a parent of 0 is none."""
    parent = _rows_of(ids, parents)
    depth = _depths(parent)
    levels = tuple(
        np.flatnonzero(depth == level).astype(np.int32) for level in range(int(depth.max(initial=0)) + 1)
    )
    return Tree(parent, depth, _own(parent, levels, start, start + duration), levels)


def _rows_of(ids: npt.NDArray[np.uint64], wanted: npt.NDArray[np.uint64]) -> Places:
    if not len(ids):
        return np.zeros(0, np.int32)
    order = np.argsort(ids)
    at = np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)
    rows = order[at]
    found = (ids[rows] == wanted) & (wanted != 0) & (rows != np.arange(len(ids)))
    return np.where(found, rows, NONE).astype(np.int32)


def _depths(parent: Places) -> Places:
    """Return how many ancestors each has; who is its own ancestor, or too deep, becomes a root."""
    depth = np.full(len(parent), NONE, np.int32)
    rows = np.flatnonzero(parent == NONE)
    children, first = _children(parent)
    level = 0
    while len(rows) and level <= _MOST_DEPTH:
        depth[rows] = level
        counts = first[rows + 1] - first[rows]
        rows = children[np.repeat(first[rows], counts) + _counting(counts)]
        level += 1
    left = depth == NONE
    parent[left], depth[left] = NONE, 0
    return depth


def _children(parent: Places) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the rows by parent, and of each parent where its children begin among them."""
    order = np.argsort(parent, kind="stable")
    first = np.searchsorted(parent[order], np.arange(len(parent) + 1))
    return order, first


def _counting(counts: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return 0, 1, … for each of the counts, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - counts, counts)


def _own(parent: Places, levels: tuple[Places, ...], start: Ints, end: Ints) -> Ints:
    """Walk each trace back from its end: a span waits for the child that ends last, before it for another."""
    since, until = start.copy(), end.copy()
    own = np.zeros(len(parent), np.int64)
    walked = np.zeros(len(parent), np.bool_)
    walked[levels[0]] = True
    for depth, rows in enumerate(levels):
        here = rows[walked[rows]]
        own[here] = until[here] - since[here]
        if depth + 1 == len(levels):
            break
        below = levels[depth + 1]
        below = below[walked[parent[below]]]
        _walk(below, parent, (start, end), (since, until), walked)
        taken = below[walked[below]]
        np.subtract.at(own, parent[taken], until[taken] - since[taken])
    return own


def _walk(
    rows: Places,
    parent: Places,
    times: tuple[Ints, Ints],
    walked_times: tuple[Ints, Ints],
    walked: Flags,
) -> None:
    """Mark the children that their parents waited for, and clip their times to when they did."""
    start, end = times
    since, until = walked_times
    order = rows[np.lexsort((-start[rows], -end[rows], parent[rows]))]
    if not len(order):
        return
    firsts = np.flatnonzero(np.r_[True, parent[order][1:] != parent[order][:-1]])
    counts = np.diff(np.r_[firsts, len(order)])
    cursor = until.copy()
    for turn in range(min(int(counts.max()), _MOST_CHILDREN)):
        child = order[firsts[counts > turn] + turn]
        above = parent[child]
        begins = np.maximum(start[child], since[above])
        ends = np.minimum(end[child], cursor[above])
        waited = begins < ends
        child, above = child[waited], above[waited]
        since[child], until[child] = begins[waited], ends[waited]
        cursor[above] = begins[waited]
        walked[child] = True
