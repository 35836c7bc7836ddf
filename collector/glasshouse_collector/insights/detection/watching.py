"""Watches a project minute by minute: what was strange in it, and which incidents that makes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from glasshouse_collector.core.incidents import Incident
from glasshouse_collector.insights.detection.axis import Axis, minutes_of
from glasshouse_collector.insights.detection.counting import Activity, Family, read_activity
from glasshouse_collector.insights.detection.grouping import Grouping, nanoseconds
from glasshouse_collector.insights.detection.judging import (
    HOUR,
    HOURS,
    JUDGED,
    Strange,
    Truths,
    judge,
    needed,
)
from glasshouse_collector.insights.detection.logged import read_patterns
from glasshouse_collector.insights.detection.neighbours import read_callers
from glasshouse_collector.insights.detection.shifts import read_shifts
from glasshouse_collector.insights.detection.signals import MINUTE, Signal
from glasshouse_collector.insights.windows import Window
from glasshouse_collector.store import ProjectStore, QueryLimits

_MOST_ROWS: Final = 5_000_000
"""Of counts by series and minute, which nobody is shown."""
_LEAST_BEFORE: Final = 75
"""Minutes of logs that are read at first: an hour to compare with, and what is left out between."""


def detect(
    store: ProjectStore, window: Window, limits: QueryLimits, known: Sequence[Incident] = ()
) -> tuple[Incident, ...]:
    """Return the incidents that are new, or have grown or ended, in the whole minutes of a window.

    Each minute is judged as if it were the last one; one that the window ends in is not over, and is not.
    `known` are those that are open, and those that ended in the seven hours before: their times are no
    normal ones, and they go on where something is wrong with the same services again. Raises
    `EngineFailure`.
    """
    first, last = window.start // MINUTE, window.end // MINUTE
    enough = replace(limits, rows=max(limits.rows, _MOST_ROWS))
    return _Watch(store, first, last, enough, known).changes() if first < last else ()


class _Watch:
    """One look at some minutes of a project."""

    def __init__(
        self, store: ProjectStore, first: int, last: int, limits: QueryLimits, known: Sequence[Incident]
    ) -> None:
        self._store = store
        self._first, self._last = max(first, 0), last
        self._limits = limits
        self._grouping = Grouping(
            store.project, known, lambda minute: read_callers(store, minute, self._limits)
        )
        self._axis = Axis.around(self._first, self._last)

    def changes(self) -> tuple[Incident, ...]:
        """Return what has changed."""
        activity = read_activity(self._store, self._axis, self._usual(), self._limits)
        calls = (self._axis, activity.whole)
        early = self._first - _LEAST_BEFORE
        logs = read_patterns(self._store, early, self._last, calls, self._limits)
        if logs is not None and self._any_strange(logs, activity):
            # What is logged every hour is new to who looks back an hour.
            early = self._first - HOURS * HOUR - JUDGED
            logs = read_patterns(self._store, early, self._last, calls, self._limits)
        families = [*activity.families, *([logs] if logs is not None else [])]
        surprise = _needed(families)
        for minute in range(self._first, self._last):
            column = np.searchsorted(self._axis.minutes, minute)
            if column < len(activity.whole) and activity.whole[column] > 0:
                self._grouping.absorb(minute, self._signals(families, minute, activity, surprise))
            else:
                self._grouping.pass_over(minute)
        self._add_shifts()
        return tuple(self._grouping.changed)

    def _any_strange(self, logs: Family, activity: Activity) -> bool:
        surprise = _needed([*activity.families, logs])
        minutes = range(self._first, self._last)
        return any(self._signals([logs], minute, activity, surprise) for minute in minutes)

    def _signals(
        self, families: Sequence[Family], minute: int, activity: Activity, surprise: float
    ) -> list[Signal]:
        found = []
        known: dict[int, Truths] = {}
        for family in families:
            minutes = family.counted.minutes
            if id(minutes) not in known:
                known[id(minutes)] = self._normal(family, activity)
            strange = judge(family.counted, minute, known[id(minutes)], family.change, surprise)
            if strange is not None:
                found += _told(family, strange)
        return found

    def _normal(self, family: Family, activity: Activity) -> Truths:
        """Return which minutes may be compared with: something was going on, and nothing was wrong."""
        minutes = family.counted.minutes
        column = np.minimum(np.searchsorted(self._axis.minutes, minutes), len(self._axis.minutes) - 1)
        normal: Truths = (activity.whole[column] > 0) & (self._axis.minutes[column] == minutes)
        for strange in self._grouping.strange_times:
            first, last = minutes_of(strange)
            normal &= (minutes < first) | (minutes >= last)
        return normal

    def _usual(self) -> str:
        """Return SQL for the minutes of which usual durations are taken: those before, without incidents."""
        parts = [f"Minute < toDateTime({60 * max(self._first - JUDGED, 0)})"]
        for strange in self._grouping.strange_times:
            first, last = minutes_of(strange)
            parts.append(f"NOT (Minute >= toDateTime({60 * first}) AND Minute < toDateTime({60 * last}))")
        return " AND ".join(parts)

    def _add_shifts(self) -> None:
        """Say which gauges of the services shifted, of incidents that began just now."""
        for incident in self._grouping.changed:
            since, until = nanoseconds(incident.started_at), nanoseconds(incident.last_seen_at)
            if incident.status == "open" and not incident.answer and since >= (self._first - HOUR) * MINUTE:
                found = read_shifts(self._store, incident.services, since, until, self._limits)
                if found:
                    self._grouping.add(incident.id, found)


def _needed(families: Sequence[Family]) -> float:
    return needed(sum(family.counted.series for family in families))


def _told(family: Family, strange: Strange) -> list[Signal]:
    return [
        Signal(
            family.kind,
            family.services[row],
            family.operations[row],
            since=int(strange.since[place]) * MINUTE,
            until=(int(strange.last[place]) + 1) * MINUTE,
            surprise=float(strange.surprise[place]),
            before=float(strange.before[place]),
            after=float(strange.after[place]),
            events=float(strange.events[place]),
            bound=int(family.bounds[row]) if family.bounds is not None else 0,
            at_entry=bool(family.entries[row]) if family.entries is not None else False,
            severe=bool(family.severe[row]) if family.severe is not None else False,
        )
        for place, row in enumerate(strange.rows)
    ]
