"""Tables of attributes and exceptions are filled from what was there, stay small, and refuse no record."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from attributed_records import NOON, records
from glasshouse_collector.core.batch import Signal
from glasshouse_collector.store import Store, StoreSettings

Open = Callable[[StoreSettings], Store]
DAY = 86_400 * 10**9
ROLLUPS = {
    "glasshouse_span_attributes": "Place, Key, Quarter, sum(Records)",
    "glasshouse_log_attributes": "Place, Key, Quarter, sum(Records)",
    "glasshouse_span_attribute_values": "Place, Key, Quarter, sum(Weight), uniqCombinedMerge(12)(Distinct)",
    "glasshouse_log_attribute_values": "Place, Key, Quarter, sum(Weight), uniqCombinedMerge(12)(Distinct)",
    "glasshouse_span_exceptions": "Type, Frame, ErrorId, Occurrence, count()",
    "glasshouse_log_exceptions": "Type, Frame, ErrorId, Occurrence, count()",
    "glasshouse_errors_first_seen": "ErrorId, min(FirstSeen)",
}


def contents(store: Store) -> dict[str, list[str]]:
    """Return what each of the tables tells, in an order of its own."""
    told = {}
    for table, columns in ROLLUPS.items():
        keys = columns.split(", ")
        grouped = ", ".join(key for key in keys if "(" not in key)
        sql = f"SELECT {columns} FROM {table} GROUP BY {grouped}"
        told[table] = sorted(str(row) for row in store.query_arrow(sql).to_pylist())
    return told


def test_what_was_there_before_is_filled_in(settings: StoreSettings, opened: Open) -> None:
    """The same as inserts would have made, of several days; and again after a migration that was killed."""
    store = opened(settings)
    store.migrate()
    for day in range(3):
        for signal in (Signal.TRACES, Signal.LOGS):
            own = [{"route": f"/{number % 7}", "id": str(number)} for number in range(300)]
            batch = records(signal, own, batch=f"j-{day}-1", time=NOON + day * DAY, raised=day == 1)
            store.insert(signal, batch, token=f"{signal}-{day}")
    fed = contents(store)
    assert all(fed.values())
    for name in ("0006_attributes", "0007_exceptions"):
        store.engine.command(f"DELETE FROM glasshouse_migrations WHERE name = '{name}'")
    views = store.query_arrow(
        "SELECT name FROM system.tables WHERE engine = 'MaterializedView' "
        "AND (name LIKE '%attribute%' OR name LIKE '%exceptions%')"
    )
    assert views.num_rows == 6
    for name in views["name"].to_pylist():
        store.engine.command(f"DROP TABLE {name}")
    assert store.migrate() == ["0006_attributes", "0007_exceptions"]
    assert contents(store) == fed
    assert store.migrate() == []


def test_ids_do_not_make_the_rollup_grow(store: Store) -> None:
    """A value a record and a thousand keys a record, in many batches: rows and bytes stay within bounds."""
    for batch in range(20):
        own = [{"id": f"{batch}-{number}" * 10, "kind": "x"} for number in range(1000)]
        store.insert(Signal.TRACES, records(Signal.TRACES, own, batch=f"j-{batch}-1"), token=f"{batch}")
    store.engine.command("OPTIMIZE TABLE glasshouse_span_attribute_values FINAL")
    [kept] = store.query_arrow(
        "SELECT count() AS rows, (SELECT sum(data_uncompressed_bytes) FROM system.parts WHERE active "
        "AND table = 'glasshouse_span_attribute_values') AS bytes FROM glasshouse_span_attribute_values"
    ).to_pylist()
    assert kept["rows"] == 3
    assert kept["bytes"] < 100_000
    flood = [{f"key-{batch}-{number}": "x" for number in range(60)} for batch in range(60)]
    store.insert(Signal.TRACES, records(Signal.TRACES, flood, batch="j-99-1"), token="flood")
    [keys] = store.query_arrow(
        "SELECT uniqExact(Key) AS keys FROM glasshouse_span_attributes WHERE Key LIKE 'key-%'"
    ).to_pylist()
    assert 900 < keys["keys"] <= 1000


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS])
def test_no_record_is_refused_for_its_exceptions(store: Store, signal: Signal) -> None:
    """Events days apart from their span, empty attributes, stack traces of a megabyte: all are kept."""
    hostile = ["", "x" * 10**6, 'File "' * 1000, "\n" * 10_000, "at (" * 1000, "\\'\"{}%s", "é" * 10_000]
    own = [{"exception.type": text[:300], "exception.stacktrace": text} for text in hostile]
    store.insert(signal, records(signal, own, raised=signal is Signal.TRACES), token="hostile")
    table = "glasshouse_span_exceptions" if signal is Signal.TRACES else "glasshouse_log_exceptions"
    [told] = store.query_arrow(
        "SELECT count() AS kept, max(length(Stack)) AS longest, uniqExact(toDate(Time, 'UTC')) AS days "
        f"FROM {table}"
    ).to_pylist()
    assert told["kept"] == len(hostile)
    assert told["longest"] < 16_500
    assert told["days"] == 1


def test_records_without_exceptions_leave_none(store: Store) -> None:
    """A span with other events, an error without an exception."""
    for signal in (Signal.TRACES, Signal.LOGS):
        store.insert(signal, records(signal, [{"error.type": "500"}] * 10), token="none")
    kept = store.query_arrow(
        "SELECT (SELECT count() FROM glasshouse_span_exceptions) AS spans, "
        "(SELECT count() FROM glasshouse_log_exceptions) AS logs"
    ).to_pylist()
    assert kept == [{"spans": 0, "logs": 0}]


def test_each_has_the_retention_of_its_signal(settings: StoreSettings, opened: Open) -> None:
    """What is told of log records goes when they do."""
    store = opened(StoreSettings(settings.dsn, retention={"logs": timedelta(days=7)}))
    changed = store.migrate()
    kept = "MODIFY TTL toDateTime({}) + toIntervalSecond(604800)"
    assert f"glasshouse_log_attributes: {kept.format('Quarter')}" in changed
    assert f"glasshouse_log_attribute_values: {kept.format('Quarter')}" in changed
    assert f"glasshouse_log_exceptions: {kept.format('Time')}" in changed
    assert not [change for change in changed if "glasshouse_span" in change or "first_seen" in change]
