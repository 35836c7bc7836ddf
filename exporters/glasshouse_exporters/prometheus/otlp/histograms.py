"""Histograms with bounds of their own, and summaries: points whose layout differs from series to series."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glasshouse_exporters.prometheus.columns import Codes, column, group_numbers, mixed
from glasshouse_exporters.prometheus.otlp.series import Points
from glasshouse_exporters.prometheus.series import Numbers, Rows

_SUM_AND_COUNT = 2


@dataclass(frozen=True, slots=True)
class Laid:
    """Rows of one layout: a histogram's bounds, or a summary's quantiles."""

    layout: tuple[float, ...]
    rows: Rows


class Lists:
    """A list column of numbers: row i has `values[starts[i]:starts[i] + lengths[i]]`."""

    def __init__(self, lists: Any) -> None:
        offsets = np.asarray(lists.offsets).astype(np.int64)
        self.values: npt.NDArray[Any] = np.asarray(lists.values)
        self.starts, self.lengths = offsets[:-1], np.diff(offsets)

    def matrix(self, rows: Rows, width: int) -> npt.NDArray[Any]:
        """Return the lists of rows that all have the same length."""
        matrix: npt.NDArray[Any] = self.values[self.starts[rows][:, None] + np.arange(width)]
        return matrix

    def layouts(self) -> Codes:
        """Return a number of each row's list; rows with the same list have the same."""
        first, last = int(self.starts[0]), int(self.starts[-1] + self.lengths[-1])
        places = np.arange(first, last) - np.repeat(self.starts, self.lengths)
        # Minus zero is zero, and would be another number by its bits.
        bits = (self.values[first:last].astype(np.float64) + 0.0).view(np.uint64)
        entries = mixed(mixed(places.astype(np.uint64)) ^ bits)
        sums = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(entries, dtype=np.uint64)))
        starts = self.starts - first
        numbers = mixed(sums[starts + self.lengths] - sums[starts]) ^ self.lengths.astype(np.uint64)
        return group_numbers(numbers).of_row


def histograms(records: pa.RecordBatch, points: Points) -> tuple[list[Laid], Rows]:
    """Return the rows to show by their bounds, and the rows that are no histogram."""
    bounds, counts = Lists(column(records, "ExplicitBounds")), Lists(column(records, "BucketCounts"))
    fits = (counts.lengths == bounds.lengths + 1) | ((counts.lengths == 0) & (bounds.lengths == 0))
    return _laid(bounds, points, fits, _ascending)


def histogram_numbers(records: pa.RecordBatch, rows: Rows, layout: tuple[float, ...]) -> Numbers:
    """Return buckets and sum of rows with the same bounds; without buckets all is in the last."""
    counts = Lists(column(records, "BucketCounts"))
    numbers = np.empty((len(rows), len(layout) + 2))
    numbers[:, -1] = np.asarray(column(records, "Sum"))[rows]
    empty = counts.lengths[rows] == 0
    numbers[~empty, :-1] = counts.matrix(rows[~empty], len(layout) + 1)
    numbers[empty, -2] = np.asarray(column(records, "Count"))[rows[empty]]
    return numbers


def summaries(records: pa.RecordBatch, points: Points) -> tuple[list[Laid], Rows]:
    """Return the rows to show by their quantiles, and the rows that are no summary."""
    quantiles = Lists(column(records, "ValueAtQuantiles.Quantile"))
    return _laid(quantiles, points, np.ones(records.num_rows, dtype=bool), _quantiles)


def summary_numbers(records: pa.RecordBatch, rows: Rows, layout: tuple[float, ...]) -> Numbers:
    """Return values, sum and count of rows with the same quantiles."""
    numbers = np.empty((len(rows), len(layout) + _SUM_AND_COUNT))
    numbers[:, :-2] = Lists(column(records, "ValueAtQuantiles.Value")).matrix(rows, len(layout))
    numbers[:, -2] = np.asarray(column(records, "Sum"))[rows]
    numbers[:, -1] = np.asarray(column(records, "Count"))[rows]
    return numbers


def _ascending(bounds: Numbers) -> bool:
    return bool(np.isfinite(bounds).all() and (np.diff(bounds) > 0).all())


def _quantiles(quantiles: Numbers) -> bool:
    return bool(((quantiles >= 0) & (quantiles <= 1)).all() and (np.diff(quantiles) > 0).all())


def _laid(
    lists: Lists, points: Points, fits: npt.NDArray[np.bool_], is_layout: Any
) -> tuple[list[Laid], Rows]:
    layouts = lists.layouts()
    wrong, good = [np.flatnonzero(points.shown & ~fits)], []
    for rows, layout in _by_layout(lists, layouts, np.flatnonzero(points.shown & fits)):
        if is_layout(layout):
            # A series starts anew with other bounds, so only rows with those of its newest point count.
            current = rows[layouts[rows] == layouts[points.newest[points.of_row[rows]]]]
            good.append(Laid(tuple(layout.tolist()), current))
        else:
            wrong.append(rows)
    return [laid for laid in good if len(laid.rows)], np.concatenate(wrong)


def _by_layout(lists: Lists, layouts: Codes, rows: Rows) -> Iterator[tuple[Rows, Numbers]]:
    order = np.argsort(layouts[rows], kind="stable")
    for same in np.split(rows[order], np.flatnonzero(np.diff(layouts[rows[order]])) + 1):
        if len(same):
            start = lists.starts[same[0]]
            yield same, lists.values[start : start + lists.lengths[same[0]]].astype(np.float64)
