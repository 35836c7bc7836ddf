"""What helps to explain a window: incidents of that time, earlier ones like it, and what users said."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from glasshouse_collector.api.insights.remembered import Remembered
from glasshouse_collector.api.problems import Problem, one_line
from glasshouse_collector.core.errors import Retryable
from glasshouse_collector.core.incidents import Incident, PastIncident
from glasshouse_collector.insights.findings import FaultKind
from glasshouse_collector.insights.priors import priors_of
from glasshouse_collector.insights.windows import Window
from glasshouse_collector.store.project_store import EVERY_PROJECT

log = logging.getLogger(__name__)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_INCIDENTS: Final = 50
_BEFORE: Final = timedelta(hours=7)
"""How long detection looks back."""
_MOST_SAID: Final = 100
_MOST_CORRECTIONS: Final = 8
_MOST_SIMILAR: Final = 3

Similar = Callable[[Sequence[str], str, str], Sequence[PastIncident]]
"""Finds earlier incidents by services (the suspect first), a kind, and the id that is not meant."""


def _none(services: Sequence[str], kind: str, other_than: str) -> Sequence[PastIncident]:
    del services, kind, other_than
    return ()


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of one project; nothing where nothing is known."""

    incidents: Sequence[Incident] = ()
    """Those that went on in the window."""
    before: Sequence[Incident] = ()
    """Those of the hours before it: their times are no normal ones."""
    priors: Mapping[tuple[str, FaultKind], float] = field(default_factory=dict)
    corrections: Sequence[str] = ()
    """What users said was the cause where insights were wrong, the latest first."""
    similar: Similar = _none
    notes: Sequence[str] = ()


def remember(remembered: Remembered, project: str, window: Window) -> Memory:
    """Return what is remembered; where the database is away nothing but a note that it is."""
    if project == EVERY_PROJECT:
        return Memory()
    try:
        return _remember(remembered, project, window)
    except (Problem, Retryable) as away:
        return Memory(notes=(f"incidents and feedback are left out: {_why(away)}",))


def remembered_priors(remembered: Remembered, project: str) -> Mapping[tuple[str, FaultKind], float]:
    """Return the factors of scores that users' feedback gives; none where the database is away."""
    try:
        return {} if project == EVERY_PROJECT else priors_of(remembered.feedback, project)
    except (Problem, Retryable) as away:
        _why(away)
        return {}


def _why(away: Problem | Retryable) -> str:
    """Return why the database does not answer, in a line that is logged too."""
    why = one_line(away.detail if isinstance(away, Problem) else away)
    log.warning("insights go without what is remembered: %s", why)
    return why


def _remember(remembered: Remembered, project: str, window: Window) -> Memory:
    incidents, feedback = remembered.incidents, remembered.feedback
    since, until = (_EPOCH + timedelta(microseconds=it // 1000) for it in (window.start, window.end))
    said = (each.given for each in feedback.list(project, limit=_MOST_SAID))
    corrections = [it.correction for it in said if it.correction and it.rating < 0]

    def similar(services: Sequence[str], kind: str, other_than: str) -> Sequence[PastIncident]:
        try:
            return incidents.similar(project, services, kind, _MOST_SIMILAR, other_than=other_than)
        except Retryable as away:
            log.warning("insights go without similar incidents: %s", away)
            return ()

    return Memory(
        incidents=incidents.list(project, since=since, until=until, limit=_MOST_INCIDENTS),
        before=incidents.list(project, since=since - _BEFORE, until=since, limit=_MOST_INCIDENTS),
        priors=priors_of(feedback, project),
        corrections=corrections[:_MOST_CORRECTIONS],
        similar=similar,
    )
