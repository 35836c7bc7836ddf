"""What the store asks of ClickHouse, whether it runs inside this process or on a server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

Scalar = str | int | float | bool
Parameters = Mapping[str, Scalar]
Options = Mapping[str, str | int]
"""ClickHouse settings of one statement."""

OLDEST_ENGINE = (26, 2)
"""The first release with the text indexes that the tables of logs and spans are made with."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What one query cost: seconds, and rows and bytes read."""

    elapsed: float = 0.0
    rows_read: int = 0
    bytes_read: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of one query."""

    table: pa.Table
    statistics: Statistics = field(default_factory=Statistics)


class Engine(Protocol):
    """Runs statements; every method blocks and may be called from any thread.

    Each raises `EngineFailure`, which says whether it was refused or the connection was lost.
    """

    database: str
    version: str

    def command(self, sql: str, parameters: Parameters | None = None, options: Options | None = None) -> None:
        """Run a statement that returns nothing."""

    def query(self, sql: str, parameters: Parameters | None = None, options: Options | None = None) -> Answer:
        """Run a query; `{name:Type}` in it takes the value of that parameter."""

    def query_readonly(
        self, sql: str, parameters: Parameters | None = None, options: Options | None = None
    ) -> Answer:
        """Run a query that can change nothing, neither data nor its own options."""

    def insert(
        self, into: str, records: pa.RecordBatch, options: Options, *, query_id: str | None = None
    ) -> None:
        """Insert all rows as one block. `into` is the quoted table."""

    def await_insert(self, query_id: str, seconds: float) -> None:
        """Return when no insert of that id runs any more; it is cancelled after `seconds`."""

    def close(self) -> None:
        """Let go of the engine. Safe repeatedly."""


class EngineFailure(Exception):
    """A statement failed: `code` is ClickHouse's, or None where the connection itself failed."""

    def __init__(self, message: str, *, code: int | None) -> None:
        super().__init__(message)
        self.code = code


def quoted(identifier: str) -> str:
    """Quote a name for SQL."""
    escaped = identifier.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def literal(value: str | int) -> str:
    """Quote a value for SQL."""
    if isinstance(value, int):
        return str(int(value))
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def settings_clause(options: Options | None) -> str:
    """Return ` SETTINGS …`, or nothing."""
    if not options:
        return ""
    return " SETTINGS " + ", ".join(f"{name} = {literal(value)}" for name, value in options.items())
