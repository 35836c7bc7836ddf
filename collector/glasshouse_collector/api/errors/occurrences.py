"""Reads the last occurrences of an error."""

from collections import Counter
from typing import Any, Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.errors.model import ErrorOccurrence
from glasshouse_collector.api.errors.rows import exceptions
from glasshouse_collector.api.json_values import json_values
from glasshouse_collector.api.logs.place import LogPlace
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits

_TEXTS: Final = ("TraceId", "SpanId", "BatchId", "Message", "Stack", "Operation", "Version", "Environment")
_COLUMNS: Final = {
    "Nanos": "Int64",
    "Happened": "String",
    "BatchRow": "UInt32",
    **dict.fromkeys(_TEXTS, "String"),
    "Attributes": "Map(String, String)",
    "OfLog": "Bool",
}


def read_occurrences(
    store: ProjectStore, conditions: Conditions, within: TimeRange, most: int, limits: QueryLimits
) -> list[ErrorOccurrence]:
    """Return the newest occurrences, at most `most`; raises `EngineFailure`.

    What an event of a span and a log record of the same span tell is one occurrence, with the id of both.
    """
    columns = (
        "Time, toUnixTimestamp64Nano(Time) AS Nanos, toString(Occurrence) AS Happened, BatchRow, Number, "
        f"{', '.join(_TEXTS)}, Attributes"
    )
    rows = exceptions(conditions, within, None, columns)
    sql = (
        f"SELECT {', '.join(_COLUMNS)} FROM ({rows.sql}) "  # noqa: S608  (our own names; values are parameters)
        f"ORDER BY Time DESC, BatchId, BatchRow, Number LIMIT {2 * most}"
    )
    table = store.query_arrow(sql, rows.conditions.values, limits=limits)
    if not table.num_rows:
        return []
    values = [json_values(table[name], kind) for name, kind in _COLUMNS.items()]
    told = [dict(zip(_COLUMNS, row, strict=True)) for row in zip(*values, strict=True)]
    return [_occurrence(event, record) for event, record in _paired(told)][:most]


def _paired(rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Return each occurrence with its log record: the n-th event of a span goes with its n-th record."""
    seen: Counter[tuple[str, bool]] = Counter()
    pairs: dict[tuple[str, int], dict[bool, dict[str, Any]]] = {}
    for row in rows:
        which = (row["Happened"], row["OfLog"])
        pairs.setdefault((row["Happened"], seen[which]), {})[row["OfLog"]] = row
        seen[which] += 1
    return [(pair.get(False) or pair[True], pair.get(True)) for pair in pairs.values()]


def _occurrence(row: dict[str, Any], record: dict[str, Any] | None) -> ErrorOccurrence:
    log = record and LogPlace(int(record["Nanos"]), record["BatchId"], record["BatchRow"])
    return ErrorOccurrence(
        time=rfc3339(int(row["Nanos"])),
        source="logs" if row["OfLog"] else "spans",
        trace_id=row["TraceId"] or None,
        span_id=row["SpanId"] or None,
        log_id=log.id if log else None,
        message=row["Message"],
        stack_trace=row["Stack"],
        operation=row["Operation"],
        version=row["Version"],
        environment=row["Environment"],
        attributes=row["Attributes"],
    )
