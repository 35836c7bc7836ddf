"""The embedded engine over a real connection: ClickHouse's own client takes it for a server."""

import gzip
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import clickhouse_connect
import httpx
import lz4.frame  # type: ignore[import-untyped]
import pyarrow as pa
import pytest
import zstandard

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.core.errors import Retryable, StoreError
from glasshouse_collector.store import (
    QueryLimits,
    QueryRefused,
    QueryTimedOut,
    Store,
    StoreSettings,
    in_doubt,
)
from glasshouse_collector.store.migrate import TABLE_OF, migration_files

Rows = Callable[..., pa.RecordBatch]

SERVE = (
    "import sys; from glasshouse_collector.store.http_interface import serve_store; "
    "serve_store(sys.argv[1], port=int(sys.argv[2]), writable=sys.argv[3] == 'w', token=sys.argv[4] or None)"
)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Served:
    """A process that serves one store."""

    def __init__(self, folder: Path, *, writable: bool, token: str = "") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, f"chdb://{folder}", str(self.port), "w" if writable else "r", token]
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                assert httpx.get(f"{self.url}ping").text == "Ok.\n"
            except httpx.TransportError:
                assert self.process.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.05)
            else:
                return

    def stop(self, sign: int = signal.SIGTERM) -> None:
        """End the process and wait for it."""
        self.process.send_signal(sign)
        self.process.wait(30)


@pytest.fixture(scope="module")
def writable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a new store that clients may change."""
    served = Served(tmp_path_factory.mktemp("served") / "store", writable=True)
    yield served
    served.stop()
    assert served.process.returncode in (0, -signal.SIGTERM)


@pytest.fixture
def remote(writable: Served) -> Iterator[Store]:
    """Lend a store in server mode, its tables empty, in a database of its own."""
    name = f"db{os.urandom(4).hex()}"
    opened = Store.open(StoreSettings(dsn=f"clickhouse://127.0.0.1:{writable.port}/{name}"))
    assert opened.migrate() == [name for name, _ in migration_files()]
    yield opened
    opened.close()


@pytest.fixture
def ask(writable: Served) -> Iterator[httpx.Client]:
    """Lend an HTTP client of the writable store."""
    with httpx.Client(base_url=writable.url) as client:
        yield client


@pytest.mark.parametrize("signal_", Signal)
def test_a_server_keeps_every_column(remote: Store, signal_: Signal, rows: Rows) -> None:
    """Rows go to a server and come back as they were, in server mode too."""
    records = rows(signal_, 25)
    remote.insert(signal_, records, token="t")
    names = ", ".join(f"`{name}`" for name in records.schema.names)
    back = remote.query_arrow(f"SELECT {names} FROM {TABLE_OF[signal_]} ORDER BY BatchRow")
    assert back.to_pylist() == pa.Table.from_batches([records]).to_pylist()


def test_a_server_keeps_a_token_once_and_tells_what_is_missing(remote: Store, rows: Rows) -> None:
    """Migrating again, inserting again, asking what is missing: as with the embedded engine."""
    records = rows(Signal.LOGS, 10)
    assert remote.migrate() == []
    remote.insert(Signal.LOGS, records.slice(0, 6), token="a")
    remote.insert(Signal.LOGS, records.slice(0, 6), token="a")
    assert remote.missing_rows(Signal.LOGS, records).equals(records.slice(6))
    assert remote.query_arrow("SELECT count() AS n FROM otel_logs").to_pylist() == [{"n": 6}]


def test_a_large_batch_arrives_as_one_block(remote: Store, rows: Rows) -> None:
    """Two hundred thousand rows in one request make one part."""
    thousand = rows(Signal.LOGS, 1000)
    records = pa.Table.from_batches([thousand] * 200).combine_chunks().to_batches()[0]
    remote.insert(Signal.LOGS, records, token="large")
    parts = remote.query_arrow(
        "SELECT max(rows) AS rows, count() AS parts FROM system.parts "
        "WHERE active AND database = currentDatabase() AND table = 'otel_logs'"
    )
    assert parts.to_pylist() == [{"rows": 200_000, "parts": 1}]


def test_an_insert_that_goes_on_is_ended_before_its_batch_is_asked_for(
    remote: Store, ask: httpx.Client, rows: Rows
) -> None:
    """What an insert in doubt might still write, it cannot write after the question."""
    query_id = in_doubt.query_id(Signal.LOGS, rows(Signal.LOGS))
    endless = (
        f"INSERT INTO {remote.engine.database}.otel_logs (BatchRow) "
        "SELECT sleepEachRow(0.1) FROM numbers(10000) "
        "SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 1000000000"
    )
    answers: list[httpx.Response] = []
    running = Thread(
        target=lambda: answers.append(
            ask.post("/", params={"log_comment": query_id}, content=endless, timeout=60)
        )
    )
    running.start()
    deadline = time.monotonic() + 30
    found = f"SELECT count() FROM system.processes WHERE Settings['log_comment'] = '{query_id}'"
    while httpx.post(str(ask.base_url), content=found).text != "1\n":
        assert time.monotonic() < deadline, "the insert does not begin"
    remote.engine.await_insert(query_id, seconds=0.1)
    running.join(30)
    assert answers[0].headers["X-ClickHouse-Exception-Code"] == "394"
    assert remote.missing_rows(Signal.LOGS, rows(Signal.LOGS)).num_rows == 10


def test_user_sql_is_read_only_on_a_server(remote: Store, rows: Rows) -> None:
    """The same check stands before a server."""
    remote.insert(Signal.TRACES, rows(Signal.TRACES), token="t")
    answer = remote.query_readonly("SELECT count() AS n, 'é' AS e FROM otel_traces", QueryLimits())
    assert (answer.columns, answer.table.to_pylist()) == (
        [("n", "UInt64"), ("e", "String")],
        [{"n": 10, "e": "é"}],
    )
    assert answer.statistics.rows_read > 0
    for sql in ("DROP TABLE otel_traces", "SELECT file('/etc/passwd')", "SELECT 1 SETTINGS max_threads = 1"):
        with pytest.raises(QueryRefused):
            remote.query_readonly(sql, QueryLimits())
    with pytest.raises(QueryTimedOut):
        remote.query_readonly("SELECT count() FROM numbers(1000000000000)", QueryLimits(seconds=1))


def test_a_killed_server_is_out_of_reach(tmp_path: Path, rows: Rows) -> None:
    """A server that dies is a reason to come back, not to give up."""
    served = Served(tmp_path / "store", writable=True)
    store = Store.open(StoreSettings(dsn=f"http://127.0.0.1:{served.port}"))
    store.migrate()
    served.stop(signal.SIGKILL)
    with pytest.raises(Retryable, match="cannot be reached"):
        store.insert(Signal.LOGS, rows(Signal.LOGS), token="t")
    store.close()
    with pytest.raises(Retryable, match="cannot be reached"):
        Store.open(StoreSettings(dsn=f"http://127.0.0.1:{served.port}"))


def test_a_wrong_password_is_the_users_mistake_and_stays_secret(tmp_path: Path) -> None:
    """A refused password is named as such, without repeating it."""
    served = Served(tmp_path / "store", writable=False, token="right")
    try:
        with pytest.raises(StoreError, match="refuses user 'me'") as refused:
            Store.open(StoreSettings(dsn=f"clickhouse://me:wrongsecret@127.0.0.1:{served.port}/default"))
        assert "wrongsecret" not in str(refused.value)
        client = clickhouse_connect.get_client(host="127.0.0.1", port=served.port, password="right")
        assert client.query("SELECT 1").result_rows == [(1,)]
        client.close()
        assert httpx.get(served.url, params={"query": "SELECT 1"}).status_code == 403
        assert httpx.get(served.url, params={"query": "SELECT 1"}, auth=("any", "right")).text == "1\n"
    finally:
        served.stop()


def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    """Without writable, what changes data, settings or reads files is refused with ClickHouse's code."""
    served = Served(tmp_path / "store", writable=False)
    try:
        for sql in (
            "CREATE TABLE t (a Int8) ENGINE = Memory",
            "SELECT file('/etc/passwd')",
            "SELECT file('/etc/passwd') FORMAT Null",
            "INSERT INTO FUNCTION file('/tmp/x', CSV, 'a Int8') VALUES (1)",
            "SELECT 1 INTO OUTFILE '/tmp/never'",
            "SELECT * FROM url('http://127.0.0.1:1')",
            "SET readonly = 0",
            "SYSTEM SHUTDOWN",
        ):
            answer = httpx.post(served.url, content=sql, timeout=60)
            assert answer.status_code in (400, 403), sql
            assert answer.headers["X-ClickHouse-Exception-Code"] in answer.text
        raised = {"query": "CREATE TABLE t (a Int8) ENGINE = Memory", "readonly": "0"}
        assert httpx.post(served.url, params=raised, timeout=60).status_code == 403
        refused = httpx.get(served.url, params={"query": "SELECT 1", "allow_ddl": "1"}, timeout=60)
        assert "Cannot modify 'allow_ddl'" in refused.text
        told = httpx.get(served.url, params={"query": "SELECT getSetting('max_execution_time')"}, timeout=60)
        assert "getSetting is not allowed here" in told.text
        listed = httpx.get(served.url, params={"query": "SHOW DATABASES FORMAT JSONCompact"}, timeout=60)
        assert listed.json()["rows"] >= 1
    finally:
        served.stop()


def test_curl_can_ask_and_insert(ask: httpx.Client) -> None:
    """Queries in the address or the body, parameters, formats, inserts with and without compression."""
    ask.post(
        "/", content="CREATE TABLE IF NOT EXISTS c (a UInt32, b String) ENGINE = MergeTree ORDER BY a"
    ).raise_for_status()
    ask.post("/", content="INSERT INTO c VALUES (1, 'FORMAT (x)')").raise_for_status()
    ask.post("/", content='INSERT INTO c (a, b) FORMAT JSONEachRow\n{"a": 2, "b": "two"}').raise_for_status()
    for number, (encoding, pack) in enumerate(
        {"gzip": gzip.compress, "zstd": zstandard.compress, "lz4": lz4.frame.compress}.items(), 3
    ):
        ask.post(
            "/",
            params={"query": "INSERT INTO c FORMAT CSV"},
            content=pack(f"{number},{encoding}\n".encode()),
            headers={"Content-Encoding": encoding},
        ).raise_for_status()
    answer = ask.get(
        "/", params={"query": "SELECT b FROM c WHERE a >= {low:UInt32} ORDER BY a", "param_low": "2"}
    )
    assert answer.text == "two\ngzip\nzstd\nlz4\n"
    assert answer.headers["X-ClickHouse-Format"] == "TabSeparated"
    assert '"read_rows"' in answer.headers["X-ClickHouse-Summary"]
    assert ask.post("/", content="SELECT b FROM c WHERE a = 1 FORMAT JSON").json()["data"] == [
        {"b": "FORMAT (x)"}
    ]
    big = ask.get(
        "/", params={"query": "SELECT number FROM numbers(10000)"}, headers={"Accept-Encoding": "gzip"}
    )
    assert (big.headers["Content-Encoding"], len(big.text.splitlines())) == ("gzip", 10_000)


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELECT 1 FROM nowhere", 404, 60),
        ("SELEC 1", 400, 62),
        ("SELECT 1; SELECT 2", 400, 62),
        ("SELECT throwIf(1)", 500, 395),
        ("INSERT INTO nowhere FORMAT CSV\n1", 404, 60),
    ],
)
def test_errors_have_clickhouse_code_and_text(writable: Served, sql: str, status: int, code: int) -> None:
    """A failure tells its code in the header and the text, and its kind in the status."""
    answer = httpx.post(writable.url, content=sql)
    assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")


def test_newer_native_clients_get_block_info(writable: Served) -> None:
    """With a client_protocol_version, Native has block info, and a mark after each column's type."""
    answer = httpx.get(
        writable.url,
        params={
            "query": "SELECT 7::UInt8 AS a, 'x' AS b",
            "default_format": "Native",
            "client_protocol_version": "54460",
        },
    )
    head = b"\x01\x00\x02\xff\xff\xff\xff\x00" + b"\x02\x01"
    assert answer.content == head + b"\x01a\x05UInt8\x00\x07" + b"\x01b\x06String\x00\x01x"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", b"no gzip"), ("zstd", zstandard.compress(b"1\n" * 999)[:-3]), ("br", b"1\n"), ("lz4", b"")],
)
def test_a_broken_body_is_refused(ask: httpx.Client, encoding: str, body: bytes) -> None:
    """What does not decompress to its end is an error of the client's, and inserts nothing."""
    ask.post("/", content="CREATE TABLE IF NOT EXISTS broken (a UInt32) ENGINE = MergeTree ORDER BY a")
    query = {"query": "INSERT INTO broken FORMAT CSV"}
    answer = ask.post("/", params=query, content=body, headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (400, "36")
    assert ask.post("/", content="SELECT count() FROM broken").text == "0\n"


def test_a_torn_insert_leaves_nothing(writable: Served) -> None:
    """A body that ends before its announced length is not inserted."""
    httpx.post(
        writable.url, content="CREATE TABLE IF NOT EXISTS torn (a UInt32) ENGINE = MergeTree ORDER BY a"
    ).raise_for_status()
    with socket.create_connection(("127.0.0.1", writable.port)) as connection:
        head = b"POST /?query=INSERT+INTO+torn+FORMAT+CSV HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
        connection.sendall(head + b"\r\n1\n2\n3\n")
    running = "SELECT count() FROM system.processes WHERE query_kind = 'Insert'"
    deadline = time.monotonic() + 30
    while httpx.post(writable.url, content=running).text != "0\n":
        assert time.monotonic() < deadline, "the insert goes on"
    assert httpx.post(writable.url, content="SELECT count() FROM torn").text == "0\n"
