"""SQL that a user wrote: it may read our tables, and nothing else.

ClickHouse's `readonly` setting stops changes to data and to settings. It does not stop everything
that reads beyond the tables: measured on engine 26.9, it lets through the function `file()` (any file of
the embedded engine's user), `DESCRIBE url(…)` (a request to any address), `INTO OUTFILE`,
`KILL QUERY`, and in chDB `Python(…)` (any object of this process). So the engine's own parser first
writes the statement anew (`formatQuery`) and shows its tree (`EXPLAIN AST`); only what is known to be
harmless then runs.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from glasshouse_collector.core.errors import GlasshouseError, Retryable
from glasshouse_collector.store.engine import Engine, EngineFailure, Options, Parameters, Statistics
from glasshouse_collector.store.limits import QueryLimits

_HARMLESS_TABLE_FUNCTIONS = frozenset(
    {"generate_series", "generateseries", "null", "numbers", "numbers_mt", "primes", "sqlstandardvalues"}
    | {"values", "view", "zeros", "zeros_mt"}
)
_BOTH_KINDS = frozenset({"format"})
"""Table functions whose name is also a harmless ordinary function's."""
_FORBIDDEN_FUNCTIONS = re.compile(
    r"file|sleep\w*|logtrace|ai[a-z]+|catboost\w*|naivebayes\w*|reversedns\w*|showcertificate"
    r"|getclienthttpheader|getserversetting|getmacro|zookeeper\w*|addressto\w*|demangle|filesystem\w*"
    r"|getsetting\w*|dictget\w*|joinget\w*|regionto\w*|currentrequesturl|globalvariable|flamegraph|eval",
)
_SYSTEM_TABLES = frozenset(
    {"asynchronous_metrics", "build_options", "columns", "contributors", "data_skipping_indices"}
    | {"data_type_families", "databases", "events", "formats", "functions", "keywords", "licenses", "merges"}
    | {
        "metrics",
        "mutations",
        "numbers",
        "numbers_mt",
        "one",
        "parts",
        "parts_columns",
        "schema_inference_cache",
    }
    | {"settings", "table_functions", "tables", "time_zones", "zeros", "zeros_mt"}
)
_OF_ONE_PROJECT = frozenset(
    {"columns", "data_type_families", "formats", "functions", "keywords", "numbers", "numbers_mt", "one"}
    | {"time_zones", "zeros", "zeros_mt"}
)
"""What tells nothing of how much others keep."""
_NODES = frozenset(
    {"ArrayJoin", "Asterisk", "ColumnsExceptTransformer", "ColumnsListMatcher", "ColumnsRegexpMatcher"}
    | {"ColumnsReplaceTransformer", "ColumnsReplaceTransformer::Replacement", "ColumnsTransformerList"}
    | {"ExpressionList", "Function", "Identifier", "InterpolateElement", "Literal", "OrderByElement"}
    | {"QualifiedAsterisk", "QualifiedColumnsListMatcher", "QualifiedColumnsRegexpMatcher", "QueryParameter"}
    | {"SampleRatio", "SelectIntersectExceptQuery", "SelectQuery", "SelectWithUnionQuery", "Subquery"}
    | {"TableExpression", "TableIdentifier", "TableJoin", "TablesInSelectQuery", "TablesInSelectQueryElement"}
    | {"WindowDefinition", "WindowListElement", "WithElement", "StorageOrderByElement"}
)
_NODE = re.compile(r"^(?P<indent> *)(?P<kind>[A-Za-z:]+)(?: (?P<rest>.*))?$", re.DOTALL)
_NAME = r"(?:`?\w+`?\.)?`?\w+`?"
_ABOUT_TABLES = re.compile(
    rf"(?:SHOW\s+(?:DATABASES|TABLES(?:\s+FROM\s+`?\w+`?)?|COLUMNS\s+FROM\s+{_NAME}|CREATE\s+TABLE\s+{_NAME})"
    rf"|DESC(?:RIBE)?\s+(?:TABLE\s+)?(?P<described>{_NAME})|EXISTS\s+(?:TABLE\s+)?{_NAME})",
    re.IGNORECASE,
)
_EXPLAIN = re.compile(
    r"EXPLAIN(?:\s+(?:PLAN|PIPELINE|ESTIMATE|SYNTAX))?(?:\s+\w+\s*=\s*[01](?:\s*,\s*\w+\s*=\s*[01])*)?\s+(?=SELECT|WITH|\()",
    re.IGNORECASE,
)
_EXPLAIN_ALONE = re.compile(r"EXPLAIN(\s+(PLAN|SYNTAX))?", re.IGNORECASE)
_SELECT = re.compile(r"\(*(?:SELECT|WITH)\b")
_FORMATTED = re.compile(r"\sFORMAT\s+\w+$")
_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_NAME_IN_CANONICAL = re.compile(r"(?P<name>`(?:[^`\\]|\\.)*`|[A-Za-z_]\w*)(?P<call>\()?", re.DOTALL)
_LONGEST_SQL = 256 * 1024
_TIMED_OUT = frozenset({159, 160, 209})
_TOO_BIG = frozenset({158, 241, 307, 396})


class QueryRefused(GlasshouseError):
    """A query that may not run, or failed by its own fault; `code` is ClickHouse's, where it gave one."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class QueryTimedOut(QueryRefused):
    """A query that took longer than its limit."""


class QueryTooBig(QueryRefused):
    """A query that needed more memory, or gave more rows or bytes, than its limit."""


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """Rows of a user's query: ClickHouse's name and type of each column, the rows, what they cost."""

    columns: list[tuple[str, str]]
    table: pa.Table
    statistics: Statistics


class ReadOnlyQueries:
    """Answers users' SQL from one engine; `of_one_project` keeps from them what the engine says of all."""

    def __init__(self, engine: Engine, *, of_one_project: bool = False) -> None:
        self._engine = engine
        self._of_one_project = of_one_project
        self._system_tables = _OF_ONE_PROJECT if of_one_project else _SYSTEM_TABLES
        self._databases = {engine.database.lower(), "system"} | (
            set() if of_one_project else {"information_schema"}
        )
        self._table_functions: frozenset[str] | None = None

    def answer(
        self,
        sql: str,
        limits: QueryLimits,
        parameters: Parameters | None = None,
        options: Options | None = None,
    ) -> QueryAnswer:
        """Run one statement that only reads, with `options` of ours; raises `QueryRefused`, `Retryable`."""
        options = options or {}
        try:
            selects, statement = self._admit(sql, parameters)
            answer = self._engine.query_readonly(statement, parameters, {**limits.options(), **options})
            columns = (
                self._columns(statement, parameters, options) if selects else _arrow_columns(answer.table)
            )
        except EngineFailure as failure:
            raise _refusal(failure) from None
        return QueryAnswer(columns, answer.table, answer.statistics)

    def admit(self, sql: str, parameters: Parameters | None = None) -> str:
        """Return the one statement in `sql`, which reads and does nothing else; raises `QueryRefused`."""
        try:
            return self._admit(sql, parameters)[1]
        except EngineFailure as failure:
            raise _refusal(failure) from None

    def _admit(self, sql: str, parameters: Parameters | None = None) -> tuple[bool, str]:
        if len(sql) > _LONGEST_SQL:
            raise QueryRefused(f"the query is longer than {_LONGEST_SQL} characters")
        statement = self._canonical(sql)
        about = _ABOUT_TABLES.fullmatch(statement)
        if about:
            if about["described"]:
                self._check_table(about["described"].replace("`", ""))
            return False, statement
        explained = _EXPLAIN.match(statement)
        if explained and self._of_one_project and not _EXPLAIN_ALONE.fullmatch(explained[0].strip()):
            raise QueryRefused(
                "of one project, EXPLAIN, EXPLAIN PLAN and EXPLAIN SYNTAX are open, without more"
            )
        select = statement[explained.end() :] if explained else statement
        if not _SELECT.match(select):
            raise QueryRefused("one statement that only reads is expected: SELECT, SHOW, DESCRIBE or EXPLAIN")
        if _FORMATTED.search(_LITERAL.sub("''", statement)):
            raise QueryRefused("FORMAT is not allowed here; ask with format=csv, ndjson or parquet instead")
        self._check_names(select)
        # in brackets a FORMAT clause is an error, which would else decide how the tree is printed
        tree = self._engine.query(f"SELECT explain FROM (EXPLAIN AST {select}\n)", parameters).table  # noqa: S608
        self._check_tree(line for line in tree.column(0).to_pylist() if line)
        return explained is None, statement

    def _canonical(self, sql: str) -> str:
        """Return the statement as the engine's own parser writes it: one, no comments, plain quoting.

        What is checked is then exactly what runs, whatever the quoting or the comments hid.
        """
        try:
            answer = self._engine.query(
                "SELECT formatQuerySingleLine({sql:String}) AS statement", {"sql": sql}
            )
        except EngineFailure as failure:
            own_words = (
                str(failure).partition(": In scope SELECT formatQuery")[0].partition(". Expected one of")[0]
            )
            raise EngineFailure(own_words, code=failure.code) from None
        return str(answer.table["statement"][0].as_py())

    def _check_names(self, statement: str) -> None:
        """Check every name, wherever it stands: the tree leaves out windows and APPLY."""
        for found in _NAME_IN_CANONICAL.finditer(_LITERAL.sub("''", statement)):
            name = found["name"].strip("`").lower()
            if name == "prewhere" and self._of_one_project:
                raise QueryRefused("PREWHERE is not allowed here; WHERE does the same")
            if _FORBIDDEN_FUNCTIONS.fullmatch(name):
                raise QueryRefused(
                    f"{found['name']} is not allowed here: it is a function that reads elsewhere"
                )
            if found["call"]:
                self._check_function(name, as_table=False)

    def _check_tree(self, lines: Iterable[str]) -> None:
        parent_is_table = -1  # the indentation of a table expression's child
        for line in lines:
            node = _NODE.match(line)
            if not node or node["kind"] not in _NODES:
                raise QueryRefused(f"{_what_is(line)} is not allowed here")
            depth, kind = len(node["indent"]), node["kind"]
            named = (node["rest"] or "").split(" ")[0]
            if kind == "Function":
                self._check_function(named, as_table=depth == parent_is_table)
            elif kind == "TableIdentifier":
                self._check_table(named)
            elif kind == "Identifier":
                self._check_identifier(named)
            parent_is_table = depth + 1 if kind == "TableExpression" else -1

    def _check_function(self, name: str, *, as_table: bool) -> None:
        lowered = name.lower()
        harmless = lowered in _HARMLESS_TABLE_FUNCTIONS
        reads_elsewhere = lowered in self._known_table_functions() and lowered not in _BOTH_KINDS
        if (as_table and not harmless) or (reads_elsewhere and not harmless):
            raise QueryRefused(f"the table function {name} is not allowed here: it reads beyond the store")

    def _known_table_functions(self) -> frozenset[str]:
        if self._table_functions is None:
            found = self._engine.query("SELECT lower(name) AS name FROM system.table_functions").table
            self._table_functions = frozenset(found.column("name").to_pylist())
        return self._table_functions

    def _check_table(self, name: str) -> None:
        database, dot, table = name.lower().rpartition(".")
        if not re.fullmatch(r"\w+(\.\w+)?", name):
            raise QueryRefused(f"{name!r} is no table of the store")
        if dot and database not in self._databases:
            raise QueryRefused(f"database {database} is not open to queries")
        if database == "system" and table not in self._system_tables:
            raise QueryRefused(f"{name} is not open to queries")

    def _check_identifier(self, name: str) -> None:
        first, _, rest = name.lower().partition(".")
        if first == "system" and rest.split(".")[0] not in self._system_tables:
            raise QueryRefused(f"{name} is not open to queries")

    def _columns(
        self, statement: str, parameters: Parameters | None, options: Options
    ) -> list[tuple[str, str]]:
        # of no limit of the asker's: this answer has a row a column
        described = self._engine.query_readonly(f"DESCRIBE TABLE ({statement}\n)", parameters, options).table
        return list(zip(described["name"].to_pylist(), described["type"].to_pylist(), strict=True))


def _what_is(line: str) -> str:
    kind = line.strip().split(" ")[0]
    return {"Set": "a SETTINGS clause", "ColumnsApplyTransformer": "APPLY"}.get(kind, kind)


def _arrow_columns(table: pa.Table) -> list[tuple[str, str]]:
    types = {pa.uint8(): "UInt8", pa.uint64(): "UInt64"}
    return [(column.name, types.get(column.type, "String")) for column in table.schema]


def _refusal(failure: EngineFailure) -> GlasshouseError:
    if failure.code is None:
        return Retryable(f"the store cannot answer: {failure}")
    if failure.code in _TIMED_OUT:
        return QueryTimedOut(str(failure), failure.code)
    if failure.code in _TOO_BIG:
        return QueryTooBig(str(failure), failure.code)
    return QueryRefused(str(failure), failure.code)
