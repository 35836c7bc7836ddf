"""Reads errors, exceptions by service, type and place, from the store."""

from dataclasses import dataclass
from typing import Any, Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.errors.cursor import ErrorCursor
from glasshouse_collector.api.errors.groups import read_groups
from glasshouse_collector.api.errors.model import ErrorDetails, ErrorPage, Sort, Source
from glasshouse_collector.api.errors.occurrences import read_occurrences
from glasshouse_collector.api.errors.rows import exceptions
from glasshouse_collector.api.logs.counting import step_for
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_STEPS: Final = 60
_SECOND: Final = 10**9
_ORDER: Final[dict[Sort, tuple[str, str]]] = {
    "count": ("Count", "DESC"),
    "last_seen": ("Last", "DESC"),
    "first_seen": ("First", "ASC"),
    "new": ("First", "DESC"),
}


@dataclass(frozen=True, slots=True)
class ErrorQuestion:
    """Which errors are asked for: conditions on exceptions, a range of time, an order, and from where on."""

    conditions: Conditions
    source: Source | None
    range: TimeRange
    sort: Sort
    limit: int
    fingerprint: str = ""
    after: ErrorCursor | None = None


def read_page(store: ProjectStore, asked: ErrorQuestion, limits: QueryLimits) -> ErrorPage:
    """Return errors, at most `asked.limit`; raises `EngineFailure`."""
    rows = _counted(store, asked, limits)
    listed = rows[: asked.limit]
    step = step_for(asked.range, MOST_STEPS)
    value = _ORDER[asked.sort][0]
    more = len(rows) > asked.limit
    return ErrorPage(
        errors=read_groups(store, asked.conditions, asked.source, asked.range, step, listed, limits),
        next_cursor=ErrorCursor(
            asked.range, listed[-1][value], listed[-1]["ErrorId"], asked.fingerprint
        ).written()
        if more
        else None,
        step_seconds=step // _SECOND,
        trend_start_time=rfc3339(asked.range.start // step * step),
        start_time=rfc3339(asked.range.start),
        end_time=rfc3339(asked.range.end),
    )


def read_error(
    store: ProjectStore, error: int, within: TimeRange, most: int, limits: QueryLimits
) -> ErrorDetails | None:
    """Return one error and its last occurrences; None where it did not occur. Raises `EngineFailure`."""
    alone = Conditions()
    alone.add(f"ErrorId = {alone.value(error, 'UInt64')}")
    rows = _counted(store, ErrorQuestion(alone, None, within, "count", 1), limits)
    if not rows:
        return None
    step = step_for(within, MOST_STEPS)
    [group] = read_groups(store, alone, None, within, step, rows, limits)
    return ErrorDetails(
        error=group,
        occurrences=read_occurrences(store, alone, within, most, limits),
        step_seconds=step // _SECOND,
        trend_start_time=rfc3339(within.start // step * step),
        start_time=rfc3339(within.start),
        end_time=rfc3339(within.end),
    )


def _counted(store: ProjectStore, asked: ErrorQuestion, limits: QueryLimits) -> list[dict[str, Any]]:
    """Return id, count, first and last time of each error, in the order that is asked for.

    Events and log records of one span are counted apart, and the more of the two hold: an exception that
    is told by both is one, and a span that raises ten times has ten.
    """
    rows = exceptions(
        asked.conditions,
        asked.range,
        asked.source,
        "ErrorId, Occurrence, toUnixTimestamp64Nano(Time) AS Nanos",
    )
    value, direction = _ORDER[asked.sort]
    told = Conditions([], {**rows.conditions.values})
    if asked.sort == "new":
        told.add(f"First >= {told.value(asked.range.start, 'Int64')}")
    if asked.after:
        place = f"({told.value(asked.after.value, 'Int64')}, {told.value(asked.after.error, 'UInt64')})"
        told.add(f"(toInt64({value}), ErrorId) {'<' if direction == 'DESC' else '>'} {place}")
    sql = f"""
        SELECT ErrorId, Count, Last, if(Known = 0, Earliest, least(Known, Earliest)) AS First
        FROM
            (SELECT ErrorId, sum(greatest(Events, Records)) AS Count,
                 max(Latest) AS Last, min(Soonest) AS Earliest
             FROM (SELECT ErrorId, Occurrence, countIf(NOT OfLog) AS Events, countIf(OfLog) AS Records,
                       min(Nanos) AS Soonest, max(Nanos) AS Latest
                   FROM ({rows.sql}) GROUP BY ErrorId, Occurrence)
             GROUP BY ErrorId) AS Counted
        LEFT JOIN
            (SELECT ErrorId, toUnixTimestamp64Nano(min(FirstSeen)) AS Known
             FROM glasshouse_errors_first_seen GROUP BY ErrorId) AS Remembered
        USING (ErrorId)
        WHERE {told.sql}
        ORDER BY {value} {direction}, ErrorId {direction}
        LIMIT {told.value(asked.limit + 1, "UInt64")}
    """  # noqa: S608  (our own names; values are parameters)
    found: list[dict[str, Any]] = store.query_arrow(sql, told.values, limits=limits).to_pylist()
    return found
