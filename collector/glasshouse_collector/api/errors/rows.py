"""The rows of exceptions that a question is about, of both tables."""

from dataclasses import dataclass
from typing import Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.errors.model import Source
from glasshouse_collector.api.time_range import TimeRange

_TABLES: Final[dict[Source, str]] = {
    "spans": "glasshouse_span_exceptions",
    "logs": "glasshouse_log_exceptions",
}


@dataclass(frozen=True, slots=True)
class ExceptionRows:
    """A SELECT of rows, and the conditions whose values are its parameters."""

    sql: str
    conditions: Conditions


def exceptions(
    conditions: Conditions, within: TimeRange, source: Source | None, columns: str
) -> ExceptionRows:
    """Return what selects `columns`, and `OfLog`, of the exceptions for which the conditions hold."""
    asked = Conditions([*conditions.terms], {**conditions.values})
    for bound, moment in ((">=", within.start), ("<", within.end)):
        asked.add(f"Time {bound} fromUnixTimestamp64Nano({asked.value(moment, 'Int64')})")
    each = (
        f"SELECT {columns}, {'true' if name == 'logs' else 'false'} AS OfLog FROM {table} WHERE {asked.sql}"  # noqa: S608
        for name, table in _TABLES.items()
        if source in (None, name)
    )
    return ExceptionRows(" UNION ALL ".join(each), asked)
