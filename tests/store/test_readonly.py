"""A user's SQL reads our tables and does nothing else, however it is written."""

from pathlib import Path

import pytest

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.store import QueryLimits, QueryRefused, QueryTimedOut, QueryTooBig, Store

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


@pytest.mark.parametrize("sql", HOSTILE)
def test_hostile_sql_is_refused(store: Store, rows, tmp_path: Path, sql: str) -> None:
    """What reads or writes beyond the tables is refused, and leaves nothing behind."""
    secret, written = tmp_path / "secret", tmp_path / "written"
    secret.write_text("open sesame")
    store.insert(Signal.TRACES, rows(Signal.TRACES), token="t")
    with pytest.raises(QueryRefused) as refused:
        store.query_readonly(sql.format(secret=secret, written=written), LIMITS)
    assert "sesame" not in str(refused.value)
    assert not written.exists()
    assert store.query_arrow("SELECT count() AS n FROM otel_traces").to_pylist() == [{"n": 10}]
