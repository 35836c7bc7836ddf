"""What services do is counted as records come in, each once, and by an upgrade what was there before."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.core.schema import TABLE_COLUMNS
from glasshouse_collector.store import Store, StoreSettings
from glasshouse_collector.store.migrate import JOURNAL

Open = Callable[[StoreSettings], Store]
Rows = Callable[..., pa.RecordBatch]
NOON = 1_900_000_800 * 10**9
MINUTE = 60 * 10**9
COUNTED = "SELECT sum(Calls) AS calls, sum(Errors) AS errors FROM {}"


def with_columns(records: pa.RecordBatch, **columns: Sequence[object]) -> pa.RecordBatch:
    """Return the rows with other values in some columns."""
    for name, values in columns.items():
        place = records.schema.get_field_index(name)
        field = records.schema.field(place)
        records = records.set_column(place, field, pa.array(values, field.type))
    return records


def spans(rows: Rows, count: int = 60, batch: str = "j-0-1") -> pa.RecordBatch:
    """Return spans of two services and operations, over three minutes."""
    numbers = range(count)
    return with_columns(
        rows(Signal.TRACES, count, batch),
        Timestamp=[NOON + number % 3 * MINUTE + number for number in numbers],
        ServiceName=["shop" if number % 4 else "cart" for number in numbers],
        SpanName=["GET /cart" if number % 2 else "GET /pay" for number in numbers],
        SpanKind=["Server" if number % 5 else "Internal" for number in numbers],
        Duration=[1000 * 2 ** (number % 7) for number in numbers],
        StatusCode=["Error" if number % 10 == 1 else "Unset" for number in numbers],
    )


def counts(store: Store, table: str) -> dict[str, int]:
    """Return what a table of counts holds in all."""
    [row] = store.query_arrow(COUNTED.format(table)).to_pylist()
    return dict(row)


def test_spans_are_counted_by_what_they_are(store: Store, rows: Rows) -> None:
    """Each span once: by service, operation, kind and minute, before and after a merge."""
    records = spans(rows)
    store.insert(Signal.TRACES, records, token="a")
    sql = (
        "SELECT ServiceName, SpanName, SpanKind, toUnixTimestamp(Minute) AS minute, sum(Calls) AS calls, "
        "sum(Errors) AS errors FROM glasshouse_operations GROUP BY ALL"
    )
    expected: Counter[tuple[str, str, str, int]] = Counter()
    failed: Counter[tuple[str, str, str, int]] = Counter()
    for row in records.select(["ServiceName", "SpanName", "SpanKind", "Timestamp", "StatusCode"]).to_pylist():
        minute = int(row["Timestamp"].timestamp()) // 60 * 60
        key = (row["ServiceName"], row["SpanName"], row["SpanKind"], minute)
        expected[key] += 1
        failed[key] += row["StatusCode"] == "Error"
    for _ in range(2):
        found = store.query_arrow(sql).to_pylist()
        assert {tuple(row.values())[:4]: row["calls"] for row in found} == expected
        assert {tuple(row.values())[:4]: row["errors"] for row in found} == dict(failed)
        store.engine.command("OPTIMIZE TABLE glasshouse_operations FINAL")
    assert counts(store, "glasshouse_service_hours") == counts(store, "glasshouse_operations")


def test_batches_alike_count_each_and_one_sent_again_counts_once(store: Store, rows: Rows) -> None:
    """Counts follow the records: the same numbers in another batch are more, the same batch is not."""
    store.insert(Signal.TRACES, spans(rows), token="a")
    store.insert(Signal.TRACES, spans(rows, batch="j-0-2"), token="b")
    store.insert(Signal.TRACES, spans(rows, batch="j-0-2"), token="b")
    for table in ("glasshouse_operations", "glasshouse_service_hours"):
        assert counts(store, table) == {"calls": 120, "errors": 12}
    logs = rows(Signal.LOGS, 30)
    for token in ("a", "b", "b"):
        store.insert(Signal.LOGS, logs, token=token)
    [counted] = store.query_arrow("SELECT sum(Records) AS records FROM glasshouse_log_counts").to_pylist()
    assert counted == {"records": 60}


def test_what_was_there_before_is_counted_once(settings: StoreSettings, opened: Open, rows: Rows) -> None:
    """An older store's records are counted by the upgrade, also where one was broken off."""
    store = opened(settings)
    store.migrate()
    store.insert(Signal.TRACES, spans(rows), token="a")
    store.insert(Signal.LOGS, rows(Signal.LOGS, 30), token="a")
    tables = (
        "glasshouse_operations",
        "glasshouse_service_hours",
        "glasshouse_log_counts",
        "glasshouse_instances",
    )
    before = [store.query_arrow(f"SELECT * FROM {table} FINAL ORDER BY ALL").to_pylist() for table in tables]
    store.engine.command(
        f"ALTER TABLE {JOURNAL} DELETE WHERE name = '0005_operations' SETTINGS mutations_sync = 2"
    )
    assert "0005_operations" in store.migrate()
    after = [store.query_arrow(f"SELECT * FROM {table} FINAL ORDER BY ALL").to_pylist() for table in tables]
    assert all(before)
    assert after == before


@pytest.mark.parametrize(
    ("written", "counted"),
    [
        ("GET /users/{id}", "GET /users/{id}"),
        ("GET /users/17", "GET /users/*"),
        ("GET /users/17/carts/3f2504e0-4f89-11d3-9a0c-0305e82c3301", "GET /users/*/carts/*"),
        ("job 4bf92f3577b34da6a3ce929d0e0e4736", "job *"),
        ("order 123456", "order *"),
        ("GET /api/v1/users", "GET /api/v1/users"),
        ("S3.GetObject", "S3.GetObject"),
        ("é" * 300, "é" * 200),
    ],
)
def test_names_without_end_become_one(store: Store, rows: Rows, written: str, counted: str) -> None:
    """What looks like an id in an operation's name is a star; a long name is cut."""
    records = with_columns(rows(Signal.TRACES), SpanName=[written] * 10)
    store.insert(Signal.TRACES, records, token="a")
    found = store.query_arrow("SELECT DISTINCT SpanName FROM glasshouse_operations")
    assert found["SpanName"].to_pylist() == [counted]


@pytest.mark.parametrize("spread", [0.05, 0.8, 2.5])
def test_durations_are_within_four_and_a_half_percent(store: Store, rows: Rows, spread: float) -> None:
    """Quantiles read off the buckets, against those of the durations, however these are spread."""
    durations = np.exp(np.random.default_rng(5).normal(16, spread, 2000)).astype(np.uint64)
    records = with_columns(rows(Signal.TRACES, 2000), Duration=durations.tolist())
    store.insert(Signal.TRACES, records, token="a")
    sql = (
        "SELECT quantilesExactWeighted(0.5, 0.95, 0.99)(DurationBucket, Calls) AS buckets, "
        "(SELECT quantilesExactWeighted(0.5, 0.95, 0.99)(Duration, 1) FROM otel_traces) AS exact "
        "FROM glasshouse_operations"
    )
    [found] = store.query_arrow(sql).to_pylist()
    for bucket, exact in zip(found["buckets"], found["exact"], strict=True):
        assert 2 ** ((bucket + 0.5) / 8) - 1 == pytest.approx(exact, rel=0.045)


def test_the_longest_and_shortest_durations_have_a_bucket(store: Store, rows: Rows) -> None:
    """Zero is its own; 2^64 - 1 does not wrap."""
    ends = [0, 2**64 - 1] * 5
    store.insert(Signal.TRACES, with_columns(rows(Signal.TRACES), Duration=ends), token="a")
    found = store.query_arrow("SELECT DISTINCT DurationBucket AS b FROM glasshouse_operations ORDER BY b")
    assert found["b"].to_pylist() == [0, 512]


def test_instances_are_seen_by_every_signal(store: Store, rows: Rows) -> None:
    """Host, version and environment, by the newer name or the older, with first and last sight an hour."""
    for number, signal in enumerate(Signal):
        place = TABLE_COLUMNS[signal].get_field_index("ResourceAttributes")
        time = "Timestamp" if "Timestamp" in TABLE_COLUMNS[signal].names else "TimeUnix"
        environment = "deployment.environment" if number % 2 else "deployment.environment.name"
        attributes = [
            (environment, "live"),
            ("host.name", "node-1"),
            ("service.instance.id", signal.value),
            ("service.version", "1.2"),
        ]
        records = with_columns(rows(signal), **{time: [NOON + row for row in range(10)]})
        kind = records.schema.field(place).type
        resources = pa.array([sorted(attributes)] * 10, kind)
        records = records.set_column(place, records.schema.field(place), resources)
        store.insert(signal, with_columns(records, ServiceName=["shop"] * 10), token="a")
    sql = (
        "SELECT Instance, Host, Version, Environment, toUnixTimestamp64Nano(min(FirstSeen)) AS first, "
        "toUnixTimestamp64Nano(max(LastSeen)) AS last FROM glasshouse_instances "
        "GROUP BY ALL ORDER BY Instance"
    )
    assert [tuple(row.values()) for row in store.query_arrow(sql).to_pylist()] == [
        (name, "node-1", "1.2", "live", NOON, NOON + 9) for name in sorted(signal.value for signal in Signal)
    ]


def test_log_records_are_counted_by_level(store: Store, rows: Rows) -> None:
    """Warnings, errors and what is above, and the last heartbeat."""
    severities = [1, 9, 13, 16, 17, 20, 21, 24, 9, 0]
    records = with_columns(
        rows(Signal.LOGS),
        ServiceName=["shop"] * 10,
        SeverityNumber=severities,
        EventName=["", "glasshouse.heartbeat"] + [""] * 8,
        Timestamp=[NOON + row for row in range(10)],
    )
    store.insert(Signal.LOGS, records, token="a")
    sql = (
        "SELECT sum(Records) AS records, sum(Warnings) AS warnings, "
        "sum(glasshouse_log_counts.Errors) AS errors, "
        "toUnixTimestamp64Nano(max(LastSeen)) AS seen, toUnixTimestamp64Nano(max(LastHeartbeat)) AS beat "
        "FROM glasshouse_log_counts"
    )
    assert store.query_arrow(sql).to_pylist() == [
        {"records": 10, "warnings": 2, "errors": 4, "seen": NOON + 9, "beat": NOON + 1}
    ]


@pytest.mark.parametrize(
    ("signal", "time"),
    [
        (Signal.TRACES, 0),
        (Signal.TRACES, 4_294_967_295 * 10**9),
        (Signal.LOGS, 0),
        (Signal.LOGS, 4_294_967_296 * 10**9),
        (Signal.LOGS, 2**63 - 1),
    ],
)
def test_no_time_of_a_record_keeps_it_from_being_kept(
    store: Store, rows: Rows, signal: Signal, time: int
) -> None:
    """Counting never refuses what the table of records takes, at the ends of its range of time too."""
    store.insert(signal, with_columns(rows(signal), Timestamp=[time] * 10), token="a")
    [kept] = store.query_arrow(
        "SELECT (SELECT sum(Calls) FROM glasshouse_operations) AS spans, "
        "(SELECT sum(Records) FROM glasshouse_log_counts) AS records"
    ).to_pylist()
    assert kept["spans" if signal is Signal.TRACES else "records"] == 10
