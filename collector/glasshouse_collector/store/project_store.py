"""The store as one project sees it."""

from typing import Final

import pyarrow as pa

from glasshouse_collector.store.engine import Answer, Engine, Parameters, literal
from glasshouse_collector.store.limits import NOTHING_REMEMBERED, QueryLimits
from glasshouse_collector.store.readonly import QueryAnswer, ReadOnlyQueries

_FILTERED_FIRST: Final[dict[str, str | int]] = {
    "optimize_move_to_prewhere": 0,
    "query_plan_optimize_prewhere": 0,
    "query_plan_merge_filters": 0,
    "query_plan_filter_push_down": 0,
}
"""Lets nothing that a user wrote see a row before the project's filter has: an expression that fails tells
what it failed at, and that it failed at all."""
EVERY_PROJECT: Final = "*"
"""Stands for all projects, where somebody may see them all."""


class ProjectStore:
    """Answers queries from the rows of one project alone, whatever the query says.

    ClickHouse is told to filter each of our tables wherever it is read, through views, joins and
    subqueries too (`additional_table_filters`); it uses the primary key for that as if the condition
    stood in the query. `comment` marks the queries, so that `Store.cancel` finds them.
    """

    def __init__(self, engine: Engine, project: str, tables: frozenset[str], comment: str) -> None:
        self.project = project
        self._engine = engine
        self._readonly = ReadOnlyQueries(engine, of_one_project=project != EVERY_PROJECT)
        self._options = NOTHING_REMEMBERED | ({"log_comment": comment} if comment else {})
        self._users: dict[str, str | int] = {} if project == EVERY_PROJECT else _FILTERED_FIRST
        if project != EVERY_PROJECT:
            self._options["additional_table_filters"] = _filters(engine.database, project, tables)

    def query_arrow(
        self, sql: str, parameters: Parameters | None = None, *, limits: QueryLimits | None = None
    ) -> pa.Table:
        """Run one of our own queries (never a user's); raises `EngineFailure`."""
        return self.answer(sql, parameters, limits=limits).table

    def answer(
        self, sql: str, parameters: Parameters | None = None, *, limits: QueryLimits | None = None
    ) -> Answer:
        """Run one of our own queries and say what it cost; raises `EngineFailure`."""
        return self._engine.query(sql, parameters, {**(limits or QueryLimits()).options(), **self._options})

    def query_readonly(
        self, sql: str, limits: QueryLimits, parameters: Parameters | None = None
    ) -> QueryAnswer:
        """Run a user's SQL, which can read our tables and do nothing else.

        Raises `QueryRefused`, its kinds `QueryTimedOut` and `QueryTooBig`, and `Retryable` where
        the server is out of reach.
        """
        return self._readonly.answer(sql, limits, parameters, {**self._options, **self._users})


def _filters(database: str, project: str, tables: frozenset[str]) -> str:
    """Return the setting: a map of a table's name to what its rows must fulfil."""
    condition = literal(f"Project = {literal(project)}")
    return "{" + ", ".join(f"{literal(f'{database}.{table}')}: {condition}" for table in sorted(tables)) + "}"
