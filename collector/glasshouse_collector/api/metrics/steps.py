"""The steps of time that a metric is told in."""

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import numpy as np
import numpy.typing as npt

from glasshouse_collector.api.logs.counting import step_for
from glasshouse_collector.api.metrics.body import MOST_STEPS, MOST_VALUES, OverTime
from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.time_range import TimeRange, parse_time
from glasshouse_collector.api.times import rfc3339

SECOND: Final = 10**9
_UNITS: Final = {"s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND}
_LATEST: Final = 2**63 - 1 - 400 * 86_400 * SECOND
"""Room for the steps and the points beyond them in 64 bits of nanoseconds."""


@dataclass(frozen=True, slots=True)
class Steps:
    """`count` steps of `length` nanoseconds from `start` on, which is a multiple of the length."""

    start: int
    length: int
    count: int

    @property
    def end(self) -> int:
        """Where the last one ends, nanoseconds since the Unix epoch."""
        return self.start + self.length * self.count

    def times(self) -> list[str]:
        """Return when each begins."""
        return [rfc3339(self.start + self.length * number) for number in range(self.count)]

    def empty(self, series: int) -> npt.NDArray[np.float64]:
        """Return a row of values each series, all unknown (NaN)."""
        return np.full((series, self.count), np.nan)


def steps_of(asked: OverTime) -> Steps:
    """Return the steps that cover the range: it is widened to whole ones. Raises `Problem`."""
    now = datetime.now(UTC)
    start = parse_time("start_time", asked.start_time, now)
    end = parse_time("end_time", asked.end_time, now)
    if start >= end:
        raise _wrong("start_time: a time before end_time is expected")
    if end > _LATEST:
        raise _wrong("end_time: a time before the year 2261 is expected")
    within = TimeRange(start, end)
    length = int(asked.step[:-1]) * _UNITS[asked.step[-1]] if asked.step else step_for(within, asked.steps)
    first, last = start // length, (end - 1) // length
    count = last - first + 1
    if count > MOST_STEPS:
        raise _wrong(
            f"step: {count} steps of {asked.step} cover the range; at most {MOST_STEPS} are expected"
        )
    if count * asked.limit > MOST_VALUES:
        raise _wrong(f"limit: at most {MOST_VALUES // count} series of {count} steps are expected")
    if (last + 1) * length > _LATEST:
        raise _wrong("step: a shorter one is expected")
    return Steps(first * length, length, count)


def filled(values: npt.NDArray[np.float64], fill: str) -> npt.NDArray[np.float64]:
    """Return the rows with their unknown values filled as `OverTime.fill` says.

    Nothing is made up before the first value of a row, nor after the last by a line.
    """
    if fill == "zero":
        return np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
    if fill == "null" or not values.size:
        return values
    known = ~np.isnan(values)
    places = np.arange(values.shape[1])
    if fill == "previous":
        before = np.maximum.accumulate(np.where(known, places, -1), axis=1)
        taken = np.take_along_axis(values, np.maximum(before, 0), axis=1)
        return np.where(before >= 0, taken, np.nan)
    return np.vstack(
        [
            np.interp(places, places[told], row[told], left=np.nan, right=np.nan) if told.any() else row
            for row, told in zip(values, known, strict=True)
        ]
    )


def tidy(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the values to 12 digits: sums of parts differ in the last ones from one run to the next."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = 10.0 ** (11 - np.floor(np.log10(np.abs(values))))
        rounded = np.round(values * scale) / scale
    return np.where(np.isfinite(rounded), rounded, values)


def _wrong(detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, detail)
