"""Where anybody can see a clue too: the traces of its spans, since when, at which operation."""

from typing import Any

import numpy as np
import numpy.typing as npt

from glasshouse_collector.insights.findings import MOST_SHOWN
from glasshouse_collector.insights.spans import Spans
from glasshouse_collector.insights.tree import NONE


def shown_traces(spans: Spans, rows: npt.NDArray[Any]) -> tuple[str, ...]:
    """Return the ids of some traces of these rows, in the rows' order."""
    _, first = np.unique(spans.trace[rows], return_index=True)
    return tuple(spans.trace_ids[spans.trace[rows[place]]] for place in np.sort(first)[:MOST_SHOWN])


def shown_times(spans: Spans, rows: npt.NDArray[Any]) -> tuple[int, int]:
    """Return when the first of these rows started and the last one ended."""
    start = spans.start[rows]
    return int(start.min()), int((start + spans.duration[rows]).max())


def entry_operation(spans: Spans, rows: npt.NDArray[Any]) -> str:
    """Return the operation by which most of these rows were asked of their service.

    That is the topmost span above a row that is still of the row's service.
    """
    at = rows.astype(np.int64)
    for _ in range(len(spans.tree.levels)):
        above = spans.tree.parent[at]
        inside = (above != NONE) & (spans.service[above] == spans.service[at])
        if not inside.any():
            break
        at = np.where(inside, above, at)
    return spans.places[int(np.bincount(spans.place[at]).argmax())].operation
