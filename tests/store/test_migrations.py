"""The tables are what their readers expect, and change in place with the settings."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from collector_process import until
from glasshouse_collector.core.batch import Signal
from glasshouse_collector.core.schema import TABLE_COLUMNS
from glasshouse_collector.store import Store, StoreSettings
from glasshouse_collector.store.migrate import ROLLUPS, TABLE_OF, Migrations, migration_files

Open = Callable[[StoreSettings], Store]
Rows = Callable[..., pa.RecordBatch]


def definition(store: Store, table: str) -> str:
    """Return the statement that would make the table anew."""
    sql = "SELECT create_table_query AS made FROM system.tables WHERE name = {name:String}"
    return str(store.query_arrow(sql, {"name": table})["made"][0])


def test_migrations_run_once(settings: StoreSettings, opened: Open) -> None:
    """Each file is applied once, through a restart too."""
    for applied in ([name for name, _ in migration_files()], []):
        store = opened(settings)
        assert store.migrate() == applied
        assert store.migrate() == []
        store.close()


@pytest.mark.parametrize("signal", Signal)
def test_tables_have_the_columns_of_the_contract(store: Store, signal: Signal) -> None:
    """Each table has the columns of core.schema, in that order, ours last; others it computes itself."""
    sql = (
        "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String} "
        "AND default_kind NOT IN ('ALIAS', 'MATERIALIZED') ORDER BY position"
    )
    names = store.query_arrow(sql, {"table": TABLE_OF[signal]})["name"].to_pylist()
    assert names == TABLE_COLUMNS[signal].names


def test_second_names_are_there(store: Store, rows: Rows) -> None:
    """Older readers find TimestampTime; some look for otel_metrics_exponential_histogram."""
    store.insert(Signal.LOGS, rows(Signal.LOGS), token="t")
    store.insert(Signal.METRICS_EXP_HISTOGRAM, rows(Signal.METRICS_EXP_HISTOGRAM), token="t")
    [counted] = store.query_arrow(
        "SELECT (SELECT count() FROM otel_metrics_exponential_histogram) AS points, "
        "(SELECT countIf(TimestampTime = toDateTime(Timestamp)) FROM otel_logs) AS times"
    ).to_pylist()
    assert counted == {"points": 10, "times": 10}


def test_partitions_are_days_of_utc_wherever_the_machine_stands(store: Store, rows: Rows) -> None:
    """The partition of a record is its day of UTC."""
    store.insert(Signal.TRACES, rows(Signal.TRACES), token="t")
    assert "PARTITION BY toDate(Timestamp, 'UTC')" in definition(store, "otel_traces")
    parts = store.query_arrow("SELECT partition FROM system.parts WHERE table = 'otel_traces' AND active")
    assert parts.to_pylist() == [{"partition": "2030-03-17"}]


def test_retention_and_fsync_change_in_place(
    store: Store, settings: StoreSettings, opened: Open, rows: Rows
) -> None:
    """Other settings alter the tables that are there, and back again; records stay."""
    store.insert(Signal.LOGS, rows(Signal.LOGS), token="t")
    store.close()
    week = opened(StoreSettings(settings.dsn, retention={"logs": timedelta(days=7)}, fsync=False))
    changed = week.migrate()
    kept = "TTL toDateTime(Timestamp) + toIntervalSecond(604800)"
    assert f"otel_logs: MODIFY {kept}" in changed
    assert not [change for change in changed if change.startswith("otel_traces: MODIFY TTL")]
    assert week.migrate() == []
    assert kept in definition(week, "otel_logs")
    assert "fsync_after_insert = 0" in definition(week, "otel_logs")
    assert week.query_arrow("SELECT count() AS n FROM otel_logs").to_pylist() == [{"n": 10}]
    week.close()
    for_ever = opened(settings)
    assert "otel_logs: REMOVE TTL" in for_ever.migrate()
    assert kept not in definition(for_ever, "otel_logs")
    assert "fsync_after_insert = 1" in definition(for_ever, "otel_logs")


def test_old_records_are_dropped(settings: StoreSettings, opened: Open, rows: Rows) -> None:
    """What is older than its retention goes with the next merge."""
    store = opened(StoreSettings(settings.dsn, retention={"logs": timedelta(days=7)}))
    store.migrate()
    records = rows(Signal.LOGS)
    long_ago = pa.array([1_000_000_000 * 10**9] * records.num_rows, records.schema.field("Timestamp").type)
    store.insert(Signal.LOGS, records.set_column(0, records.schema.field(0), long_ago), token="t")
    store.engine.command("OPTIMIZE TABLE otel_logs FINAL")
    assert store.query_arrow("SELECT count() AS n FROM otel_logs").to_pylist() == [{"n": 0}]


def test_alerts_are_kept_as_long_as_they_shall(settings: StoreSettings, opened: Open) -> None:
    """For ever until a retention is set, which signals do not take part in."""
    store = opened(settings)
    store.migrate()
    assert "TTL" not in definition(store, "glasshouse_alerts")
    store.close()
    year = opened(StoreSettings(settings.dsn, retention={"alerts": timedelta(days=365)}))
    assert year.migrate() == [
        "glasshouse_alerts: MODIFY TTL toDateTime(StartsAt) + toIntervalSecond(31536000)"
    ]
    assert year.migrate() == []
    assert "ReplacingMergeTree" in definition(year, "glasshouse_alerts")


def test_a_trace_is_found_by_its_lookup_table(store: Store, rows: Rows) -> None:
    """Each insert tells when its traces began and ended."""
    store.insert(Signal.TRACES, rows(Signal.TRACES), token="t")
    found = store.query_arrow("SELECT count() AS n, uniqExact(TraceId) AS ids FROM otel_traces_trace_id_ts")
    assert found.to_pylist() == [{"n": 10, "ids": 10}]


def cluster_statements(store: Store) -> list[str]:
    """Return what would be run on a cluster."""
    settings = StoreSettings(dsn="clickhouse://h/telemetry", cluster="fleet")
    migrations = Migrations(store.engine, settings)
    return [statement for _, text in migration_files() for statement in migrations.statements(text)]


def test_a_day_of_trace_times_becomes_one_part(store: Store, rows: Rows) -> None:
    """A trace is looked up in every part. Ten minutes after the last write it is one, here after a second."""
    table = "otel_traces_trace_id_ts"
    aged = "min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1"
    assert aged in definition(store, table)
    for batch in range(3):
        written = rows(Signal.TRACES, 10, f"j-0-{batch}", first=10 * batch)
        store.insert(Signal.TRACES, written, token=f"t-{batch}")
    store.engine.command(f"ALTER TABLE {table} MODIFY SETTING min_age_to_force_merge_seconds = 1")
    parts = f"SELECT count() AS n FROM system.parts WHERE active AND table = '{table}'"
    until(lambda: store.query_arrow(parts).to_pylist() == [{"n": 1}], "its parts are merged")


def test_every_statement_for_a_cluster_is_clickhouse(store: Store) -> None:
    """The engine's parser takes each; all of them go to the whole cluster."""
    statements = cluster_statements(store)
    for statement in statements:
        store.engine.command(f"EXPLAIN AST {statement}", {"day": "20300317"})
        # What fills a table is run once, and reaches all shards through the distributed tables.
        assert "ON CLUSTER `fleet`" in statement or statement.startswith("INSERT")
    made = [statement.split("(")[0] for statement in statements if statement.startswith("CREATE TABLE")]
    local = [it for it in made if it.partition(" ON CLUSTER")[0].endswith("_local")]
    assert len(local) * 2 == len(made)  # a local and a distributed one each
    assert len(local) >= len(TABLE_OF) + len(ROLLUPS) + 2


def test_a_cluster_has_replicas_beneath_the_same_names(store: Store, request: pytest.FixtureRequest) -> None:
    """The distributed tables have the names that readers know; the snapshot shows one of each."""
    statements = cluster_statements(store)
    made = [(s.partition("\n")[0], s) for s in statements if s.startswith("CREATE")]
    picked = [s for line, s in made if "otel_logs" in line or "otel_traces_trace_id_ts_mv" in line]
    expected = Path(request.path).parent / "cluster.sql"
    assert ";\n\n".join(picked) + ";\n" == expected.read_text()
