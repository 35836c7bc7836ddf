"""Spans of one trace and its siblings as columns, with the place of each in its tree.

A place is the way from the root: services and operations. Spans that stand at the same place of different
traces are held against each other.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glasshouse_collector.insights.tree import Tree, grow

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of few different texts: each row's number in `texts`."""

    codes: Ints
    texts: tuple[str, ...]

    def __getitem__(self, row: int) -> str:
        return self.texts[int(self.codes[row])]


@dataclass(frozen=True, slots=True)
class SpanColumns:
    """Columns of equal length, a row a span; times are nanoseconds.

    `place` numbers the places. `tree.own` is the time of a span's own that its trace waited for.
    """

    trace: Texts
    span_id: tuple[str, ...]
    service: Texts
    operation: Texts
    kind: Texts
    start: Ints
    duration: Ints
    failed: Flags
    place: Ints
    tree: Tree

    def __len__(self) -> int:
        return len(self.start)

    @property
    def places(self) -> int:
        """How many places there are."""
        return int(self.place.max(initial=-1)) + 1


def columns_of(table: pa.Table) -> SpanColumns:
    """Return the columns of spans, each of which the table has once.

    It has TraceId, SpanId, Id and Parent (hashes of trace and span id; 0: no parent), Service, Operation,
    Kind, Start, Duration, Failed.
    """
    service, operation = _texts(table, "Service"), _texts(table, "Operation")
    start, duration = (table.column(name).to_numpy().astype(np.int64) for name in ("Start", "Duration"))
    ids, parents = (table.column(name).to_numpy().astype(np.uint64) for name in ("Id", "Parent"))
    tree = grow(ids, parents, start, duration)
    return SpanColumns(
        trace=_texts(table, "TraceId"),
        span_id=tuple(table.column("SpanId").cast(pa.string()).to_pylist()),
        service=service,
        operation=operation,
        kind=_texts(table, "Kind"),
        start=start,
        duration=duration,
        failed=table.column("Failed").to_numpy(zero_copy_only=False).astype(np.bool_),
        place=_places(tree, service.codes * len(operation.texts) + operation.codes),
        tree=tree,
    )


def _places(tree: Tree, names: Ints) -> Ints:
    """Return the number of each span's place: that of its parent, and its own service and operation."""
    place = np.full(len(names), -1, np.int64)
    numbered = 0
    for rows in tree.levels:
        above = np.where(tree.parent[rows] >= 0, place[tree.parent[rows]], -1)
        _, number = np.unique(np.stack([above, names[rows]]), axis=1, return_inverse=True)
        place[rows] = numbered + number.reshape(-1)
        numbered += int(number.max(initial=-1)) + 1
    return place


def _texts(table: pa.Table, name: str) -> Texts:
    coded = table.column(name).cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return Texts(codes, tuple(coded.dictionary.to_pylist()))
