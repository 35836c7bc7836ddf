"""Exponential histograms as classic ones, with bounds that are powers of two and never move.

A bucket of scale s holds values in (b^i, b^(i+1)], b = 2^(2^-s). Buckets of a finer scale fall whole into
those of a coarser one, so the counts at each bound are exact as long as the sender's scale is not coarser
than `scale`; where it is, a bucket counts at its upper bound. What lies below the lowest bound, zero and what
is negative included, is in the first bucket, what lies above the highest in the last.
Source: OpenTelemetry, metrics data model, "ExponentialHistogram".
"""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glasshouse_exporters.prometheus.columns import column
from glasshouse_exporters.prometheus.otlp.histograms import Lists
from glasshouse_exporters.prometheus.series import Numbers, Rows

_OCTAVES = {
    "s": (-14, 12),  # 61 µs to 68 min
    "ms": (-4, 22),
    "us": (6, 32),
    "ns": (16, 42),
    "By": (0, 40),  # 1 B to 1 TiB
}
_OTHER_OCTAVES = (-10, 30)
_LARGEST_SHIFT = 62


@lru_cache(maxsize=1024)
def exponential_bounds(unit: str, scale: int) -> tuple[float, ...]:
    """Return the bounds for a unit: 2^scale of them to each doubling."""
    first, last = _OCTAVES.get(unit, _OTHER_OCTAVES)
    parts = 2**scale
    return tuple(2.0 ** (power / parts) for power in range(first * parts, last * parts + 1))


def exponential_numbers(records: pa.RecordBatch, rows: Rows, unit: str, scale: int) -> Numbers:
    """Return buckets and sum of exponential histograms, in `exponential_bounds` of the unit."""
    first, last = _OCTAVES.get(unit, _OTHER_OCTAVES)
    lowest, highest = first * 2**scale, last * 2**scale
    buckets = highest - lowest + 2
    counts = Lists(column(records, "PositiveBucketCounts"))
    offsets = np.asarray(column(records, "PositiveOffset"))[rows].astype(np.int64)
    scales = np.asarray(column(records, "Scale"))[rows].astype(np.int64)
    lengths = counts.lengths[rows]
    of_row = np.repeat(np.arange(len(rows)), lengths)
    within = np.arange(len(of_row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    upper = _upper_powers(offsets[of_row] + within, scales[of_row], scale, lowest, highest)
    observed = counts.values[counts.starts[rows][of_row] + within]
    cells = np.bincount(of_row * buckets + upper - lowest, observed, minlength=len(rows) * buckets)
    numbers = np.empty((len(rows), buckets + 1))
    numbers[:, :-1] = cells.reshape(len(rows), buckets)
    numbers[:, 0] += np.asarray(column(records, "ZeroCount"))[rows]
    numbers[:, 0] += _total(Lists(column(records, "NegativeBucketCounts")), rows)
    numbers[:, -1] = np.asarray(column(records, "Sum"))[rows]
    return numbers


def _upper_powers(
    indices: npt.NDArray[Any], scales: npt.NDArray[Any], scale: int, lowest: int, highest: int
) -> npt.NDArray[np.int64]:
    """Return for each bucket the power of b of `scale` that is its upper bound; highest + 1 above all."""
    finer = np.clip(scales - scale, 0, _LARGEST_SHIFT)
    coarser = np.clip(scale - scales, 0, _LARGEST_SHIFT)
    powers = (indices >> finer) + 1
    # As floats: a power that no float64 can have is far outside, and shall not wrap around.
    moved = np.clip(np.ldexp(powers.astype(np.float64), coarser.astype(np.int32)), lowest, highest + 1)
    result: npt.NDArray[np.int64] = moved.astype(np.int64)
    return result


def _total(lists: Lists, rows: Rows) -> Numbers:
    """Return the sum of each row's list."""
    sums = np.concatenate((np.zeros(1), np.cumsum(lists.values.astype(np.float64))))
    starts = lists.starts[rows]
    totals: Numbers = sums[starts + lists.lengths[rows]] - sums[starts]
    return totals
