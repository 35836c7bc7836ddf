"""The store: where batches are kept, and asked for."""

from typing import Self

import pyarrow as pa

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.core.errors import Permanent, Retryable
from glasshouse_collector.core.schema import TABLE_COLUMNS
from glasshouse_collector.store.engine import (
    Answer,
    Engine,
    EngineFailure,
    Options,
    Parameters,
    literal,
    quoted,
)
from glasshouse_collector.store.failures import classify
from glasshouse_collector.store.in_doubt import BatchInDoubt, query_id
from glasshouse_collector.store.limits import QueryLimits
from glasshouse_collector.store.migrate import TABLE_OF, Migrations
from glasshouse_collector.store.project_store import ProjectStore
from glasshouse_collector.store.raising import RAISING_TABLE, raising
from glasshouse_collector.store.readonly import QueryAnswer, ReadOnlyQueries
from glasshouse_collector.store.settings import Folder, StoreSettings, locate

INSERT_SECONDS = 120
"""An insert that takes longer is in doubt."""

ONE_BLOCK: Options = {
    "max_insert_block_size": 2**31,
    "max_insert_block_size_bytes": 0,
    "min_insert_block_size_rows": 2**31,
    "min_insert_block_size_bytes": 2**40,
    "max_block_size": 2**31,
    "max_threads": 1,
    "max_insert_threads": 1,
    "input_format_parallel_parsing": 0,
    "async_insert": 0,
    "compile_expressions": 0,  # views are compiled again with every insert: a third of a small one's CPU
    "compile_aggregate_expressions": 0,
}
"""An insert is atomic within one block of one partition, so nothing may split it."""


_INDEXED_BY_MERGES = {
    Signal.TRACES: "idx_span_attr_key,idx_span_attr_value",
    Signal.LOGS: "idx_log_attr_key,idx_log_attr_value",
}
"""A merge builds these again whatever an insert built; until then a search reads the newest rows."""


class Store:
    """Keeps records and answers queries; every method blocks and may be called from any thread."""

    def __init__(self, engine: Engine, settings: StoreSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._readonly = ReadOnlyQueries(engine)
        self._with_project: frozenset[str] = frozenset()

    @classmethod
    def open(cls, settings: StoreSettings) -> Self:
        """Open the embedded engine's folder, or connect to the server.

        Raises `StoreError` with one line: a folder in use, or written by a newer engine; a server
        that is too old, or refuses the user. Raises `Retryable` where the server cannot be reached.
        """
        location = locate(settings.dsn)
        if isinstance(location, Folder):
            from glasshouse_collector.store.embedded import EmbeddedEngine  # noqa: PLC0415

            return cls(EmbeddedEngine(location.path), settings)
        from glasshouse_collector.store.server import ServerEngine  # noqa: PLC0415

        return cls(ServerEngine(location), settings)

    @property
    def engine(self) -> Engine:
        """The engine beneath, for those who serve it to others."""
        return self._engine

    def migrate(self) -> list[str]:
        """Create or change the tables as this version and the settings want them; say what was done.

        Does nothing the second time. Raises `StoreError`, and `Retryable` where the server is out of reach.
        """
        self._with_project = frozenset()
        return Migrations(self._engine, self._settings).apply()

    def insert(self, signal: Signal, records: pa.RecordBatch, *, token: str) -> None:
        """Insert rows of one UTC day as one block; on return they are kept.

        A second insert with the same token is ignored by each table that remembers it, of records or of
        counts. Raises `Permanent` where these rows will never be accepted, else `Retryable`: then
        `insert_again`.
        """
        if not records.num_rows:
            return
        if records.schema != TABLE_COLUMNS[signal]:
            raise Permanent(f"{signal.value}: the columns are not those of {TABLE_OF[signal]}")
        self._insert_block(signal, TABLE_OF[signal], records, token)
        self._insert_raising(signal, records, token)

    def append(self, table: str, records: pa.RecordBatch) -> None:
        """Insert rows of a table that is no signal's; on return they are kept.

        A second insert adds them again: a table whose rows may come twice replaces them itself.
        Raises `Permanent` where these rows will never be accepted, else `Retryable`.
        """
        options: dict[str, str | int] = {
            "async_insert": 0,
            "max_partitions_per_insert_block": 0,
            "max_execution_time": INSERT_SECONDS,
        }
        if self._settings.cluster:
            options["distributed_foreground_insert"] = 1
        try:
            self._engine.insert(self._table(table), records, options)
        except EngineFailure as failure:
            raise classify(failure, f"inserting into {table}") from None

    def insert_again(self, signal: Signal, records: pa.RecordBatch, *, token: str) -> None:
        """Bring what the store lacks of a batch in doubt (rows of one UTC day), and what its counts lack.

        The whole batch goes in under its token once more: each table, of records or counts, that has it
        ignores it, and the others take it. Raises as `insert` does.
        """
        if not records.num_rows:
            return
        doubt = self._in_doubt(signal, records)
        missing = self.missing_rows(signal, records)
        try:
            if doubt.may_come_whole(missing):
                self.insert(signal, records, token=token)
                missing = self.missing_rows(signal, records)
                if missing.num_rows and not self._settings.cluster:
                    doubt.put_back(missing, ONE_BLOCK)
                    return
            elif signal is Signal.TRACES:
                doubt.repair_trace_times()
        except EngineFailure as failure:
            raise classify(failure, f"inserting into {TABLE_OF[signal]} again") from None
        if missing.num_rows:
            first = missing.column(missing.schema.get_field_index("BatchRow"))[0].as_py()
            self.insert(signal, missing, token=f"{token}-from-{first}")

    def missing_rows(self, signal: Signal, records: pa.RecordBatch) -> pa.RecordBatch:
        """Return those rows that the store does not have, of a batch in doubt (one batch, one UTC day).

        First waits for, then cancels, an insert of this batch that still runs. Raises `Retryable`.
        """
        if not records.num_rows:
            return records
        try:
            return self._in_doubt(signal, records).missing(INSERT_SECONDS)
        except EngineFailure as failure:
            raise Retryable(f"asking {TABLE_OF[signal]} for a batch: {failure}") from None

    def of_project(self, project: str, comment: str = "") -> ProjectStore:
        """Return the store as one project sees it, or all (`EVERY_PROJECT`); `comment` names it to `cancel`.

        Raises `EngineFailure`.
        """
        if not self._with_project:
            sql = "SELECT table FROM system.columns WHERE database = {database:String} AND name = 'Project'"
            found = self._engine.query(sql, {"database": self._engine.database}).table
            self._with_project = frozenset(found["table"].to_pylist() if found.num_columns else ())
        return ProjectStore(self._engine, project, self._with_project, comment)

    def cancel(self, comment: str) -> None:
        """End the queries that run under `comment`; returns at once. Raises `EngineFailure`."""
        self._engine.command(f"KILL QUERY WHERE Settings['log_comment'] = {literal(comment)} ASYNC")

    def query_arrow(
        self, sql: str, parameters: Parameters | None = None, *, limits: QueryLimits | None = None
    ) -> pa.Table:
        """Run one of our own queries (never a user's); raises `EngineFailure`."""
        return self.answer(sql, parameters, limits=limits).table

    def answer(
        self, sql: str, parameters: Parameters | None = None, *, limits: QueryLimits | None = None
    ) -> Answer:
        """Run one of our own queries and say what it cost; raises `EngineFailure`."""
        return self._engine.query(sql, parameters, (limits or QueryLimits()).options())

    def query_readonly(
        self, sql: str, limits: QueryLimits, parameters: Parameters | None = None
    ) -> QueryAnswer:
        """Run a user's SQL, which can read our tables and do nothing else.

        Raises `QueryRefused`, its kinds `QueryTimedOut` and `QueryTooBig`, and `Retryable` where
        the server is out of reach.
        """
        return self._readonly.answer(sql, limits, parameters)

    def close(self) -> None:
        """Finish what runs and let go of the store. Safe repeatedly."""
        self._engine.close()

    def _table(self, name: str) -> str:
        return f"{quoted(self._engine.database)}.{quoted(name)}"

    def _insert_block(self, signal: Signal, table: str, records: pa.RecordBatch, token: str) -> None:
        options = {
            **ONE_BLOCK,
            "exclude_materialize_skip_indexes_on_insert": _INDEXED_BY_MERGES.get(signal, ""),
            "insert_deduplicate": 1,
            "deduplicate_blocks_in_dependent_materialized_views": 1,
            "insert_deduplication_token": token,
            "max_execution_time": INSERT_SECONDS,
        }
        if self._settings.cluster:
            options["distributed_foreground_insert"] = 1
        try:
            self._engine.insert(self._table(table), records, options, query_id=query_id(signal, records))
        except EngineFailure as failure:
            raise classify(failure, f"inserting into {table}") from None

    def _insert_raising(self, signal: Signal, records: pa.RecordBatch, token: str) -> None:
        """Tell the views of exceptions of those rows that have one."""
        if signal in RAISING_TABLE and (rows := raising(signal, records)).num_rows:
            self._insert_block(signal, RAISING_TABLE[signal], rows, token)

    def _in_doubt(self, signal: Signal, records: pa.RecordBatch) -> BatchInDoubt:
        return BatchInDoubt(self._engine, self._settings.cluster, signal, records)
