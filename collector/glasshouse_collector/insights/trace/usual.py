"""What is usual at each place of a trace: how often its siblings have a span there, and for how long."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from glasshouse_collector.insights.trace.columns import SpanColumns

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
HIGH: Final = 0.95


@dataclass(frozen=True, slots=True)
class Usual:
    """Of each place, over the siblings; where none has a span there, times are 0 and `seen_in` too.

    `own…` is of single spans, `total…` and `count` of all spans at a place in one trace, and of traces
    without any, 0. Nanoseconds.
    """

    seen_in: Floats
    own_median: Ints
    own_high: Ints
    total_median: Ints
    total_high: Ints
    count_median: Ints
    count_high: Ints
    example: Ints
    """The row of a sibling's span at the place, -1 where there is none."""


def usual_of(columns: SpanColumns, siblings: npt.NDArray[np.bool_], traces: int) -> Usual:
    """Return what is usual by the rows that `siblings` marks, which are of so many traces."""
    rows = np.flatnonzero(siblings)
    place, own, places = columns.place[rows], columns.tree.own[rows], columns.places
    order = np.lexsort((own, place))
    first, spans = _groups(place[order], places)
    example = np.full(places, -1, np.int64)
    example[place[::-1]] = rows[::-1]
    # A pair of place and trace a group: what one trace spends at one place.
    pair = place * len(columns.trace.texts) + columns.trace.codes[rows]
    pairs, inverse, counts = np.unique(pair, return_inverse=True, return_counts=True)
    of_place = pairs // max(1, len(columns.trace.texts))
    totals = np.zeros(len(pairs), np.int64)
    np.add.at(totals, inverse.reshape(-1), own)
    present = np.bincount(of_place, minlength=places)
    return Usual(
        seen_in=present / traces if traces else np.zeros(places),
        own_median=_ranked(own[order], first, spans, 0.5, spans),
        own_high=_ranked(own[order], first, spans, HIGH, spans),
        total_median=_over_traces(totals, of_place, places, traces, 0.5),
        total_high=_over_traces(totals, of_place, places, traces, HIGH),
        count_median=_over_traces(counts, of_place, places, traces, 0.5),
        count_high=_over_traces(counts, of_place, places, traces, HIGH),
        example=example,
    )


def _groups(place: Ints, places: int) -> tuple[Ints, Ints]:
    """Return where each place begins among the sorted rows, and how many rows it has."""
    first = np.searchsorted(place, np.arange(places + 1))
    return first[:-1], np.diff(first)


def _over_traces(values: Ints, of_place: Ints, places: int, traces: int, share: float) -> Ints:
    """Return a quantile over all traces: those without the place count as 0, before all others."""
    order = np.lexsort((values, of_place))
    first, found = _groups(of_place[order], places)
    return _ranked(values[order], first, found, share, np.full(places, traces, np.int64))


def _ranked(values: Ints, first: Ints, found: Ints, share: float, of: Ints) -> Ints:
    """Return the value at a quantile (nearest rank) of `of` values, of which the last `found` are there."""
    rank = np.clip(np.ceil(share * of).astype(np.int64) - 1, 0, None) - (of - found)
    there = (rank >= 0) & (found > 0)
    at = np.where(there, first + np.minimum(rank, np.maximum(found - 1, 0)), 0)
    return np.where(there, values[at] if len(values) else 0, 0).astype(np.int64)
