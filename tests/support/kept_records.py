"""Records in a store, for tests that ask it."""

from typing import Any

import pyarrow as pa

from glasshouse_collector.codec import best_codec
from glasshouse_collector.core.access import DEFAULT_PROJECT
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.schema import TABLE_COLUMNS
from glasshouse_collector.store import Store


def keep(  # noqa: PLR0913, PLR0917  (what it is, and where it goes)
    store: Store,
    kind: RequestKind,
    signal: Signal,
    request: Any,
    token: str,
    project: str = DEFAULT_PROJECT,
) -> None:
    """Decode a request and insert it, as the pipeline does."""
    decoded = best_codec().decode(kind, [request.SerializeToString()])[signal].records
    count = decoded.num_rows
    ours = {"Project": [project] * count, "BatchId": [token] * count, "BatchRow": list(range(count))}
    schema = TABLE_COLUMNS[signal]
    columns = [
        pa.array(ours[field.name], pa.string() if field.name != "BatchRow" else pa.uint32()).cast(field.type)
        if field.name in ours
        else decoded.column(field.name)
        for field in schema
    ]
    store.insert(signal, pa.RecordBatch.from_arrays(columns, schema=schema), token=token)
