"""Texts are kept with their lengths in one stream, in stores of earlier versions too."""

from collections.abc import Callable

import pyarrow as pa

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.store import Store
from glasshouse_collector.store.migrate import TABLE_OF

Rows = Callable[..., pa.RecordBatch]
UPGRADE = "0026_strings_in_one_stream"


def streams_of_lengths(store: Store, signal: Signal) -> int:
    """Return how many streams of the table's parts hold lengths of texts."""
    sql = (
        "SELECT sum(arrayCount(name -> endsWith(name, '.size'), substreams)) AS streams "
        "FROM system.parts_columns WHERE active AND table = {table:String}"
    )
    return int(store.query_arrow(sql, {"table": TABLE_OF[signal]})["streams"][0].as_py())


def told(store: Store, signal: Signal) -> list[dict[str, object]]:
    """Return the table's rows in the order of their records, without the batch they came with."""
    sql = f"SELECT * EXCEPT BatchId FROM {TABLE_OF[signal]} ORDER BY BatchId, BatchRow"
    return list(store.query_arrow(sql).to_pylist())


def test_parts_of_both_kinds_are_read_and_merged(store_before: Callable[[str], Store], rows: Rows) -> None:
    """What was kept before says the same beside what came after, and when both are one part."""
    store = store_before(UPGRADE)
    store.engine.command("SYSTEM STOP MERGES")
    for signal in Signal:
        store.insert(signal, rows(signal, 40, "j-0-1"), token="t-1")
    lengths = {signal: streams_of_lengths(store, signal) for signal in Signal}
    assert all(lengths.values())
    assert UPGRADE in store.migrate()
    for signal in Signal:
        store.insert(signal, rows(signal, 40, "j-0-2"), token="t-2")
    assert {signal: streams_of_lengths(store, signal) for signal in Signal} == lengths
    before = {signal: told(store, signal) for signal in Signal}
    assert all(len(found) == 80 and found[:40] == found[40:] for found in before.values())
    store.engine.command("SYSTEM START MERGES")
    for signal in Signal:
        store.engine.command(f"OPTIMIZE TABLE {TABLE_OF[signal]} FINAL")
    assert {signal: told(store, signal) for signal in Signal} == before
    assert not any(streams_of_lengths(store, signal) for signal in Signal)
