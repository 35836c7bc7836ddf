"""Observations into the buckets of classic histograms, a whole column at once."""

from collections.abc import Sequence

import numpy as np

from glasshouse_exporters.prometheus.columns import Codes
from glasshouse_exporters.prometheus.series import Numbers

_FEW_BOUNDS = 40


def buckets_of(values: Numbers, bounds: Sequence[float]) -> Codes:
    """Return the bucket of each value: the first whose bound is not less, `len(bounds)` above all."""
    if len(bounds) > _FEW_BOUNDS:
        return np.searchsorted(np.asarray(bounds), values, side="left").astype(np.int64)
    # A comparison with each of a few bounds runs on vector instructions; a binary search guesses branches.
    buckets = np.zeros(len(values), dtype=np.uint8)
    for bound in bounds:
        buckets += values > bound
    return buckets.astype(np.int64)


def histogram_rows(groups: Codes, count: int, values: Numbers, buckets: Codes, width: int) -> Numbers:
    """Return one row a group in the columns of a histogram's `Block.values`, of `width` buckets."""
    rows = np.empty((count, width + 1))
    rows[:, :-1] = np.bincount(groups * width + buckets, minlength=count * width).reshape(count, width)
    rows[:, -1] = np.bincount(groups, weights=values, minlength=count)
    return rows


def newest(groups: Codes, count: int, buckets: Codes, width: int) -> tuple[Codes, Codes, Codes]:
    """Return the last observation of each group and bucket: groups, buckets, rows of the batch."""
    last = np.full(count * width, -1, dtype=np.int64)
    # Of many assignments to one place, the last stays.
    last[groups * width + buckets] = np.arange(len(groups))
    cells = np.flatnonzero(last >= 0)
    return cells // width, cells % width, last[cells]
