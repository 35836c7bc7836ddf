"""Reads the log records of batches that came, in the order they came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.logs.batches import UNIT_KEY, Arrival
from glasshouse_collector.api.logs.finding import of_batches
from glasshouse_collector.api.logs.model import LogRecord
from glasshouse_collector.api.logs.rows import LOG_COLUMNS, log_records
from glasshouse_collector.store import ProjectStore, QueryLimits, log_times

MOST_UNITS: Final = 100
"""How many units one page is read of."""
_PAGE: Final = (
    "SELECT {columns}, {number} AS Number FROM otel_logs WHERE {where} ORDER BY Number, BatchRow "
    "LIMIT {most} SETTINGS query_plan_optimize_lazy_materialization = 1"
)
_COUNTS: Final = "SELECT {number} AS Number, count() AS Records FROM otel_logs WHERE {where} GROUP BY Number"


@dataclass(frozen=True, slots=True)
class WaitingUnits:
    """Which records wait: those of these units that fulfil the conditions, of each after a row."""

    conditions: Conditions
    arrivals: Sequence[Arrival]
    after: Sequence[int]
    """Of each unit the last row that was told; -1: none."""


@dataclass(frozen=True, slots=True)
class Page:
    """Records, each with the index of its unit; `complete`: no more of these units."""

    records: list[tuple[int, LogRecord]]
    complete: bool


def read_units(store: ProjectStore, asked: WaitingUnits, most: int, limits: QueryLimits) -> Page:
    """Return up to `most` records, in the order of their units; raises `EngineFailure`."""
    conditions, number = _of_units(asked)
    sql = _PAGE.format(
        columns=LOG_COLUMNS, number=number, where=conditions.sql, most=conditions.value(most + 1, "UInt64")
    )
    found = store.query_arrow(sql, conditions.values, limits=limits)
    numbers = found["Number"].to_pylist() if found.num_rows else []
    told = [(number - 1, log) for number, log in zip(numbers, log_records(found), strict=True)]
    return Page(told[:most], len(told) <= most)


def count_units(store: ProjectStore, asked: WaitingUnits, limits: QueryLimits) -> list[int]:
    """Return of each unit how many records `read_units` would return. Raises `EngineFailure`."""
    counts = [0] * len(asked.arrivals)
    for begin in range(0, len(counts), MOST_UNITS):
        some = slice(begin, begin + MOST_UNITS)
        conditions, number = _of_units(
            WaitingUnits(asked.conditions, asked.arrivals[some], asked.after[some])
        )
        sql = _COUNTS.format(number=number, where=conditions.sql)
        for row in store.query_arrow(sql, conditions.values, limits=limits).to_pylist():
            counts[begin + row["Number"] - 1] = row["Records"]
    return counts


def _of_units(waiting: WaitingUnits) -> tuple[Conditions, str]:
    """Return the conditions with those of the units, and in SQL a row's number among these (1 to n)."""
    arrivals = waiting.arrivals
    asked = Conditions([*waiting.conditions.terms], {**waiting.conditions.values})
    start, end = min(it.start for it in arrivals), max(it.end for it in arrivals)
    asked.add(log_times(asked.value(start, "Int64"), asked.value(end, "Int64"), until="<="))
    of_batches(asked, [it.unit.batch for it in arrivals])
    keys = asked.value(",".join(it.unit.key for it in arrivals), "String")
    number = f"indexOf(splitByChar(',', {keys}), {UNIT_KEY})"
    asked.add(f"{number} > 0")
    for place, row in enumerate(waiting.after, start=1):
        if row >= 0:
            asked.add(f"{number} != {place} OR BatchRow > {asked.value(row, 'UInt32')}")
    return asked, number
