"""The engine on a ClickHouse server, over its HTTP interface (clickhouse-connect)."""

import io
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import clickhouse_connect
import pyarrow as pa
import urllib3.exceptions
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from glasshouse_collector.core.errors import GlasshouseError, Retryable, StoreError
from glasshouse_collector.store.engine import (
    OLDEST_ENGINE,
    Answer,
    EngineFailure,
    Options,
    Parameters,
    Statistics,
    literal,
)
from glasshouse_collector.store.failures import LOGIN_REFUSED
from glasshouse_collector.store.folder import version_tuple
from glasshouse_collector.store.settings import Server

_CONNECT_SECONDS, _ANSWER_SECONDS = 5, 300
_POLL_SECONDS = 0.2
_UTC: Options = {"session_timezone": "UTC"}  # answers do not depend on where the server stands
_FAILURES = (ClickHouseError, urllib3.exceptions.HTTPError, OSError)
_NEVER_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.SSLError,
)


class ServerEngine:
    """One server, or whatever stands for one behind its address."""

    def __init__(self, server: Server) -> None:
        self.database = server.database
        self._password = server.password
        # the client logs each failure with the address; the caller hears of it as an exception
        logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
        try:
            self._client = _connect(server)
        except _FAILURES as failure:
            raise _not_opened(server, _engine_failure(failure, server.password)) from None
        self.version = str(self._client.server_version)
        if version_tuple(self.version) < OLDEST_ENGINE:
            self.close()
            oldest = ".".join(map(str, OLDEST_ENGINE))
            raise StoreError(
                f"storage.dsn: {server.name} runs ClickHouse {self.version}; {oldest} or newer is needed"
            )

    def command(self, sql: str, parameters: Parameters | None = None, options: Options | None = None) -> None:
        """Run a statement that returns nothing."""
        try:
            self._client.command(sql, dict(parameters or {}), settings=_texts({**_UTC, **(options or {})}))
        except _FAILURES as failure:
            raise _engine_failure(failure, self._password) from None

    def query(self, sql: str, parameters: Parameters | None = None, options: Options | None = None) -> Answer:
        """Run a query; `{name:Type}` in it takes the value of that parameter."""
        settings = {"database": self.database, "wait_end_of_query": 1, **_UTC, **(options or {})}
        try:
            response: Any = self._client.raw_stream(
                sql, dict(parameters or {}), settings=_texts(settings), fmt="ArrowStream", use_database=False
            )
            with response:
                body = response.read()
        except _FAILURES as failure:
            raise _engine_failure(failure, self._password) from None
        try:
            table = pa.ipc.open_stream(body).read_all() if body else pa.table({})
        except pa.ArrowInvalid:
            raise EngineFailure(f"the answer is no Arrow: {body[-300:]!r}", code=None) from None
        return Answer(table, _statistics(response.headers))

    def query_readonly(
        self, sql: str, parameters: Parameters | None = None, options: Options | None = None
    ) -> Answer:
        """Run a query with `readonly`, which the server holds the query itself to."""
        return self.query(sql, parameters, {**(options or {}), "readonly": 1})

    def insert(
        self, into: str, records: pa.RecordBatch, options: Options, *, query_id: str | None = None
    ) -> None:
        """Send all rows in one request, never sent again by the client, compressed by Arrow itself."""
        settings = _texts(options)
        if query_id:
            settings |= {"query_id": query_id, "log_comment": query_id}
        try:
            self._client.raw_insert(
                into, records.schema.names, io.BytesIO(_stream(records)), settings, fmt="ArrowStream"
            )
        except _FAILURES as failure:
            raise _engine_failure(failure, self._password) from None

    def await_insert(self, query_id: str, seconds: float) -> None:
        """Wait until no insert of that id runs any more; cancel it after `seconds`."""
        running = f"(query_id = {literal(query_id)} OR Settings['log_comment'] = {literal(query_id)})"
        deadline = time.monotonic() + seconds
        while self._running(running):
            if time.monotonic() > deadline:
                self.command(f"KILL QUERY WHERE {running} SYNC")
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Close the connections. Safe repeatedly."""
        self._client.close()

    def _running(self, condition: str) -> bool:
        sql = f"SELECT count() AS n FROM system.processes WHERE {condition}"  # noqa: S608  (quoted)
        return bool(self.query(sql).table.column("n")[0].as_py())


def _connect(server: Server) -> Client:
    return clickhouse_connect.get_client(
        host=server.host,
        port=server.port,
        secure=server.secure,
        username=server.username,
        password=server.password,
        database="__default__",  # ours may not exist yet
        compress=False,  # Arrow's own compression costs a tenth
        connect_timeout=_CONNECT_SECONDS,
        send_receive_timeout=_ANSWER_SECONDS,
        autogenerate_session_id=False,  # a session takes one query at a time
        show_clickhouse_errors="scrub",
        client_name="glasshouse",
        dedicated_pool=True,
    )


def _stream(records: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, records.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_batch(records)
    return bytes(sink.getvalue())


def _texts(options: Options) -> dict[str, Any]:
    return {name: str(value) for name, value in options.items()}


def _statistics(headers: Mapping[str, str]) -> Statistics:
    try:
        summary = json.loads(headers.get("X-ClickHouse-Summary", "{}"))
        elapsed = int(summary.get("elapsed_ns", 0)) / 1e9
        return Statistics(elapsed, int(summary.get("read_rows", 0)), int(summary.get("read_bytes", 0)))
    except ValueError:
        return Statistics()


def _engine_failure(failure: Exception, password: str) -> EngineFailure:
    text = str(failure)
    if password:
        text = text.replace(password, "***")
    cause: BaseException | None = failure
    while cause is not None:
        reason = getattr(cause, "reason", None)
        if isinstance(cause, _NEVER_SENT) or isinstance(reason, _NEVER_SENT):
            return EngineFailure("it cannot be reached", code=None)
        cause = cause.__cause__
    return EngineFailure(text, code=getattr(failure, "code", None))


def _not_opened(server: Server, failure: EngineFailure) -> GlasshouseError:
    if failure.code in LOGIN_REFUSED:
        return StoreError(f"storage.dsn: {server.name} refuses user {server.username!r} with that password")
    if failure.code is None:
        return Retryable(f"the store at {server.name} cannot be reached")
    return StoreError(f"storage.dsn: {server.name} cannot be used: {failure}")
