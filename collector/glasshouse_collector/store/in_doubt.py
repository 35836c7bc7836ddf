"""A batch in doubt: what the store has of it, and how the rest gets there."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.core.schema import TIME_COLUMN
from glasshouse_collector.store.engine import Engine, Options, quoted
from glasshouse_collector.store.migrate import DEDUPLICATION_WINDOW, JOURNAL, TABLE_OF, TRACE_TIMES

_NANOSECONDS_A_DAY = 86_400 * 10**9
_SURELY_REMEMBERED = DEDUPLICATION_WINDOW // 8
"""Inserts since, at most: seven tables of records feed one of counts, which forgets that much sooner."""


class BatchInDoubt:
    """Rows of one batch and one UTC day, which an insert may have brought, or not.

    Every method raises `EngineFailure`.
    """

    def __init__(self, engine: Engine, cluster: str | None, signal: Signal, records: pa.RecordBatch) -> None:
        self._engine = engine
        self._cluster = cluster
        self._signal = signal
        self._records = records

    def missing(self, seconds: int) -> pa.RecordBatch:
        """Return the rows that the store does not have; an insert that runs is cancelled after `seconds`."""
        self._engine.await_insert(query_id(self._signal, self._records), seconds)
        if self._cluster:
            self._catch_up(self._cluster)
        kept = self._kept_rows()
        if not len(kept):
            return self._records
        rows = self._records.column(self._records.schema.get_field_index("BatchRow"))
        return self._records.filter(pc.invert(pc.is_in(rows, value_set=pa.array(kept, pa.uint32()))))

    def may_come_whole(self, missing: pa.RecordBatch) -> bool:
        """Whether the whole batch can be inserted under its token again, and no record come twice by it."""
        if not missing.num_rows:
            return self._remembered()
        return bool(missing.num_rows == self._records.num_rows)

    def _remembered(self) -> bool:
        """Whether every table surely knows the token by which the rows came that are there.

        Known are the last 10,000 inserts into a table, and block numbers tell how many there were since. A
        table that an upgrade counted anew has forgotten; on a cluster each replica numbers blocks by itself.
        """
        if self._cluster:
            return False
        table = TABLE_OF[self._signal]
        sql = (
            f"WITH (SELECT toDateTime(max(applied_at)) FROM {self._named(JOURNAL)}) AS upgraded, "  # noqa: S608
            f"name IN (SELECT DISTINCT _part FROM {self._named(table)} WHERE {self._condition}) AS ours "
            "SELECT countIf(ours) AS parts, max(max_block_number) - minIf(min_block_number, ours) AS since, "
            "minIf(modification_time, ours) >= upgraded AS newer FROM system.parts "
            "WHERE active AND database = {database:String} AND table = {table:String}"
        )
        parameters = {**self._parameters, "database": self._engine.database, "table": table}
        [found] = self._engine.query(sql, parameters).table.to_pylist()
        return bool(found["parts"] and found["newer"] and found["since"] < _SURELY_REMEMBERED)

    def put_back(self, missing: pa.RecordBatch, options: Options) -> None:
        """Bring rows past a token that was noted without them, and past the views, which counted them."""
        table = self._named(TABLE_OF[self._signal])
        beside = self._named(f"{TABLE_OF[self._signal]}-{batch_id(missing)}")
        self._engine.command(f"DROP TABLE IF EXISTS {beside} SYNC")
        self._engine.command(f"CREATE TABLE {beside} AS {table}")
        self._engine.insert(beside, missing, options)
        found = self._engine.query(f"SELECT DISTINCT _partition_id AS id FROM {beside}").table  # noqa: S608
        for partition in found["id"].to_pylist():
            self._engine.command(f"ALTER TABLE {beside} MOVE PARTITION ID '{partition}' TO TABLE {table}")
        self._engine.command(f"DROP TABLE {beside} SYNC")

    def repair_trace_times(self) -> None:
        """Tell the lookup table of the batch's traces again, where it may lack them: their times alone."""
        sql = (
            f"INSERT INTO {self._named(TRACE_TIMES)} (TraceId, Start, End, Finish, Project) "  # noqa: S608
            "SELECT TraceId, min(Timestamp), max(Timestamp), fromUnixTimestamp64Nano("
            "max(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration))), Project "
            f"FROM {self._named(TABLE_OF[self._signal])} "
            f"WHERE {self._condition} AND TraceId != '' GROUP BY Project, TraceId"
        )
        self._engine.command(sql, self._parameters)

    def _kept_rows(self) -> npt.NDArray[np.uint32]:
        sql = f"SELECT BatchRow FROM {self._named(TABLE_OF[self._signal])} WHERE {self._condition}"  # noqa: S608
        table = self._engine.query(sql, self._parameters).table
        return np.asarray(table.column("BatchRow")) if table.num_columns else np.empty(0, np.uint32)

    def _catch_up(self, cluster: str) -> None:
        """Make every replica fetch what its siblings have: the answer must not depend on who gives it."""
        local = self._named(f"{TABLE_OF[self._signal]}_local")
        self._engine.command(f"SYSTEM SYNC REPLICA ON CLUSTER {quoted(cluster)} {local} LIGHTWEIGHT")

    def _named(self, table: str) -> str:
        return f"{quoted(self._engine.database)}.{quoted(table)}"

    @property
    def _condition(self) -> str:
        return _IN_BATCH.format(time=TIME_COLUMN[self._signal])

    @property
    def _parameters(self) -> dict[str, str | int]:
        extent = pc.min_max(_times(self._signal, self._records))
        first, last = extent["min"].as_py(), extent["max"].as_py()
        return {"batch": batch_id(self._records), "first": first, "last": last}


_IN_BATCH = (
    "BatchId = {{batch:String}} AND {time} >= fromUnixTimestamp64Nano({{first:Int64}}) "
    "AND {time} <= fromUnixTimestamp64Nano({{last:Int64}})"
)


def batch_id(records: pa.RecordBatch) -> str:
    """Return the name of the batch that rows belong to."""
    return str(records.column(records.schema.get_field_index("BatchId"))[0].as_py())


def query_id(signal: Signal, records: pa.RecordBatch) -> str:
    """Name an insert after its batch and partition, so that it can be found while it runs."""
    day = _times(signal, records)[0].as_py() // _NANOSECONDS_A_DAY
    return f"glasshouse-{batch_id(records)}-{signal.value}-{day}"


def _times(signal: Signal, records: pa.RecordBatch) -> pa.Array:
    return records.column(records.schema.get_field_index(TIME_COLUMN[signal])).cast(pa.int64())
