"""The engine inside this process (chDB).

chDB is used without a client library between: a handle costs 0.3 ms, so every statement has one of
its own and nothing waits for another's; settings die with the handle; and rows go in from Arrow
memory without being copied into a file (docs/store.md has the figures).
"""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from glasshouse_collector.core.errors import StoreError
from glasshouse_collector.store.engine import (
    Answer,
    EngineFailure,
    Options,
    Parameters,
    Statistics,
    literal,
    quoted,
    settings_clause,
)
from glasshouse_collector.store.folder import DataFolder
from glasshouse_collector.store.token_notes import take_back_lost

_CODE = re.compile(r"Code: (\d+)\.")
_UTC: Options = {"session_timezone": "UTC"}  # answers do not depend on where the machine stands
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})
_TRAILER = re.compile(r"\s*\(version [^)]*(?:\([^)]*\)[^)]*)*\)")


class EmbeddedEngine:
    """One data folder, opened for this process alone."""

    database = "default"

    def __init__(self, path: Path) -> None:
        self._folder = DataFolder(path)
        try:
            import chdb  # noqa: PLC0415  (half a gigabyte that a server's user need not load)

            self.version: str = chdb.engine_version
            self._folder.admit(self.version)
            take_back_lost(path)
            self._connect: Callable[[str], Any] = chdb.connect
            self._path = os.path.realpath(path)
            self._anchor = self._open_engine()
            self._folder.note(self.version)
        except ImportError:
            self._folder.release()
            raise StoreError(
                "storage.dsn: the embedded engine is not installed; pip install 'glasshouse[collector]'"
            ) from None
        except BaseException:
            self._folder.release()
            raise
        self._running = 0
        self._closing = False
        self._idle = threading.Condition()

    def _open_engine(self) -> Any:
        try:
            return self._connect(self._path)
        except RuntimeError as refused:
            raise StoreError(
                f"storage.dsn: the engine cannot open {self._path}: {_message(refused)}"
            ) from None

    @contextmanager
    def handle(self) -> Iterator[Any]:
        """Lend a chDB connection of its own; `EngineFailure` once the engine is closing."""
        with self._idle:
            if self._closing:
                raise EngineFailure("the store is closed", code=None)
            self._running += 1
        try:
            connection = self._connect(self._path)
            try:
                yield connection
            finally:
                connection.close()
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def command(self, sql: str, parameters: Parameters | None = None, options: Options | None = None) -> None:
        """Run a statement that returns nothing."""
        with self.handle() as connection:
            _set(connection, {**_UTC, **(options or {})})
            _run(connection, sql, "Null", parameters)

    def query(self, sql: str, parameters: Parameters | None = None, options: Options | None = None) -> Answer:
        """Run a query; `{name:Type}` in it takes the value of that parameter."""
        with self.handle() as connection:
            _set(connection, {**_UTC, **(options or {})})
            return _answer(_run(connection, sql, "ArrowStream", parameters))

    def query_readonly(
        self, sql: str, parameters: Parameters | None = None, options: Options | None = None
    ) -> Answer:
        """Run a query on a handle that is set read-only last, so that nothing can be set after."""
        with self.handle() as connection:
            _set(connection, {**_UTC, **(options or {}), "allow_introspection_functions": 0, "readonly": 1})
            return _answer(_run(connection, sql, "ArrowStream", parameters))

    def insert(
        self, into: str, records: pa.RecordBatch, options: Options, *, query_id: str | None = None
    ) -> None:
        """Insert all rows as one block, read by the engine from Arrow's own memory."""
        del query_id  # nothing runs on here once the caller has its answer
        columns = ", ".join(quoted(name) for name in records.schema.names)
        rows = pa.Table.from_batches([records])  # the engine finds it by this name
        sql = (
            f"INSERT INTO {into} ({columns}) SELECT {columns} "  # noqa: S608  (quoted names)
            f"FROM Python(rows){settings_clause(options)}"
        )
        with self.handle() as connection:
            try:
                connection.query(sql, "Null")
            except Exception as failure:  # noqa: BLE001  (chDB raises bare ones)
                raise engine_failure(failure) from None
        del rows

    def await_insert(self, query_id: str, seconds: float) -> None:
        """Return at once: an insert ended with the call, or with the process, that ran it."""

    def close(self) -> None:
        """Wait for what runs, then let go of the folder. Safe repeatedly."""
        with self._idle:
            if self._closing:
                return
            self._closing = True
            self._idle.wait_for(lambda: self._running == 0)
        self._anchor.close()
        self._folder.release()


def _set(connection: Any, options: Options | None) -> None:
    if options:
        _run(connection, "SET " + ", ".join(f"{k} = {literal(v)}" for k, v in options.items()), "Null")


def _run(connection: Any, sql: str, output: str, parameters: Parameters | None = None) -> Any:
    try:
        return connection.query(sql, output, params=escaped(parameters))
    except Exception as failure:  # noqa: BLE001  (chDB raises bare ones)
        raise engine_failure(failure) from None


def escaped(parameters: Parameters | None) -> dict[str, Any]:
    """Write strings as the engine reads parameters: escaped as in tab-separated text."""
    given = parameters or {}
    return {k: v.translate(_ESCAPES) if isinstance(v, str) else v for k, v in given.items()}


def _answer(result: Any) -> Answer:
    stream = result.bytes()
    table = pa.ipc.open_stream(stream).read_all() if stream else pa.table({})
    return Answer(table, Statistics(result.elapsed(), result.rows_read(), result.bytes_read()))


def _message(failure: Exception) -> str:
    text = str(failure)
    return _TRAILER.sub("", text[max(text.find("Code: "), 0) :]).strip()


def engine_failure(failure: Exception) -> EngineFailure:
    """Read what chDB raised: ClickHouse's text with its code."""
    code = _CODE.search(str(failure))
    return EngineFailure(_message(failure), code=int(code.group(1)) if code else None)
