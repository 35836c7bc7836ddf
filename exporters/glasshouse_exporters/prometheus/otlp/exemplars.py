"""Exemplars of data points: the newest of each bucket that names a trace."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from glasshouse_exporters.prometheus.columns import Codes, column
from glasshouse_exporters.prometheus.series import EXEMPLAR, Block, Exemplars, Kind, Rows
from glasshouse_exporters.prometheus.spans.ids import SPAN_ID_LENGTH, TRACE_ID_LENGTH, fixed


@dataclass(frozen=True, slots=True)
class PointExemplars:
    """The exemplars of a batch, oldest first, and the row of the point that each belongs to.

    Their attributes are left out: a trace has them, and a line may have but 128 characters of them.
    """

    rows: Codes
    exemplars: Exemplars

    @classmethod
    def of(cls, records: pa.RecordBatch) -> Self | None:
        """Return those with a trace id; nothing where there is none."""
        traces = column(records, "Exemplars.TraceId")
        ids = fixed(_flat(traces), TRACE_ID_LENGTH)
        named = np.flatnonzero(ids != b"")
        if not len(named):
            return None
        exemplars = np.zeros(len(named), dtype=EXEMPLAR)
        exemplars["time"] = np.asarray(_flat(column(records, "Exemplars.TimeUnix")).cast(pa.int64()))[named]
        exemplars["value"] = np.asarray(_flat(column(records, "Exemplars.Value")))[named]
        exemplars["trace_id"] = ids[named]
        exemplars["span_id"] = fixed(_flat(column(records, "Exemplars.SpanId")), SPAN_ID_LENGTH)[named]
        rows = np.repeat(np.arange(len(traces)), np.diff(np.asarray(traces.offsets)))[named]
        order = np.argsort(exemplars["time"], kind="stable")
        return cls(rows[order], exemplars[order])

    def put(self, block: Block, rows: Rows, places: Rows) -> None:
        """Show those of some rows of the batch, which are at `places` of the block (-1: nowhere)."""
        place_of = np.full(max(int(rows.max(initial=0)), int(self.rows.max())) + 1, -1, dtype=np.int64)
        place_of[rows] = places
        at = place_of[self.rows]
        there = np.flatnonzero(at >= 0)
        if not len(there):
            return
        exemplars = self.exemplars[there]
        buckets = np.zeros(len(there), dtype=np.int64)
        if block.family.kind is Kind.HISTOGRAM:
            buckets = np.searchsorted(np.asarray(block.bounds), exemplars["value"], side="left")
        block.exemplify(at[there], buckets, exemplars)


def _flat(lists: Any) -> Any:
    """Return the items of all lists of a column, of which this may be a part."""
    offsets = np.asarray(lists.offsets)
    return lists.values[offsets[0] : offsets[-1]]
