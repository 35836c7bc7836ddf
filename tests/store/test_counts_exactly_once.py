"""Counts have each batch once, whatever a kill kept from them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from attributed_records import records as with_attributes
from collector_process import until
from counted_records import COUNTED, COUNTS_AND_RECORDS, miscounted
from glasshouse_collector.core.batch import Signal
from glasshouse_collector.store import Store, StoreSettings, in_doubt
from glasshouse_collector.store.migrate import JOURNAL, TABLE_OF
from glasshouse_collector.store.raising import RAISING_TABLE, raising

Open = Callable[[StoreSettings], Store]
Rows = Callable[..., pa.RecordBatch]
COUNT = 40
UPGRADE = "0010_cheaper_counts"
VIEWS = {
    Signal.TRACES: 8,
    Signal.LOGS: 6,
    Signal.METRICS_GAUGE: 2,
    Signal.METRICS_SUM: 2,
    Signal.METRICS_HISTOGRAM: 2,
    Signal.METRICS_EXP_HISTOGRAM: 2,
    Signal.METRICS_SUMMARY: 2,
}
"""How many views an insert of a signal feeds, by way of other views too."""


def batch_of(signal: Signal, rows: Rows, batch: str) -> pa.RecordBatch:
    """Return a batch with something for every table of counts."""
    if signal not in {Signal.TRACES, Signal.LOGS}:
        return rows(signal, COUNT, batch)
    own = [{"route": f"/{number % 7}", "id": str(number)} for number in range(COUNT)]
    return with_attributes(signal, own, batch=batch, raised=True)


def kept(store: Store, signal: Signal) -> int:
    """Return how many records there are."""
    counted = store.query_arrow(f"SELECT count() AS n FROM {TABLE_OF[signal]}")
    return int(counted["n"][0].as_py())


def wrong(store: Store) -> dict[str, tuple[int, int]]:
    """Return the counts that differ from the records."""
    return miscounted(row.values() for row in store.query_arrow(COUNTS_AND_RECORDS).to_pylist())


def fed_by(store: Store, table: str) -> list[str]:
    """Return the views that an insert into a table feeds, those of views too."""
    [found] = store.query_arrow(
        "SELECT dependencies_table AS views FROM system.tables WHERE database = currentDatabase() "
        "AND name = {table:String}",
        {"table": table},
    ).to_pylist()
    views = list(found["views"])
    for view in found["views"]:
        made = store.query_arrow(
            "SELECT create_table_query AS made FROM system.tables WHERE name = {view:String}", {"view": view}
        )
        target = str(made["made"][0]).partition(" TO default.")[2].split()[0]
        views += fed_by(store, target)
    return views


@pytest.mark.parametrize("signal", Signal)
def test_what_a_kill_kept_from_one_table_comes_by_the_batch_sent_again(
    store: Store, rows: Rows, signal: Signal
) -> None:
    """Each view in turn misses a batch that the other tables have: sent again, all have it."""
    fed = [TABLE_OF[signal], *([RAISING_TABLE[signal]] if signal in RAISING_TABLE else [])]
    views = [view for table in fed for view in fed_by(store, table)]
    assert len(views) == VIEWS[signal]
    for number, view in enumerate(views):
        batch, token = batch_of(signal, rows, f"j-0-{number:x}"), f"t-{number}"
        store.engine.command(f"DETACH TABLE {view}")
        store.insert(signal, batch, token=token)
        missed = wrong(store)
        store.engine.command(f"ATTACH TABLE {view}")
        assert missed or "instances" in view or "first_seen" in view
        for _ in range(2):
            store.insert_again(signal, batch, token=token)
            assert wrong(store) == {}
        assert kept(store, signal) == COUNT * (number + 1)


def parts_on_disk(store: Store) -> dict[str, set[str]]:
    """Return the folders of the parts of each table."""
    found = store.query_arrow(
        "SELECT table, path FROM system.parts WHERE active AND database = currentDatabase()"
    )
    parts: dict[str, set[str]] = {}
    for row in found.to_pylist():
        parts.setdefault(row["table"], set()).add(row["path"])
    return parts


def rest(store: Store) -> None:
    """Begin no merge from now on, and wait for those that run: what an insert makes is what is there."""
    store.engine.command("SYSTEM STOP MERGES")
    until(lambda: not store.query_arrow("SELECT 1 FROM system.merges").num_rows, "no merge runs")


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS, Signal.METRICS_SUM])
def test_rows_lost_after_their_token_was_noted_come_again(
    settings: StoreSettings, opened: Open, rows: Rows, signal: Signal
) -> None:
    """As a kill between the two leaves it: the token is there, the part is not, in each table in turn."""
    store = opened(settings)
    store.migrate()
    store.insert(signal, batch_of(signal, rows, "j-0-0"), token="t-0")
    tables = [table for table in parts_on_disk(store) if table in COUNTED or table == TABLE_OF[signal]]
    assert len(tables) >= (2 if signal is Signal.METRICS_SUM else 5)
    for number, table in enumerate(tables, start=1):
        rest(store)
        batch, token = batch_of(signal, rows, f"j-0-{number:x}"), f"t-{number}"
        before = parts_on_disk(store)[table]
        store.insert(signal, batch, token=token)
        [lost] = parts_on_disk(store)[table] - before
        store.close()
        shutil.rmtree(lost)
        store = opened(settings)
        assert wrong(store)
        store.insert_again(signal, batch, token=token)
        assert wrong(store) == {}
        assert kept(store, signal) == COUNT * (number + 1)


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS, Signal.METRICS_SUM])
def test_rows_that_their_token_keeps_away_come_beside_it(store: Store, rows: Rows, signal: Signal) -> None:
    """On a server the notes cannot be taken back: records come again, and are not counted twice."""
    batch = batch_of(signal, rows, "j-0-1")
    store.insert(signal, batch, token="t")
    # the engine forgets a token with its part, also with an empty one
    store.engine.command(f"ALTER TABLE {TABLE_OF[signal]} MODIFY SETTING remove_empty_parts = 0")
    store.engine.command(
        f"ALTER TABLE {TABLE_OF[signal]} DELETE WHERE BatchId = 'j-0-1' SETTINGS mutations_sync = 2"
    )
    assert kept(store, signal) == 0
    tables = store.query_arrow("SELECT count() AS n FROM system.tables").to_pylist()
    for _ in range(2):
        store.insert_again(signal, batch, token="t")
        assert kept(store, signal) == COUNT
        assert wrong(store) == {}
    assert store.query_arrow("SELECT count() AS n FROM system.tables").to_pylist() == tables


def test_records_never_come_twice_where_their_token_is_forgotten(
    store: Store, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that is there is left alone when many inserts came since, or the tables were made anew."""
    monkeypatch.setattr(in_doubt, "_SURELY_REMEMBERED", 3)
    store.engine.command("ALTER TABLE otel_traces MODIFY SETTING non_replicated_deduplication_window = 3")
    first = batch_of(Signal.TRACES, rows, "j-0-0")
    store.insert(Signal.TRACES, first, token="t-0")
    for number in range(1, 6):
        store.insert(Signal.TRACES, batch_of(Signal.TRACES, rows, f"j-0-{number}"), token=f"t-{number}")
    store.insert_again(Signal.TRACES, first, token="t-0")
    assert kept(store, Signal.TRACES) == 6 * COUNT
    assert wrong(store) == {}
    last = batch_of(Signal.TRACES, rows, "j-0-6")
    store.insert(Signal.TRACES, last, token="t-6")
    store.engine.command(f"INSERT INTO {JOURNAL} (name, applied_at) VALUES ('9999_later', now64(3) + 1)")
    store.engine.command("TRUNCATE TABLE glasshouse_operations")
    store.insert_again(Signal.TRACES, last, token="t-6")
    assert store.query_arrow("SELECT sum(Calls) AS n FROM glasshouse_operations")["n"].to_pylist() == [0]
    assert kept(store, Signal.TRACES) == 7 * COUNT


def test_a_note_is_taken_back_for_what_was_lost_alone(
    settings: StoreSettings, opened: Open, rows: Rows
) -> None:
    """Parts that were merged into others are there; after a restart their tokens still hold."""
    store = opened(settings)
    store.migrate()
    batches = [batch_of(Signal.LOGS, rows, f"j-0-{number}") for number in range(4)]
    for number, batch in enumerate(batches):
        store.insert(Signal.LOGS, batch, token=f"t-{number}")
    store.engine.command("OPTIMIZE TABLE otel_logs FINAL")
    store.engine.command("OPTIMIZE TABLE glasshouse_log_counts FINAL")
    store.close()
    notes = sorted(Path(settings.dsn.removeprefix("chdb://")).glob("store/*/*/deduplication_logs/*.txt"))
    written = [note.read_bytes() for note in notes]
    assert any(written)
    store = opened(settings)
    for number, batch in enumerate(batches):
        store.insert(Signal.LOGS, batch, token=f"t-{number}")
    assert kept(store, Signal.LOGS) == 4 * COUNT
    assert wrong(store) == {}
    assert [note.read_bytes() for note in notes] == written


def test_an_upgrade_goes_on_counting(store_before: Callable[[str], Store], rows: Rows) -> None:
    """A store whose views of exceptions hang on the records keeps what it counted, and counts on."""
    store = store_before(UPGRADE)
    for signal in (Signal.TRACES, Signal.LOGS):
        batch = batch_of(signal, rows, "j-0-0")
        store.engine.insert(TABLE_OF[signal], batch, {"insert_deduplication_token": "t-0"})
    assert wrong(store) == {}
    for _ in range(2):
        assert UPGRADE in store.migrate()
        assert wrong(store) == {}
        store.engine.command(f"DELETE FROM {JOURNAL} WHERE name = '{UPGRADE}'")
    for signal in (Signal.TRACES, Signal.LOGS):
        store.insert(signal, batch_of(signal, rows, "j-0-1"), token="t-1")
        assert kept(store, signal) == 2 * COUNT
    assert wrong(store) == {}


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS])
def test_rows_that_tell_of_an_exception_are_found(signal: Signal) -> None:
    """Those alone, in a slice of a batch too."""
    own = [{"exception.type": "Gone"} if number % 3 == 0 else {"n": str(number)} for number in range(10)]
    batch = with_attributes(signal, own)
    if signal is Signal.TRACES:
        place = batch.schema.get_field_index("Events.Name")
        names = [["other", "exception"] if number % 3 == 0 else ["other"] for number in range(10)]
        field = batch.schema.field(place)
        batch = batch.set_column(place, field, pa.array(names, field.type))
    assert raising(signal, batch).column("BatchRow").to_pylist() == [0, 3, 6, 9]
    assert raising(signal, batch.slice(4, 5)).column("BatchRow").to_pylist() == [6]
    assert raising(signal, batch.slice(1, 2)).num_rows == 0
    assert raising(signal, with_attributes(signal, [{"n": "1"}])).num_rows == 0
