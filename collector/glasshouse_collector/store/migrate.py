"""Brings the tables up to date: numbered SQL files, each once, and the settings a user may change later."""

import re
from collections.abc import Iterator
from importlib.resources import files
from string import Template

from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.errors import Retryable, StoreError
from glasshouse_collector.core.schema import TIME_COLUMN
from glasshouse_collector.store.engine import Engine, EngineFailure, Options, literal, quoted
from glasshouse_collector.store.settings import ALERTS_RETENTION, StoreSettings

JOURNAL = "glasshouse_migrations"
DEDUPLICATION_WINDOW = 10_000
"""Inserts whose token a table remembers."""

TABLE_OF: dict[Signal, str] = {signal: f"otel_{signal.value}" for signal in Signal}
TRACE_TIMES = "otel_traces_trace_id_ts"
ALERTS = "glasshouse_alerts"
ANY_SIGNAL = "any signal"
ROLLUPS = (
    ("glasshouse_operations", RequestKind.TRACES, "Minute"),
    ("glasshouse_service_hours", RequestKind.TRACES, "Hour"),
    ("glasshouse_log_counts", RequestKind.LOGS, "Minute"),
    ("glasshouse_instances", ANY_SIGNAL, "Hour"),
    ("glasshouse_span_attributes", RequestKind.TRACES, "Quarter"),
    ("glasshouse_span_attribute_values", RequestKind.TRACES, "Quarter"),
    ("glasshouse_log_attributes", RequestKind.LOGS, "Quarter"),
    ("glasshouse_log_attribute_values", RequestKind.LOGS, "Quarter"),
    ("glasshouse_span_exceptions", RequestKind.TRACES, "Time"),
    ("glasshouse_log_exceptions", RequestKind.LOGS, "Time"),
    ("glasshouse_metric_names", RequestKind.METRICS, "LastSeen"),
)
"""Tables that views fill from records: whose retention each has, and the column of its rows' time."""

_CLUSTER_ONLY = "-- only on a cluster"
_LAYOUT: dict[str, int | str] = {
    "ttl_only_drop_parts": 1,
    "materialize_ttl_recalculate_only": 1,
    "merge_selector_base": 16,  # rows are merged half as often as with 5, for a few more parts to look into
    "min_level_for_wide_part": 1,  # an insert writes one file, which is also one fsync
    "auto_statistics_types": "",  # 6 % of a merge, and no query of ours gains by them
}
_ROLLUP_LAYOUT: dict[str, int | str] = {
    "ttl_only_drop_parts": 1,
    "merge_selector_base": 64,  # small parts, one an insert: merged seldom, many at once
    "min_bytes_for_wide_part": 1 << 30,  # one file a part
    "auto_statistics_types": "",
}
"""Of tables that views fill. They are not synced: what a power cut takes from them is no record."""
_FSYNC = {"fsync_after_insert": 1, "fsync_part_directory": 1, "min_rows_to_fsync_after_merge": 1}
_A_DAY = re.compile(r"\bFROM (\S+\.otel_\w+)\b.*\{day:String\}", re.DOTALL)
_TTL = re.compile(r"\bTTL toDateTime\((\w+)\) \+ toIntervalSecond\((\d+)\)")


class Migrations:
    """The tables of one store."""

    def __init__(self, engine: Engine, settings: StoreSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._cluster = f"ON CLUSTER {quoted(settings.cluster)}" if settings.cluster else ""
        self._local = "_local" if settings.cluster else ""

    def apply(self) -> list[str]:
        """Apply what is missing; return the names of what was done."""
        engine = self._engine
        try:
            engine.command(f"CREATE DATABASE IF NOT EXISTS {quoted(engine.database)} {self._cluster}")
            engine.command(self._journal_table())
            done = []
            for name, text in migration_files():
                if name not in self._applied():
                    for statement in self.statements(text):
                        self._run(statement)
                    self._note(name)
                    done.append(name)
            return done + self._change_in_place()
        except EngineFailure as failure:
            if failure.code is None:
                raise Retryable(f"the store: {failure}") from None
            raise StoreError(f"storage: the tables cannot be made: {failure}") from None

    def statements(self, text: str) -> Iterator[str]:
        """Yield the statements of one file, with this store's names and engines in them."""
        for part in text.split(";\n"):
            if _CLUSTER_ONLY in part and not self._settings.cluster:
                continue
            lines = [line for line in part.splitlines() if line.strip() and not line.startswith("--")]
            if lines:
                yield Template("\n".join(lines)).substitute(self._values())

    def _run(self, statement: str) -> None:
        """Run a statement; what fills a table from a `{day:String}` of records, for each day that is kept."""
        source = _A_DAY.search(statement)
        if source is None:
            self._engine.command(statement)
            return
        days = f"SELECT DISTINCT _partition_id AS day FROM {source[1]} ORDER BY day"  # noqa: S608
        found = self._engine.query(days).table
        for day in found["day"].to_pylist() if found.num_columns else ():
            self._engine.command(statement, {"day": day})

    def _values(self) -> dict[str, str]:
        remembered: dict[str, int | str] = {}
        if not self._settings.cluster:
            remembered["non_replicated_deduplication_window"] = DEDUPLICATION_WINDOW
        return {
            "database": quoted(self._engine.database),
            "cluster": quoted(self._settings.cluster or ""),
            "on_cluster": self._cluster,
            "local": self._local,
            "merge_tree": self._merge_tree(),
            "replacing_merge_tree": self._merge_tree("Replacing"),
            "aggregating_merge_tree": self._merge_tree("Aggregating"),
            "merge_tree_settings": _listed({**_LAYOUT, **self._table_options(), **remembered}),
            "rollup_settings": _listed({**_ROLLUP_LAYOUT, **remembered}),
        }

    def _merge_tree(self, kind: str = "") -> str:
        if not self._settings.cluster:
            return f"{kind}MergeTree"
        return (
            f"Replicated{kind}MergeTree('/clickhouse/tables/{{shard}}/{{database}}/{{table}}', '{{replica}}')"
        )

    def _table_options(self) -> dict[str, int]:
        return {name: value if self._settings.fsync else 0 for name, value in _FSYNC.items()}

    def _journal_table(self) -> str:
        return (
            f"CREATE TABLE IF NOT EXISTS {self._named(JOURNAL)} {self._cluster} "
            "(name String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)) "
            f"ENGINE = {self._merge_tree()} ORDER BY name"
        )

    def _named(self, table: str) -> str:
        return f"{quoted(self._engine.database)}.{quoted(table)}"

    def _applied(self) -> set[str]:
        answer = self._engine.query(f"SELECT DISTINCT name FROM {self._named(JOURNAL)}")  # noqa: S608
        return set(answer.table.column("name").to_pylist()) if answer.table.num_columns else set()

    def _note(self, name: str) -> None:
        self._engine.command(f"INSERT INTO {self._named(JOURNAL)} (name) VALUES ({literal(name)})")  # noqa: S608

    def _change_in_place(self) -> list[str]:
        """Set retention and fsync where they differ from what the tables have."""
        changed = []
        rollups = {f"{table}{self._local}" for table, _, _ in ROLLUPS}
        for table, kind, time_column in self._kept_tables():
            definition = self._definition(table)
            retention = self._retention_change(kind, time_column, definition)
            if retention:
                self._engine.command(f"ALTER TABLE {self._named(table)} {self._cluster} {retention}")
                changed.append(f"{table}: {retention}")
            different = {
                name: value
                for name, value in self._table_options().items()
                if table not in rollups and f"{name} = {value}" not in definition
            }
            if different:
                wanted = ", ".join(f"{name} = {value}" for name, value in different.items())
                self._engine.command(
                    f"ALTER TABLE {self._named(table)} {self._cluster} MODIFY SETTING {wanted}"
                )
                changed.append(f"settings of {table}: {wanted}")
        return changed

    def _retention_change(self, kind: str, time_column: str, definition: str) -> str | None:
        """Return what to alter so that the table keeps its rows as long as the settings say."""
        found = _TTL.search(definition)
        wanted = self._longest() if kind == ANY_SIGNAL else self._settings.kept_seconds(kind)
        if wanted == (int(found.group(2)) if found else None):
            return None
        if wanted is None:
            return "REMOVE TTL"
        return f"MODIFY TTL toDateTime({time_column}) + toIntervalSecond({wanted})"

    def _longest(self) -> int | None:
        """Return the longest retention of a signal in seconds; None means for ever."""
        kept = [self._settings.kept_seconds(kind) for kind in RequestKind]
        return None if None in kept else max(seconds for seconds in kept if seconds is not None)

    def _kept_tables(self) -> Iterator[tuple[str, str, str]]:
        """Yield each table, whose retention it has, and the column of its rows' time."""
        for signal, table in TABLE_OF.items():
            yield f"{table}{self._local}", signal.value.split("_")[0], TIME_COLUMN[signal]
        yield f"{TRACE_TIMES}{self._local}", RequestKind.TRACES, "Start"
        yield f"{ALERTS}{self._local}", ALERTS_RETENTION, "StartsAt"
        for table, kind, time_column in ROLLUPS:
            yield f"{table}{self._local}", kind, time_column

    def _definition(self, table: str) -> str:
        answer = self._engine.query(
            "SELECT create_table_query AS made FROM system.tables "
            "WHERE database = {database:String} AND name = {name:String}",
            {"database": self._engine.database, "name": table},
        )
        return str(answer.table.column("made")[0].as_py()) if answer.table.num_rows else ""


def _listed(options: Options) -> str:
    return ", ".join(f"{name} = {literal(value)}" for name, value in options.items())


def migration_files() -> Iterator[tuple[str, str]]:
    """Yield name and text of each migration, in order."""
    folder = files("glasshouse_collector.store") / "migrations"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            yield file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")
