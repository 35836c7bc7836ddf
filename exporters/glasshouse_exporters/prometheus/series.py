"""The series that the page shows: families of label sets with numbers, bounded in lines.

    SeriesTable ── Family (name, type, help) ── Block (one layout) ── rows: a label set, its numbers

What turns telemetry into series (span metrics, service graph, OTLP metrics) works so:

    with table.lock:
        family = table.family("x_total", Kind.COUNTER, "What it counts", 300)  # may raise ConflictingName
        block = family.block()                      # a histogram's: family.block((0.1, 1.0, 10.0))
        rows = block.rows(label_sets, table.now())  # new ones are made; -1 where there is no room
        block.values[rows[rows >= 0], 0] = gauges[rows >= 0]
        rest = block.overflow(project)              # the series that takes the rest; -1 if it has no room
        block.add(label_sets, projects, increments) # all of it for what is only ever added to

All methods but `snapshot` and `expire` (which take the lock) are called with `table.lock` held, and families
and blocks are asked for anew each time it is taken. Keep it short: group, sort and sum a batch before.
`values`, `latest`, `started` may give way to larger arrays when rows are added, so take them after `rows`.

A label set is the bytes of `labels.label_set`, has `project`, and is ordered always alike. One label set is
in one block of a family only: asked for in another, it ends in the first.

The columns of `Block.values` (float64):
    COUNTER, GAUGE, INFO    0: the value
    HISTOGRAM               0 … len(bounds): observations in each bucket by itself, not summed up, the last
                            above all bounds; then the sum. A bucket holds values ≤ its bound.
    SUMMARY                 0 … len(bounds)-1: the value of each quantile; then the sum, then the count

`latest` and `started` (int64, nanoseconds since the Unix epoch, 0 in a new row) are the translation's own:
the time of the newest point taken, and the start of its observations.

A translation is an object with `take(records: pa.RecordBatch, …) -> None`, called in one worker thread at a
time with the rows of a batch that may be shown (those of the collector itself are left out before).
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from glasshouse_exporters.prometheus.labels import label_set

Rows = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
Exemplars = npt.NDArray[np.void]
T = TypeVar("T", bound=np.generic)

EXEMPLAR = np.dtype([("time", "i8"), ("value", "f8"), ("trace_id", "S32"), ("span_id", "S16")])
"""Nanoseconds since the Unix epoch (0: there is none), the value observed, ids in hexadecimal."""

_FIRST_CAPACITY = 16
_OVERFLOW_SHARE, _LEAST_OVERFLOW = 20, 200
"""Overflow series come on top of the limit, up to this part of it, and these lines at least."""


class Kind(StrEnum):
    """A family's type, by its name in `# TYPE`."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"
    INFO = "info"


class ConflictingName(ValueError):
    """The name belongs to a family of another type, or to a series of another family."""


@dataclass(frozen=True, slots=True)
class BlockSnapshot:
    """A block as it was at one moment; row i of `values` and `exemplars` belongs to `labels[i]`."""

    bounds: tuple[float, ...]
    labels: list[bytes]
    values: Numbers
    exemplars: Exemplars | None


@dataclass(frozen=True, slots=True)
class FamilySnapshot:
    """A family as it was at one moment."""

    name: str
    kind: Kind
    help: str
    blocks: list[BlockSnapshot]


class SeriesTable:
    """All families, and what bounds them.

    `max_lines` bounds the samples on the page. `on_overflow(family, count)` hears of label sets that found no
    room. `now` gives seconds on a clock that only moves forward.
    """

    def __init__(
        self, max_lines: int, now: Callable[[], float], on_overflow: Callable[[str, int], None]
    ) -> None:
        self.lock = threading.RLock()
        self.now = now
        self.max_lines = max_lines
        self.lines = 0
        self._on_overflow = on_overflow
        self._families: dict[str, Family] = {}
        self._claimed: set[str] = set()
        self._reserved: dict[str, str] = {}

    def reserve(self, names: Iterable[str], family: str = "") -> None:
        """Keep names for one family, or for others on the page: a family that would show one conflicts."""
        with self.lock:
            self._reserved |= dict.fromkeys(names, family)

    def family(self, name: str, kind: Kind, text: str, expire_seconds: float) -> "Family":
        """Return the family of this name (counters with `_total`, infos with `_info`); made if it is new.

        The first description and expiry stay. Raises `ConflictingName`.
        """
        family = self._families.get(name)
        if family is not None and family.kind is kind:
            return family
        taken = [
            shown
            for shown in shown_names(name, kind)
            if shown in self._claimed or self._reserved.get(shown, name) != name
        ]
        if taken:
            raise ConflictingName(f"{taken[0]} is shown already, so {name} cannot be a {kind}")
        family = self._families[name] = Family(self, name, kind, text, expire_seconds)
        self._claimed.update(shown_names(name, kind))
        return family

    def expire(self) -> None:
        """End the series that nothing was heard of for their family's time; their room and names are free."""
        with self.lock:
            now = self.now()
            for family in list(self._families.values()):
                family.expire(now)
                if not family.blocks:
                    del self._families[family.name]
                    self._claimed.difference_update(shown_names(family.name, family.kind))

    def snapshot(self) -> list[FamilySnapshot]:
        """Return a copy of all that is shown, without what has expired, families as they were made."""
        with self.lock:
            self.expire()
            return [family.snapshot() for family in self._families.values()]

    def count_overflow(self, family: "Family", count: int) -> None:
        """Say that `count` label sets or points of the family found no room."""
        # A family without series is named by the sender alone, so its name is no bounded label.
        known = any(block.index for block in family.blocks.values())
        self._on_overflow(family.name if known else "other", count)

    def take_room(self, lines: int, *, overflow: bool = False) -> bool:
        """Take room for a row, if there is any."""
        more = max(self.max_lines // _OVERFLOW_SHARE, _LEAST_OVERFLOW) if overflow else 0
        if self.lines + lines > self.max_lines + more:
            return False
        self.lines += lines
        return True


class Family:
    """Series of one name and type. Made by `SeriesTable.family`."""

    def __init__(self, table: SeriesTable, name: str, kind: Kind, text: str, expire_seconds: float) -> None:
        self.table, self.name, self.kind, self.help = table, name, kind, text
        self.expire_seconds = expire_seconds
        self.blocks: dict[tuple[float, ...], Block] = {}

    def block(self, bounds: tuple[float, ...] = ()) -> "Block":
        """Return the rows of this layout: a histogram's ascending finite bounds, or a summary's quantiles."""
        block = self.blocks.get(bounds)
        if block is None:
            block = self.blocks[bounds] = Block(self, bounds)
        return block

    def find(self, labels: bytes) -> "tuple[Block, int] | None":
        """Return where a label set is."""
        for block in self.blocks.values():
            row = block.index.get(labels)
            if row is not None:
                return block, row
        return None

    def end(self, labels: bytes) -> None:
        """End one series, if it is there."""
        place = self.find(labels)
        if place is not None:
            place[0].end([place[1]])

    def expire(self, now: float) -> None:
        """End the series without news; blocks that held them are given up."""
        for bounds, block in list(self.blocks.items()):
            block.end(block.stale(now - self.expire_seconds))
            if not block.index:
                del self.blocks[bounds]

    def snapshot(self) -> FamilySnapshot:
        """Return a copy of the family's series."""
        return FamilySnapshot(
            self.name, self.kind, self.help, [block.snapshot() for block in self.blocks.values()]
        )


class Block:
    """The series of a family that have the same layout. Made by `Family.block`."""

    def __init__(self, family: Family, bounds: tuple[float, ...]) -> None:
        self.family, self.bounds = family, bounds
        self.width, self.lines = layout(family.kind, bounds)
        self.index: dict[bytes, int] = {}
        self.values: Numbers = np.zeros((_FIRST_CAPACITY, self.width))
        self.latest: Rows = np.zeros(_FIRST_CAPACITY, dtype=np.int64)
        self.started: Rows = np.zeros(_FIRST_CAPACITY, dtype=np.int64)
        self._touched: Numbers = np.zeros(_FIRST_CAPACITY)
        self._exemplars: Exemplars | None = None
        self._free: list[int] = []
        self._used = 0

    def rows(self, labels: Sequence[bytes], now: float) -> Rows:
        """Return the row of each label set, made at need, heard of `now`; -1 (counted) where none fits."""
        found = [self.index.get(each, -1) for each in labels]
        if -1 in found:
            found = [self._add(labels[i]) if row < 0 else row for i, row in enumerate(found)]
        rows = np.array(found, dtype=np.int64)
        self._touched[rows[rows >= 0]] = now
        refused = found.count(-1)
        if refused:
            self.family.table.count_overflow(self.family, refused)
        return rows

    def add(self, labels: Sequence[bytes], projects: Sequence[str], increments: Numbers) -> Rows:
        """Add a row of numbers to each series, or to its project's overflow series; return what `rows` does.

        `increments` has the columns of `values`. A label set may come twice.
        """
        rows = self.rows(labels, self.family.table.now())
        refused = np.flatnonzero(rows < 0)
        if len(refused):
            of_refused = [projects[i] for i in refused.tolist()]
            rest_of = {project: self.overflow(project) for project in dict.fromkeys(of_refused)}
            rest = np.array([rest_of[project] for project in of_refused], dtype=np.int64)
            np.add.at(self.values, rest[rest >= 0], increments[refused[rest >= 0]])
        placed = rows >= 0
        np.add.at(self.values, rows[placed], increments[placed])
        return rows

    def overflow(self, project: str) -> int:
        """Return the row that takes what finds no room in a project; -1 where even that has none."""
        labels = label_set((("project", project), ("otel_metric_overflow", "true")))
        row = self.index.get(labels, -1)
        if row < 0:
            row = self._add(labels, overflow=True)
        if row >= 0:
            self._touched[row] = self.family.table.now()
        return row

    def end(self, rows: Iterable[int]) -> None:
        """End series; their rows are zero and free."""
        ended = set(rows)
        if not ended:
            return
        self.index = {labels: row for labels, row in self.index.items() if row not in ended}
        gone = list(ended)
        for column in (self.values, self.latest, self.started, self._touched):
            column[gone] = 0
        if self._exemplars is not None:
            self._exemplars[gone] = np.zeros(1, dtype=EXEMPLAR)
        self._free += gone
        self.family.table.lines -= self.lines * len(gone)

    def stale(self, since: float) -> list[int]:
        """Return the rows not heard of after `since`."""
        alive = np.fromiter(self.index.values(), dtype=np.int64, count=len(self.index))
        return [int(row) for row in alive[self._touched[alive] <= since]]

    def exemplify(self, rows: Rows, columns: Rows, exemplars: Exemplars) -> None:
        """Remember an exemplar (`EXEMPLAR`) for each row and bucket (of a counter: 0) instead of the old."""
        if self._exemplars is None:
            buckets = len(self.bounds) + 1
            self._exemplars = np.zeros((len(self.values), buckets), dtype=EXEMPLAR)
        self._exemplars[rows, columns] = exemplars

    def snapshot(self) -> BlockSnapshot:
        """Return a copy of the rows in use."""
        rows = np.fromiter(self.index.values(), dtype=np.int64, count=len(self.index))
        exemplars = None if self._exemplars is None else self._exemplars[rows]
        return BlockSnapshot(self.bounds, list(self.index), self.values[rows], exemplars)

    def _add(self, labels: bytes, *, overflow: bool = False) -> int:
        known = self.index.get(labels)  # the same twice in one request
        if known is not None:
            return known
        if len(self.family.blocks) > 1:
            self.family.end(labels)
        if not self.family.table.take_room(self.lines, overflow=overflow):
            return -1
        row = self._free.pop() if self._free else self._next()
        self.index[labels] = row
        return row

    def _next(self) -> int:
        if self._used == len(self.values):
            self._grow()
        self._used += 1
        return self._used - 1

    def _grow(self) -> None:
        self.values, self._touched = _doubled(self.values), _doubled(self._touched)
        self.latest, self.started = _doubled(self.latest), _doubled(self.started)
        if self._exemplars is not None:
            self._exemplars = _doubled(self._exemplars)


def layout(kind: Kind, bounds: tuple[float, ...]) -> tuple[int, int]:
    """Return how many numbers a row of the layout has, and how many lines on the page."""
    if kind is Kind.HISTOGRAM:
        return len(bounds) + 2, len(bounds) + 3
    if kind is Kind.SUMMARY:
        return len(bounds) + 2, len(bounds) + 2
    return 1, 1


def shown_names(name: str, kind: Kind) -> tuple[str, ...]:
    """Return the names that a family occupies on the page: its own, its samples', and in OpenMetrics."""
    if kind is Kind.HISTOGRAM:
        return name, f"{name}_bucket", f"{name}_sum", f"{name}_count"
    if kind is Kind.SUMMARY:
        return name, f"{name}_sum", f"{name}_count"
    if kind is Kind.COUNTER:
        return name, name.removesuffix("_total")
    if kind is Kind.INFO:
        return name, name.removesuffix("_info")
    return (name,)


def _doubled(column: npt.NDArray[T]) -> npt.NDArray[T]:
    larger = np.zeros((2 * len(column), *column.shape[1:]), dtype=column.dtype)
    larger[: len(column)] = column
    return larger
