"""A user's SQL reads our tables and does nothing else, however it is written."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from glasshouse_collector.store import (
    QueryLimits,
    QueryRefused,
    QueryTimedOut,
    QueryTooBig,
    Store,
    StoreSettings,
)

LIMITS = QueryLimits(seconds=5, rows=1000, memory=300 * 2**20)

HOSTILE = [
    "SELECT file('{secret}')",
    "SELECT FILE('{secret}')",
    "SELECT arrayMap(file, ['{secret}'])",
    "SELECT arrayMap(x -> file(x), ['{secret}'])",
    "SELECT * APPLY(file) FROM (SELECT '{secret}' AS a)",
    "SELECT * REPLACE (file('{secret}') AS a) FROM (SELECT 1 AS a)",
    "SELECT 1 FORMAT Null; SELECT file('{secret}')",
    "SELECT file('{secret}') FORMAT Null",
    "SELECT file('{secret}') FORMAT RawBLOB",
    "SELECT 1) UNION ALL (SELECT file('{secret}')",
    "SELECT * FROM file('{secret}', LineAsString)",
    "SELECT * FROM `file`('{secret}', LineAsString)",
    "SELECT 'x' IN file('{secret}', LineAsString)",
    "WITH (SELECT file('{secret}')) AS a SELECT a",
    "SELECT 1 ORDER BY file('{secret}')",
    "SELECT 1 LIMIT (SELECT length(file('{secret}')))",
    "SELECT count() OVER (PARTITION BY file('{secret}'))",
    "DESCRIBE file('{secret}', LineAsString)",
    "DESCRIBE TABLE file('{secret}', LineAsString)",
    "DESCRIBE (SELECT file('{secret}'))",
    "EXPLAIN SELECT file('{secret}')",
    "EXPLAIN AST SELECT file('{secret}')",
    "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT file('{secret}')))",
    "SELECT * FROM (EXPLAIN SELECT file('{secret}'))",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM `{secret}`",
    "DESCRIBE `{secret}`",
    "SELECT 1 INTO OUTFILE '{written}'",
    "SELECT 1 INTO OUTFILE '{written}' FORMAT CSV",
    "INSERT INTO FUNCTION file('{written}', CSV, 'a Int8') VALUES (1)",
    "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)",
    "DESC url('http://127.0.0.1:1/', LineAsString)",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/key')",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM iceberg('/tmp')",
    "SELECT * FROM executable('cat', TSV, 'a String')",
    "SELECT * FROM Python(secret)",
    "SELECT * FROM arrowstream(secret)",
    "SELECT * FROM merge('system', '.*')",
    "SELECT * FROM loop(otel_traces)",
    "SELECT * FROM system.processes",
    "SELECT 1 IN system.processes",
    "SELECT * FROM `system`.`stack_trace`",
    "SELECT 1 SETTINGS max_execution_time = 1000",
    "SELECT * FROM (SELECT 1 SETTINGS max_threads = 64)",
    "SELECT 1 SETTINGS readonly = 0",
    "SET readonly = 0",
    "SET max_memory_usage = 0",
    "SELECT 1; DROP TABLE otel_traces",
    "DROP TABLE otel_traces",
    "DROP TABLE otel_traces; SELECT 1",
    "/* SELECT */ TRUNCATE TABLE otel_traces",
    "ALTER TABLE otel_traces DELETE WHERE 1",
    "DELETE FROM otel_traces WHERE 1",
    "CREATE TABLE mine (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE mine (a Int8)",
    "CREATE FUNCTION mine AS x -> x",
    "ATTACH TABLE mine FROM '/tmp' (a Int8) ENGINE = MergeTree ORDER BY a",
    "INSERT INTO otel_traces (TraceId) VALUES ('x')",
    "KILL QUERY WHERE 1",
    "SYSTEM FLUSH LOGS",
    "SYSTEM SHUTDOWN",
    "BACKUP TABLE otel_traces TO File('{written}')",
    "CHECK TABLE otel_traces",
    "OPTIMIZE TABLE otel_traces",
    "USE system",
    "SELECT 1 PARALLEL WITH SELECT 2",
    "SELECT sleep(3)",
    "SELECT logTrace('x')",
    "SELECT 1 /*",
    "SELECT 'a",
    "",
    ";",
    "SELECT 1\x00",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Lend one store to all: nothing here can change it."""
    folder = tmp_path_factory.mktemp("readonly")
    opened = Store.open(StoreSettings(dsn=f"chdb://{folder}/store"))
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture(scope="module", autouse=True)
def kept(store: Store) -> None:
    """Keep two spans."""
    store.engine.command("INSERT INTO otel_traces (TraceId, Project) VALUES ('a', 'p'), ('b', 'p')")


@pytest.mark.parametrize("sql", HOSTILE)
def test_hostile_sql_is_refused(store: Store, tmp_path: Path, sql: str) -> None:
    """What reads or writes beyond the tables is refused, and leaves nothing behind."""
    secret, written = tmp_path / "secret", tmp_path / "written"
    secret.write_text("open sesame")
    with pytest.raises(QueryRefused) as refused:
        store.query_readonly(sql.format(secret=secret, written=written), LIMITS)
    assert "sesame" not in str(refused.value)
    assert not written.exists()
    assert store.query_arrow("SELECT count() AS n FROM otel_traces").to_pylist() == [{"n": 2}]


ORDINARY = [
    "SELECT count() FROM otel_traces",
    "SELECT ServiceName, quantile(0.95)(Duration) FROM otel_traces GROUP BY 1 ORDER BY 2 DESC LIMIT 5;",
    "WITH t AS (SELECT TraceId FROM default.otel_traces) SELECT * FROM t -- the ids",
    "SELECT arrayMap(x -> x + 1, [1, 2]), SpanAttributes['user.id'], 1::Int8 FROM otel_traces",
    "SELECT toStartOfHour(Timestamp) AS t, count() FROM otel_logs GROUP BY t ORDER BY t WITH FILL STEP 60",
    "SELECT row_number() OVER (PARTITION BY ServiceName ORDER BY Timestamp ASC) FROM otel_traces",
    "SELECT a.TraceId FROM otel_traces a JOIN otel_logs b USING (TraceId) UNION ALL SELECT 'file(1)'",
    "SELECT Body FROM otel_logs WHERE hasAllTokens(lower(Body), 'file') AND Body LIKE '%url(%'",
    "SELECT number, format('{}', 'x') FROM numbers(3)",
    "SELECT name FROM system.tables WHERE database = currentDatabase()",
    "SELECT * EXCEPT (TraceId) FROM otel_traces ARRAY JOIN mapKeys(SpanAttributes) AS key",
    "SHOW TABLES",
    "SHOW CREATE TABLE otel_logs",
    "DESCRIBE TABLE otel_traces",
    "EXPLAIN indexes = 1 SELECT count() FROM otel_traces WHERE TraceId = 'x'",
    "(SELECT 1) INTERSECT (SELECT 1)",
]


@pytest.mark.parametrize("sql", ORDINARY)
def test_ordinary_sql_is_answered(store: Store, sql: str) -> None:
    """What people ask of their telemetry passes, with a ClickHouse type for each column."""
    answer = store.query_readonly(sql, LIMITS)
    assert [name for name, _ in answer.columns] == answer.table.schema.names
    assert all(kind for _, kind in answer.columns)


def test_limits_hold(store: Store) -> None:
    """Time, rows, memory and bytes are limited, each with an error of its own kind."""
    with pytest.raises(QueryTimedOut):
        store.query_readonly("SELECT count() FROM numbers(1000000000000)", QueryLimits(seconds=0.5))
    with pytest.raises(QueryTooBig):
        store.query_readonly("SELECT number FROM numbers(1001)", LIMITS)
    with pytest.raises(QueryTooBig):
        store.query_readonly("SELECT length(groupArray(number)) FROM numbers(100000000)", LIMITS)
    with pytest.raises(QueryTooBig):
        store.query_readonly("SELECT repeat('x', 1000000) FROM numbers(999)", LIMITS)


def test_a_limit_of_rows_is_on_the_answer_alone(store: Store) -> None:
    """An answer may have more columns than it may have rows."""
    answer = store.query_readonly("SELECT 1 AS a, 2 AS b, 3 AS c", QueryLimits(rows=1))
    assert answer.table.to_pylist() == [{"a": 1, "b": 2, "c": 3}]


def test_parameters_are_values_not_sql(store: Store) -> None:
    """A parameter's quotes, backslashes and line ends reach the query as they are."""
    awkward = "it's \\ a\nline\t'; DROP TABLE otel_traces --"
    answer = store.query_readonly("SELECT {text:String} AS text", LIMITS, {"text": awkward})
    assert answer.table.to_pylist() == [{"text": awkward}]
