"""The store: where batches are kept, and asked for."""

from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.core.errors import Permanent, Retryable
from glasshouse_collector.core.schema import TABLE_COLUMNS, TIME_COLUMN
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
from glasshouse_collector.store.limits import QueryLimits
from glasshouse_collector.store.migrate import TABLE_OF, TRACE_TIMES, Migrations
from glasshouse_collector.store.project_store import ProjectStore
from glasshouse_collector.store.readonly import QueryAnswer, ReadOnlyQueries
from glasshouse_collector.store.settings import Folder, StoreSettings, locate

_NANOSECONDS_A_DAY = 86_400 * 10**9
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

        A second insert with the same token is ignored while the table remembers it. Raises
        `Permanent` where these rows will never be accepted, else `Retryable`: then ask
        `missing_rows` before trying again.
        """
        if not records.num_rows:
            return
        if records.schema != TABLE_COLUMNS[signal]:
            raise Permanent(f"{signal.value}: the columns are not those of {TABLE_OF[signal]}")
        options = {
            **ONE_BLOCK,
            "exclude_materialize_skip_indexes_on_insert": _INDEXED_BY_MERGES.get(signal, ""),
            "insert_deduplicate": 1,
            "insert_deduplication_token": token,
            "max_execution_time": INSERT_SECONDS,
        }
        if self._settings.cluster:
            options["distributed_foreground_insert"] = 1
        try:
            self._engine.insert(
                self._table(TABLE_OF[signal]), records, options, query_id=_query_id(signal, records)
            )
        except EngineFailure as failure:
            raise classify(failure, f"inserting into {TABLE_OF[signal]}") from None

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

    def missing_rows(self, signal: Signal, records: pa.RecordBatch) -> pa.RecordBatch:
        """Return those rows that the store does not have, of a batch in doubt (one batch, one UTC day).

        First waits for, then cancels, an insert of this batch that still runs. Raises `Retryable`.
        """
        if not records.num_rows:
            return records
        try:
            self._engine.await_insert(_query_id(signal, records), INSERT_SECONDS)
            if self._settings.cluster:
                self._catch_up(signal)
            kept = self._kept_rows(signal, records)
            if signal is Signal.TRACES and len(kept):
                self._repair_trace_times(records)
        except EngineFailure as failure:
            raise Retryable(f"asking {TABLE_OF[signal]} for a batch: {failure}") from None
        if not len(kept):
            return records
        rows = records.column(records.schema.get_field_index("BatchRow"))
        return records.filter(pc.invert(pc.is_in(rows, value_set=pa.array(kept, pa.uint32()))))

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

    def _kept_rows(self, signal: Signal, records: pa.RecordBatch) -> npt.NDArray[np.uint32]:
        condition = _IN_BATCH.format(time=TIME_COLUMN[signal])
        sql = f"SELECT BatchRow FROM {self._table(TABLE_OF[signal])} WHERE {condition}"  # noqa: S608
        table = self._engine.query(sql, _batch_parameters(records, TIME_COLUMN[signal])).table
        return np.asarray(table.column("BatchRow")) if table.num_columns else np.empty(0, np.uint32)

    def _repair_trace_times(self, records: pa.RecordBatch) -> None:
        """Write the batch's traces into the lookup table again: a crash may have come between the two."""
        sql = (
            f"INSERT INTO {self._table(TRACE_TIMES)} (TraceId, Start, End, Finish, Project) "  # noqa: S608
            "SELECT TraceId, min(Timestamp), max(Timestamp), fromUnixTimestamp64Nano("
            "max(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration))), Project "
            f"FROM {self._table('otel_traces')} "
            f"WHERE {_IN_BATCH.format(time='Timestamp')} AND TraceId != '' GROUP BY Project, TraceId"
        )
        self._engine.command(sql, _batch_parameters(records, "Timestamp"))

    def _catch_up(self, signal: Signal) -> None:
        """Make every replica fetch what its siblings have: the answer must not depend on who gives it."""
        cluster = quoted(self._settings.cluster or "")
        self._engine.command(
            f"SYSTEM SYNC REPLICA ON CLUSTER {cluster} {self._table(TABLE_OF[signal] + '_local')} LIGHTWEIGHT"
        )


_IN_BATCH = (
    "BatchId = {{batch:String}} AND {time} >= fromUnixTimestamp64Nano({{first:Int64}}) "
    "AND {time} <= fromUnixTimestamp64Nano({{last:Int64}})"
)


def _batch_parameters(records: pa.RecordBatch, time_column: str) -> dict[str, str | int]:
    times = records.column(records.schema.get_field_index(time_column)).cast(pa.int64())
    extent = pc.min_max(times)
    first, last = extent["min"].as_py(), extent["max"].as_py()
    return {"batch": _batch_id(records), "first": first, "last": last}


def _batch_id(records: pa.RecordBatch) -> str:
    return str(records.column(records.schema.get_field_index("BatchId"))[0].as_py())


def _query_id(signal: Signal, records: pa.RecordBatch) -> str:
    """Name an insert after its batch and partition, so that it can be found while it runs."""
    times = records.column(records.schema.get_field_index(TIME_COLUMN[signal])).cast(pa.int64())
    return f"glasshouse-{_batch_id(records)}-{signal.value}-{times[0].as_py() // _NANOSECONDS_A_DAY}"
