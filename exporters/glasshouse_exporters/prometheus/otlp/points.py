"""Puts data points into series: the newest of what is cumulative, the sum of what is delta.

A delta is added once for each point that is delivered, in whatever order points come. Where one series has
both, the cumulative points of a batch are put first and the deltas added to them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from glasshouse_exporters.prometheus.columns import Codes
from glasshouse_exporters.prometheus.otlp.exemplars import PointExemplars
from glasshouse_exporters.prometheus.otlp.series import MetricSeries, Points, newest_rows
from glasshouse_exporters.prometheus.series import Block, ConflictingName, Family, Numbers, Rows, SeriesTable

CONFLICTING_NAME = "conflicting_name"
OUT_OF_ORDER = "out_of_order"

_ROWS_AT_ONCE = 8192
"""A row of an exponential histogram is hundreds of numbers, so a large batch is summed in parts."""

Drop = Callable[[str, int], None]
"""Is told a reason, and how many points are not shown for it."""
Layout = tuple[float, ...]


class PointWriter:
    """Writes points to the table; what it cannot show is counted by reason."""

    def __init__(self, table: SeriesTable, expire_seconds: float, drop: Drop) -> None:
        self._table, self._expire_seconds, self._drop = table, expire_seconds, drop

    def end(self, points: Points) -> None:
        """End the series whose newest point says so, unless a newer one is shown already."""
        with self._table.lock:
            for i in np.flatnonzero(points.ends).tolist():
                series = points.series[i]
                family = self._family(series, points.of_row, np.array([i]))
                place = family.find(series.labels) if family else None
                if place and place[0].latest[place[1]] <= points.times[points.newest[i]]:
                    place[0].end([place[1]])

    def put(
        self,
        points: Points,
        rows: Rows,
        layout: Layout,
        numbers: Callable[[Rows], Numbers],
        exemplars: PointExemplars | None = None,
    ) -> None:
        """Show the newest of some rows of each series; `numbers` gives the columns of `Block.values`."""
        if not len(rows):
            return
        series, of_row = np.unique(points.of_row[rows], return_inverse=True)
        newest = rows[newest_rows(of_row, points.times[rows])]
        values, times = numbers(newest), points.times[newest]
        with self._table.lock:
            for family, members in self._families(points, series, of_row):
                block = family.block(layout)
                labels = [points.series[series[i]].labels for i in members]
                late = _late(family, block, labels, times[members])
                if late.any():
                    self._drop(OUT_OF_ORDER, int(np.count_nonzero(late)))
                # Not heard of by late points: a series whose sender set its clock back ends, and begins anew.
                found = np.full(len(members), -1, dtype=np.int64)
                current = np.flatnonzero(~late)
                found[current] = block.rows([labels[i] for i in current], self._table.now())
                _set(block, found, values[members], times[members])
                if exemplars is not None:
                    exemplars.put(block, rows, _places(found, members, of_row))

    def add(
        self,
        points: Points,
        rows: Rows,
        layout: Layout,
        numbers: Callable[[Rows], Numbers],
        exemplars: PointExemplars | None = None,
    ) -> None:
        """Add some rows to their series; where there is no room, to their project's overflow series."""
        if not len(rows):
            return
        series, of_row = np.unique(points.of_row[rows], return_inverse=True)
        sums = np.zeros((len(series), numbers(rows[:1]).shape[1]))
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            np.add.at(sums, of_row[part], numbers(rows[part]))
        times = points.times[rows[newest_rows(of_row, points.times[rows])]]
        with self._table.lock:
            for family, members in self._families(points, series, of_row):
                block = family.block(layout)
                named = [points.series[series[i]] for i in members]
                found = block.add(
                    [each.labels for each in named], [each.project for each in named], sums[members]
                )
                kept = found >= 0
                np.maximum.at(block.latest, found[kept], times[members][kept])
                if exemplars is not None:
                    exemplars.put(block, rows, _places(found, members, of_row))

    def _families(self, points: Points, series: Codes, of_row: Codes) -> Iterator[tuple[Family, Codes]]:
        """Return the families of some series, and which of these series are in each; `of_row` as theirs."""
        members: dict[tuple[str, str], list[int]] = defaultdict(list)
        for i, number in enumerate(series.tolist()):
            each = points.series[number]
            members[each.family, each.kind].append(i)
        for group in members.values():
            places = np.array(group)
            family = self._family(points.series[series[places[0]]], of_row, places)
            if family:
                yield family, places

    def _family(self, series: MetricSeries, of_row: Codes, members: Codes) -> Family | None:
        try:
            return self._table.family(series.family, series.kind, series.help, self._expire_seconds)
        except ConflictingName:
            self._drop(CONFLICTING_NAME, int(np.count_nonzero(np.isin(of_row, members))))
            return None


def _places(found: Rows, members: Codes, of_row: Codes) -> Rows:
    """Return the row of the block that each row of the batch is in, -1 for those of other families."""
    places = np.full(int(of_row.max()) + 1, -1, dtype=np.int64)
    places[members] = found
    return places[of_row]


def _late(family: Family, block: Block, labels: Sequence[bytes], times: Rows) -> npt.NDArray[np.bool_]:
    """Return which points are older than what their series holds."""
    held = np.array([block.index.get(each, -1) for each in labels], dtype=np.int64)
    late = held >= 0
    late[late] = times[late] < block.latest[held[late]]
    if len(family.blocks) > 1:
        for i in np.flatnonzero(held < 0).tolist():
            place = family.find(labels[i])
            late[i] = place is not None and times[i] < place[0].latest[place[1]]
    return late


def _set(block: Block, found: Rows, values: Numbers, times: Rows) -> None:
    """Set rows of a block; -1 is none."""
    # Oldest first: should two of the batch have the same labels, the newest stays.
    order = np.argsort(times, kind="stable")
    order = order[found[order] >= 0]
    block.values[found[order]] = values[order]
    block.latest[found[order]] = times[order]
