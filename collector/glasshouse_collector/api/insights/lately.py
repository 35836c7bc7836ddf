"""Where incidents are neither kept nor found: which minutes stand out most, or at least the last ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from glasshouse_collector.insights.detection.judging import LEAST_NORMAL
from glasshouse_collector.insights.windows import SECOND, Window
from glasshouse_collector.store import ProjectStore, QueryLimits

MINUTE: Final = 60 * SECOND
LONGEST: Final = 30
"""Minutes of an incident that are analysed: its beginning shows best what it comes from."""
SHORT: Final = 30
"""Minutes of telemetry below which detection may be blind: what was normal must come before what was not."""
_LAST: Final = 5
"""Minutes that are compared with those before them where nothing else says which ones to look at."""
_LEAST_BEFORE: Final = 2
_HISTORY: Final = 75
_MOST_SERVICES: Final = 100
_SURE: Final = 12.0
"""Nats by which more errors are likelier than chance: thousands of stretches of minutes are tried."""
_MORE: Final = 2.0
_COUNTS: Final = """
SELECT toInt64(intDiv(toUnixTimestamp(Minute), 60)) AS Number, toString(ServiceName) AS Service,
    toInt64(sum(Calls)) AS Calls, toInt64(sum(Errors)) AS Errors
FROM glasshouse_operations WHERE Minute >= toDateTime({first:Int64}) AND Minute < toDateTime({last:Int64})
GROUP BY Number, Service
UNION ALL
SELECT toInt64(intDiv(toUnixTimestamp(Minute), 60)) AS Number, '' AS Service,
    toInt64(sum(Records)) AS Calls, toInt64(sum(Errors)) AS Errors
FROM glasshouse_log_counts WHERE Minute >= toDateTime({first:Int64}) AND Minute < toDateTime({last:Int64})
GROUP BY Number
"""
_NOTHING: Final = """
SELECT (SELECT count() FROM glasshouse_operations WHERE Minute >= toDateTime({first:Int64})
        AND Minute <= toDateTime({last:Int64}))
    + (SELECT count() FROM glasshouse_log_counts WHERE Minute >= toDateTime({first:Int64})
        AND Minute <= toDateTime({last:Int64})) AS Found
"""

_Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lately:
    """What is to be analysed (None: nothing), whether normal times are known, and why these minutes.

    `minutes` are those with telemetry in the last 75.
    """

    minutes: int
    window: Window | None
    note: str = ""
    failing: bool = False
    """Whether errors are why."""

    @property
    def short(self) -> bool:
        """Whether there is too little telemetry to know what is usual."""
        return self.minutes < SHORT


def has_telemetry(store: ProjectStore, window: Window, limits: QueryLimits) -> bool:
    """Tell whether spans or log records of the window's minutes are kept; raises `EngineFailure`."""
    asked = {"first": window.start // MINUTE * 60, "last": min(window.end // SECOND, 2**32 - 1)}
    [row] = store.query_arrow(_NOTHING, asked, limits=limits).to_pylist()
    return bool(row["Found"])


def read_lately(store: ProjectStore, window: Window, limits: QueryLimits) -> Lately:
    """Return which minutes of the window to compare with those before them; raises `EngineFailure`.

    With little telemetry: those in which errors of a service were most surprisingly many, else the last
    five. With enough of it, errors must be many up to its end: the rest was judged by detection.
    """
    last = -(-window.end // MINUTE)
    asked = {"first": max(0, last - _HISTORY) * 60, "last": last * 60}
    rows = store.query_arrow(_COUNTS, asked, limits=limits).to_pylist()
    if not rows:
        return Lately(0, None)
    minutes = np.unique(np.array([row["Number"] for row in rows], np.int64))
    short = len(minutes) < SHORT
    best = (_SURE, 0, 0)
    begun = int(np.searchsorted(minutes, window.start // MINUTE, side="right"))
    least_end = max(begun, 0 if short else len(minutes) - 1)
    for calls, errors in _by_service(rows, minutes):
        best = max(best, _most_surprising(calls, errors, least_end))
    _, first, end = best
    if end:
        note = _few(len(minutes)) if short else ""
        return Lately(len(minutes), _within(minutes, first, end, window), note, failing=True)
    if not short:
        return Lately(len(minutes), None)
    if len(minutes) >= _LAST + _LEAST_BEFORE:
        note = f"{_few(len(minutes))}: the last {_LAST} of them were compared with those before"
        return Lately(len(minutes), _within(minutes, len(minutes) - _LAST, len(minutes), window), note)
    failing = [row["Number"] for row in rows if row["Errors"]]
    if not failing:
        return Lately(len(minutes), None, _few(len(minutes)))
    since = int(np.searchsorted(minutes, min(failing)))
    note = f"{_few(len(minutes))}: what fails is told, whether that is unusual is not known"
    return Lately(len(minutes), _within(minutes, since, len(minutes), window), note, failing=True)


def _few(minutes: int) -> str:
    there = "there is 1 minute" if minutes == 1 else f"there are {minutes} minutes"
    needed = f", and {LEAST_NORMAL} are needed to know what is usual" if minutes < LEAST_NORMAL else ""
    return f"{there} of telemetry only{needed}"


def _by_service(rows: Sequence[dict[str, Any]], minutes: _Counts) -> Iterator[tuple[_Counts, _Counts]]:
    """Yield the calls and the errors a minute of the services with the most errors."""
    services: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        services.setdefault(row["Service"], []).append(row)
    failing = sorted(services.values(), key=lambda its: -sum(row["Errors"] for row in its))
    for its in failing[:_MOST_SERVICES]:
        calls, errors = np.zeros((2, len(minutes)), np.int64)
        at = np.searchsorted(minutes, [row["Number"] for row in its])
        calls[at], errors[at] = [row["Calls"] for row in its], [row["Errors"] for row in its]
        if errors.any():
            yield calls, errors


def _most_surprising(calls: _Counts, errors: _Counts, least_end: int) -> tuple[float, int, int]:
    """Return by how much errors are more than before where that is most surprising, and from when to when."""
    made, failed = (np.concatenate([[0], np.cumsum(each)]) for each in (calls, errors))
    count = len(calls)
    best = (0.0, 0, 0)
    for first in range(_LEAST_BEFORE, count):
        for end in range(max(first + 1, least_end), min(count, first + LONGEST) + 1):
            inside = made[end] - made[first], failed[end] - failed[first]
            surprise = _surprise((int(made[first]), int(failed[first])), (int(inside[0]), int(inside[1])))
            best = max(best, (surprise, first, end))
    return best


def _surprise(before: tuple[int, int], inside: tuple[int, int]) -> float:
    """Return the log of the likelihood ratio of two rates against one, in nats; 0 where it did not rise."""
    if not before[0] or not inside[0] or inside[1] * before[0] <= _MORE * before[1] * inside[0]:
        return 0.0
    both = (before[0] + inside[0], before[1] + inside[1])
    return _fit(*before) + _fit(*inside) - _fit(*both)


def _fit(calls: int, errors: int) -> float:
    share = errors / calls
    told = errors * float(np.log(share)) if errors else 0.0
    return told + ((calls - errors) * float(np.log1p(-share)) if errors < calls else 0.0)


def _within(minutes: _Counts, first: int, end: int, window: Window) -> Window:
    """Return the time of some minutes, as far as it is in the window."""
    start, stop = int(minutes[first]) * MINUTE, (int(minutes[end - 1]) + 1) * MINUTE
    stop = min(stop, window.end)
    return Window(min(max(start, window.start), stop - 1), stop)
