"""Counts warnings and errors that are logged, by their patterns, minute by minute."""

from typing import Final

import numpy as np

from glasshouse_collector.core.incidents import INSIGHTS_SERVICE
from glasshouse_collector.insights.detection.axis import Axis
from glasshouse_collector.insights.detection.counting import MOST_SERIES, Family
from glasshouse_collector.insights.detection.judging import Change, Counted, Numbers
from glasshouse_collector.insights.detection.signals import MINUTE, SignalKind
from glasshouse_collector.patterns import Pattern, PatternQuestion, find_patterns
from glasshouse_collector.store import ProjectStore, QueryLimits

_MORE: Final = Change(up=True, factor=3.0)
_WHERE: Final = "SeverityNumber >= 13 AND ServiceName != {insights:String}"
_SEVERE: Final = frozenset({"error", "fatal"})


def read_patterns(
    store: ProjectStore, first: int, last: int, calls: tuple[Axis, Numbers], limits: QueryLimits
) -> Family | None:
    """Return how often each pattern came in the minutes from `first` and before `last`; None: there is none.

    They are held against what the whole project did (`calls`), as twice the requests log twice the
    warnings. Raises `EngineFailure`.
    """
    first = max(first, 0)
    asked = PatternQuestion(_WHERE, {"insights": INSIGHTS_SERVICE}, first * MINUTE, last * MINUTE, MINUTE)
    found = find_patterns(store, asked, limits).patterns[:MOST_SERIES]
    if not found:
        return None
    axis = Axis.of([(first, last)])
    counts = np.array([pattern.steps for pattern in found], np.float64)
    beside = np.zeros(len(axis.minutes))
    known = np.isin(calls[0].minutes, axis.minutes)
    beside[axis.columns(calls[0].minutes[known])] = calls[1][known]
    exposure = np.maximum(np.broadcast_to(beside, counts.shape), counts)
    return Family(
        SignalKind.LOG_PATTERN,
        Counted(axis.minutes, counts, exposure, shares=False),
        _MORE,
        [_service(pattern) for pattern in found],
        [pattern.template for pattern in found],
        severe=np.array([not _SEVERE.isdisjoint(pattern.levels) for pattern in found]),
    )


def _service(pattern: Pattern) -> str:
    """Return who logs it; of several, the first by name."""
    return pattern.services[0] if pattern.services else ""
