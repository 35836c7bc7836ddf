"""Which spans and log records tell of an exception: they are few, and their views cost as much for none."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glasshouse_collector.core.batch import Signal

RAISING_TABLE: Final = {
    Signal.TRACES: "glasshouse_raising_spans",
    Signal.LOGS: "glasshouse_raising_logs",
}
"""Tables that keep nothing and feed the views of exceptions."""

_COLUMNS: Final = {
    Signal.TRACES: ("SpanName", "SpanAttributes", "Events.Timestamp", "Events.Name", "Events.Attributes"),
    Signal.LOGS: ("ScopeName", "LogAttributes"),
}
_COLUMNS_OF_BOTH: Final = (
    "Project",
    "Timestamp",
    "ServiceName",
    "TraceId",
    "SpanId",
    "ResourceAttributes",
    "BatchId",
    "BatchRow",
)
_SPAN_EVENTS: Final = pa.array(["exception"])
_LOG_ATTRIBUTES: Final = pa.array(["exception.type", "exception.message", "exception.stacktrace"])


def raising(signal: Signal, records: pa.RecordBatch) -> pa.RecordBatch:
    """Return the spans with an event `exception`, the log records with an attribute of one.

    They have the columns of their `RAISING_TABLE`.
    """
    if signal is Signal.TRACES:
        lists = records.column(records.schema.get_field_index("Events.Name"))
        rows = _with_one_of(lists.offsets, lists.values, _SPAN_EVENTS)
    else:
        maps = records.column(records.schema.get_field_index("LogAttributes"))
        rows = _with_one_of(maps.offsets, maps.keys, _LOG_ATTRIBUTES)
    return records.select([*_COLUMNS_OF_BOTH, *_COLUMNS[signal]]).take(pa.array(rows))


def _with_one_of(
    offsets: pa.Int32Array, names: pa.DictionaryArray, wanted: pa.StringArray
) -> npt.NDArray[np.int64]:
    """Return the rows among whose names is one of those wanted; looks at each distinct name once."""
    found = np.flatnonzero(np.asarray(pc.is_in(names.dictionary, value_set=wanted)))
    if not len(found):
        return np.empty(0, np.int64)
    bounds = np.asarray(offsets)
    places = np.flatnonzero(np.isin(np.asarray(names.indices), found))
    within = places[(places >= bounds[0]) & (places < bounds[-1])]  # the rows may be a slice of others
    return np.unique(np.searchsorted(bounds, within, side="right") - 1)
