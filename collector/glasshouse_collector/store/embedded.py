"""The engine inside this process (chDB).

chDB is used without a client library between: every statement has a handle to itself while it runs, so
that nothing waits for another's; what a user wrote runs on a handle that dies with it; and rows go in from
Arrow memory without being copied into a file (docs/store.md has the figures).
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyarrow as pa

from glasshouse_collector.core.errors import StoreError
from glasshouse_collector.store.engine import (
    Answer,
    Options,
    Parameters,
    Statistics,
    quoted,
    settings_clause,
)
from glasshouse_collector.store.folder import DataFolder
from glasshouse_collector.store.handles import (
    Handles,
    engine_failure,
    engine_message,
    run,
    set_options,
)
from glasshouse_collector.store.token_notes import take_back_lost

_UTC: Options = {"session_timezone": "UTC"}  # answers do not depend on where the machine stands
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


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
            self._handles = self._open_engine(chdb.connect, os.path.realpath(path))
            self._folder.note(self.version)
        except ImportError:
            self._folder.release()
            raise StoreError(
                "storage.dsn: the embedded engine is not installed; pip install 'glasshouse[collector]'"
            ) from None
        except BaseException:
            self._folder.release()
            raise

    @staticmethod
    def _open_engine(connect: Callable[[str], Any], path: str) -> Handles:
        try:
            return Handles(lambda: connect(path))
        except RuntimeError as refused:
            raise StoreError(
                f"storage.dsn: the engine cannot open {path}: {engine_message(refused)}"
            ) from None

    def handle(self) -> AbstractContextManager[Any]:
        """Lend a chDB connection of its own; `EngineFailure` once the engine is closing."""
        return self._handles.new()

    def command(self, sql: str, parameters: Parameters | None = None, options: Options | None = None) -> None:
        """Run a statement that returns nothing."""
        with self.handle() as connection:
            set_options(connection, {**_UTC, **(options or {})})
            run(connection, sql, "Null", escaped(parameters))

    def query(self, sql: str, parameters: Parameters | None = None, options: Options | None = None) -> Answer:
        """Run a query; `{name:Type}` in it takes the value of that parameter."""
        with self._handles.with_settings({**_UTC, **(options or {})}) as connection:
            return _answer(run(connection, sql, "ArrowStream", escaped(parameters)))

    def query_readonly(
        self, sql: str, parameters: Parameters | None = None, options: Options | None = None
    ) -> Answer:
        """Run a query on a handle that is set read-only last, so that nothing can be set after."""
        with self.handle() as connection:
            last: Options = {"allow_introspection_functions": 0, "readonly": 1}
            set_options(connection, {**_UTC, **(options or {}), **last})
            return _answer(run(connection, sql, "ArrowStream", escaped(parameters)))

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
        self._handles.close()
        self._folder.release()


def escaped(parameters: Parameters | None) -> dict[str, Any]:
    """Write strings as the engine reads parameters: escaped as in tab-separated text."""
    given = parameters or {}
    return {k: v.translate(_ESCAPES) if isinstance(v, str) else v for k, v in given.items()}


def _answer(result: Any) -> Answer:
    stream = result.bytes()
    table = pa.ipc.open_stream(stream).read_all() if stream else pa.table({})
    return Answer(table, Statistics(result.elapsed(), result.rows_read(), result.bytes_read()))
