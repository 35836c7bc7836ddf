"""Chooses normal times to compare an incident with: just before it, and the same minutes of earlier days."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from glasshouse_collector.insights.detection.axis import Axis, minutes_of
from glasshouse_collector.insights.detection.signals import MINUTE
from glasshouse_collector.insights.windows import Question, Window
from glasshouse_collector.store import ProjectStore, QueryLimits

_LOOKED_BACK: Final = 6 * 60
"""Minutes before the incident that are looked through for normal ones."""
_LEAST: Final = 10
_MOST: Final = 60
"""Minutes just before: as long as the incident, but within these."""
_DAYS: Final = (1, 7)
_DAY: Final = 24 * 60
MOST_WINDOWS: Final = 4
_BUSY: Final = """
SELECT DISTINCT toUInt32(intDiv(toUnixTimestamp(Minute), 60)) AS Minute FROM (
    SELECT Minute FROM glasshouse_operations WHERE {when}
    UNION ALL SELECT Minute FROM glasshouse_log_counts WHERE {when})
"""


def question_for(
    store: ProjectStore, incident: Window, limits: QueryLimits, others: Sequence[Window] = ()
) -> Question:
    """Return the question of an incident's window; `others` are times in which something was wrong too.

    The last minute before it is left out where there are enough, as it may be the beginning. Where nothing
    is known of the time before, there is no baseline. Raises `EngineFailure`.
    """
    first, last = minutes_of(incident)
    days = [(first - day * _DAY, last - day * _DAY) for day in _DAYS if last - first <= _DAY]
    axis = Axis.of([(first - _LOOKED_BACK, first), *days])
    rows = store.query_arrow(_BUSY.format(when=axis.holds("Minute")), limits=limits)
    busy = {int(minute) for minute in np.asarray(rows["Minute"])} if rows.num_columns else set()
    for other in others:
        busy -= set(range(*minutes_of(other)))
    before = sorted(minute for minute in busy if first - _LOOKED_BACK <= minute < first)
    wanted = min(max(last - first, _LEAST), _MOST)
    if len(before) > wanted // 2 and before[-1] == first - 1:
        before.pop()
    found = _windows(before[-wanted:])[-MOST_WINDOWS:]
    for begin, end in days:
        same = range(begin, end)
        if end <= first - _LOOKED_BACK and 2 * sum(minute in busy for minute in same) >= len(same):
            found.append(Window(begin * MINUTE, end * MINUTE))
    return Question(incident, tuple(found[-MOST_WINDOWS:]))


def _windows(minutes: Sequence[int]) -> list[Window]:
    """Return the stretches that minutes in order make."""
    stretches: list[list[int]] = []
    for minute in minutes:
        if stretches and stretches[-1][1] == minute:
            stretches[-1][1] = minute + 1
        else:
            stretches.append([minute, minute + 1])
    return [Window(begin * MINUTE, end * MINUTE) for begin, end in stretches]
