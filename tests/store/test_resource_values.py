"""What a resource says is told apart by number, in stores of earlier versions too."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from collector_process import until
from glasshouse_collector.core.batch import Signal
from glasshouse_collector.store import Store
from glasshouse_collector.store.migrate import TABLE_OF

Rows = Callable[..., pa.RecordBatch]
UPGRADE = "0024_resource_values"
BY_NUMBER = {
    Signal.TRACES: {
        "ResourceAttributes": "Map(LowCardinality(String), LowCardinality(String))",
        "ScopeName": "LowCardinality(String)",
        "ScopeVersion": "LowCardinality(String)",
    },
    Signal.LOGS: {
        "ResourceAttributes": "Map(LowCardinality(String), LowCardinality(String))",
        "ScopeName": "LowCardinality(String)",
    },
}


def told(store: Store, signal: Signal) -> list[dict[str, object]]:
    """Return all that the table has, in the order of its records."""
    sql = f"SELECT * FROM {TABLE_OF[signal]} ORDER BY BatchId, BatchRow"
    return list(store.query_arrow(sql).to_pylist())


@pytest.mark.parametrize("signal", BY_NUMBER)
def test_what_is_kept_is_rewritten_and_says_the_same(
    store_before: Callable[[str], Store], rows: Rows, signal: Signal
) -> None:
    """Before, while parts wait to be rewritten, and after; a batch in doubt comes once through all of it."""
    store = store_before(UPGRADE)
    store.insert(signal, rows(signal, 40, "j-0-1"), token="t-1")
    before = told(store, signal)
    assert len(before) == 40
    store.engine.command(f"SYSTEM STOP MERGES {TABLE_OF[signal]}")
    assert store.migrate()[0] == UPGRADE
    assert told(store, signal) == before
    store.insert_again(signal, rows(signal, 40, "j-0-1"), token="t-1")
    assert told(store, signal) == before
    store.engine.command(f"SYSTEM START MERGES {TABLE_OF[signal]}")
    pending = "SELECT 1 FROM system.mutations WHERE NOT is_done"
    until(lambda: not store.query_arrow(pending).num_rows, "what was kept is rewritten")
    assert told(store, signal) == before
    types = "SELECT name, type FROM system.columns WHERE table = {table:String}"
    found = store.query_arrow(types, {"table": TABLE_OF[signal]}).to_pylist()
    assert BY_NUMBER[signal].items() <= {row["name"]: row["type"] for row in found}.items()
    store.insert_again(signal, rows(signal, 40, "j-0-1"), token="t-1")
    store.insert(signal, rows(signal, 40, "j-0-2"), token="t-2")
    assert [{**row, "BatchId": "j-0-1"} for row in told(store, signal)] == before * 2
