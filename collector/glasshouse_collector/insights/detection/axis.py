"""The minutes that are looked at: those in question, the hours before, the same time of other days."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from glasshouse_collector.insights.detection.judging import AROUND_DAYS, AROUND_HOURS, DAY, DAYS, HOUR, HOURS
from glasshouse_collector.insights.detection.signals import MINUTE
from glasshouse_collector.insights.windows import Window

_LATEST: Final = 2**32 // 60 - 1
"""The last minute of ClickHouse's DateTime."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Stretches of minutes, numbered since the Unix epoch, in order and apart; ends exclusive."""

    stretches: tuple[tuple[int, int], ...]
    minutes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, stretches: list[tuple[int, int]]) -> Self:
        """Return the axis of stretches that may overlap, without what no time can be."""
        joined: list[tuple[int, int]] = []
        for first, last in sorted((max(first, 0), min(last, _LATEST)) for first, last in stretches):
            if joined and first <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], last))
            elif first < last:
                joined.append((first, last))
        parts = [np.arange(first, last, dtype=np.int64) for first, last in joined]
        return cls(tuple(joined), np.concatenate(parts) if parts else np.empty(0, np.int64))

    @classmethod
    def around(cls, first: int, last: int) -> Self:
        """Return the axis to judge the minutes from `first` and before `last` by."""
        before = (first - HOURS * HOUR - AROUND_HOURS, last)
        days = [(first - day * DAY - AROUND_DAYS, last - day * DAY + AROUND_DAYS) for day in DAYS]
        return cls.of([before, *days])

    def holds(self, column: str) -> str:
        """Return SQL that demands that a time lies in one of the stretches."""
        parts = [
            f"({column} >= toDateTime({60 * first}) AND {column} < toDateTime({60 * last}))"
            for first, last in self.stretches
        ]
        return f"({' OR '.join(parts)})" if parts else "false"

    def columns(self, minutes: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
        """Return where minutes of the axis are on it."""
        return np.searchsorted(self.minutes, minutes.astype(np.int64)).astype(np.int64)


def minutes_of(window: Window) -> tuple[int, int]:
    """Return the first minute that a window touches, and the one after its last."""
    return window.start // MINUTE, -(-window.end // MINUTE)
