"""Counts log records by time and level."""

from collections import defaultdict
from typing import Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.levels import LEVELS
from glasshouse_collector.api.logs.model import LogCount, LogHistogram
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits, log_times

_SECOND: Final = 10**9
_MINUTES: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
_STEPS: Final = [
    *(seconds * _SECOND for seconds in (1, 2, 5, 10, 15, 30)),
    *(minutes * 60 * _SECOND for minutes in _MINUTES),
]
_UNSET: Final = "unset"
_CASES: Final = [f"SeverityNumber >= {lowest}, '{name}'" for name, lowest in reversed(LEVELS.items())]
_LEVEL: Final = f"multiIf({', '.join(_CASES)}, '{_UNSET}')"


def count_logs(
    store: ProjectStore, conditions: Conditions, within: TimeRange, most: int, limits: QueryLimits
) -> LogHistogram:
    """Return counts in steps of one length, at most `most` of them; raises `EngineFailure`.

    Steps begin at multiples of their length since the Unix epoch, so that the same time falls into the same
    step from one question to the next; the first and the last may lie half outside of the range.
    """
    step = step_for(within, most)
    asked = Conditions([*conditions.terms], {**conditions.values})
    asked.add(log_times(asked.value(within.start, "Int64"), asked.value(within.end, "Int64")))
    sql = (
        f"SELECT intDiv(toUnixTimestamp64Nano(Timestamp), {step}) AS step, "  # noqa: S608  (values are parameters)
        f"{_LEVEL} AS level, count() AS records FROM otel_logs WHERE {asked.sql} GROUP BY step, level"
    )
    counted: dict[int, dict[str, int]] = defaultdict(dict)
    for row in store.query_arrow(sql, asked.values, limits=limits).to_pylist():
        counted[row["step"]][row["level"]] = row["records"]
    numbers = range(within.start // step, (within.end - 1) // step + 1)
    names = [*LEVELS, _UNSET]
    return LogHistogram(
        start_time=rfc3339(within.start),
        end_time=rfc3339(within.end),
        step_seconds=step // _SECOND,
        total=sum(sum(levels.values()) for levels in counted.values()),
        steps=[
            LogCount(
                time=rfc3339(number * step),
                counts={name: counted[number][name] for name in names if name in counted.get(number, {})},
            )
            for number in numbers
        ],
    )


def step_for(within: TimeRange, most: int) -> int:
    """Return a length in nanoseconds that people count in, of which at most `most` cover the range."""
    for step in _STEPS:
        if _steps(within, step) <= most:
            return step
    day = _STEPS[-1]
    days = 1
    while _steps(within, days * day) > most:
        days *= 2
    return days * day


def _steps(within: TimeRange, step: int) -> int:
    return (within.end - 1) // step - within.start // step + 1
