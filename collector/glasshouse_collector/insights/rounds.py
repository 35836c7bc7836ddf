"""What the job does with a project: looks at its minutes, keeps incidents, has them analysed."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from glasshouse_collector.control.feedback import Feedback
from glasshouse_collector.control.incidents import Incidents
from glasshouse_collector.core.access import SELF_PROJECT
from glasshouse_collector.core.incidents import Incident
from glasshouse_collector.insights.analysis import analyse
from glasshouse_collector.insights.baselines import question_for
from glasshouse_collector.insights.detection import detect
from glasshouse_collector.insights.detection.axis import minutes_of
from glasshouse_collector.insights.detection.grouping import moment, nanoseconds, window_of
from glasshouse_collector.insights.detection.signals import MINUTE
from glasshouse_collector.insights.findings import FaultKind
from glasshouse_collector.insights.priors import priors_of
from glasshouse_collector.insights.thinking import explained, is_rethought, looked_until, rethought
from glasshouse_collector.insights.windows import Window
from glasshouse_collector.store import ProjectStore, QueryLimits, Store
from glasshouse_collector.store.project_store import EVERY_PROJECT

CAUGHT_UP: Final = 10
"""Minutes that are looked at again where a round was missed."""
REMEMBERED: Final = timedelta(hours=8)
"""Incidents that ended longer ago do not matter to what is normal now."""
LONGEST_ANALYSED: Final = 30 * MINUTE
"""Of an incident: its beginning shows best what it comes from."""
_AGAIN_AFTER: Final = 3 * MINUTE
"""An analysis is made once more with so much more to look at, within the first minutes."""
_EARLY: Final = 6 * MINUTE
_MOST_KNOWN: Final = 500
_LATELY: Final = 30
_PROJECTS: Final = """
SELECT Project, toInt64(intDiv(toUnixTimestamp(max(Minute)), 60)) AS Newest FROM (
    SELECT Project, Minute FROM glasshouse_operations WHERE Minute >= toDateTime({since:UInt32})
    UNION ALL SELECT Project, Minute FROM glasshouse_log_counts WHERE Minute >= toDateTime({since:UInt32}))
GROUP BY Project
"""

Priors = Mapping[tuple[str, FaultKind], float]


class Rounds:
    """One collector's look at projects; every method blocks.

    `mark` names the job's queries, so that they can be cancelled.
    """

    def __init__(
        self, store: Store, incidents: Incidents, feedback: Feedback, limits: QueryLimits, mark: str
    ) -> None:
        self._store = store
        self._incidents = incidents
        self._feedback = feedback
        self._limits = limits
        self._mark = mark

    def projects(self, last: int, named: Sequence[str] = ()) -> dict[str, int]:
        """Return whose minutes are to be looked at, each up to which (exclusive): `last`, or before.

        They are those that are `named`; else all whose telemetry came lately, or whose incidents are open,
        but our own. While a project's newest records are older than that, what is on its way is waited
        for, for half an hour.
        """
        everyone = self._store.of_project(EVERY_PROJECT, self._mark)
        since = max(last - _LATELY, 0) * 60
        rows = everyone.query_arrow(_PROJECTS, {"since": since}, limits=self._limits).to_pylist()
        found = dict.fromkeys(self._incidents.open_projects(), last)
        found |= {row["Project"]: min(last, row["Newest"]) for row in rows}
        wanted = named or sorted(found.keys() - {SELF_PROJECT})
        return {project: found.get(project, last) for project in wanted}

    def look(self, project: str, first: int, last: int, still: Callable[[], bool]) -> list[Incident]:
        """Look at the minutes from `first` and before `last`, and keep the incidents that changed.

        Returns those that began or ended.

        `still` is asked before anything is kept: what another collector looks at by now is not ours.
        Raises `EngineFailure`, `Retryable`.
        """
        known = self._known(project, moment(first * MINUTE))
        window = Window(first * MINUTE, last * MINUTE)
        changed = detect(self._view(project), window, self._limits, known)
        if not still():
            return []
        old = {incident.id: incident.status for incident in known}
        for incident in changed:
            if incident.id in old or not self._incidents.add(incident):
                self._incidents.update(incident)
        return [incident for incident in changed if old.get(incident.id) != incident.status]

    def waiting(self, project: str, now: datetime) -> list[Incident]:
        """Return the incidents that are to be analysed: new ones, and young ones that went on."""
        lately = self._incidents.list(project, since=now - timedelta(minutes=_LATELY), limit=_MOST_KNOWN)
        return [incident for incident in lately if _is_to_be_analysed(incident)]

    def analyse(self, incident: Incident) -> Incident:
        """Have an incident analysed, keep it with what was found, and return it.

        Raises whatever the analysis does.
        """
        view, window = self._view(incident.project), _analysed(incident)
        known = self._known(incident.project, incident.started_at)
        others = [window_of(other) for other in known if other.id != incident.id]
        question = question_for(view, window, self._limits, others)
        priors = priors_of(self._feedback, incident.project)
        analysis = analyse(view, question, self._limits, priors)
        told = self._incidents.was_told(incident)
        found = rethought(incident, analysis, known) if told else explained(incident, analysis)
        if is_rethought(found) and not is_rethought(incident):
            self._incidents.rethink(found)
        else:
            self._incidents.update(found)
        return found

    def _known(self, project: str, before: datetime) -> Sequence[Incident]:
        return self._incidents.list(project, since=before - REMEMBERED, limit=_MOST_KNOWN)

    def _view(self, project: str) -> ProjectStore:
        return self._store.of_project(project, self._mark)


def _is_to_be_analysed(incident: Incident) -> bool:
    if not incident.answer:
        return True
    wanted, done = _analysed(incident), nanoseconds(looked_until(incident))
    return done < wanted.start + _EARLY and wanted.end - done >= _AGAIN_AFTER


def _analysed(incident: Incident) -> Window:
    """Return what is analysed of it: whole minutes, the first half hour at most."""
    window = window_of(incident)
    first, last = minutes_of(window)
    return Window(first * MINUTE, min(max(last, first + 1) * MINUTE, first * MINUTE + LONGEST_ANALYSED))
