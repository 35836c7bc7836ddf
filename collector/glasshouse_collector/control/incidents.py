"""Incidents, kept: those that are open, and those that were."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Index, Select, String, Text, and_, cast, column, delete, or_, select, table
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from glasshouse_collector.control.database import Database
from glasshouse_collector.control.models import MOST_DESCRIPTION, MOST_NAME, Base, utc_now
from glasshouse_collector.core.incidents import Incident, IncidentStatus, PastIncident, Severity

KEPT: Final = timedelta(days=400)
"""How long those that ended are kept."""
MOST_FINGERPRINT: Final = 1000
_COMPARED: Final = 500
"""The latest ones, among which similar ones are looked for."""
_SAME_ROOT, _SAME_KIND, _SAME_SERVICES = 0.4, 0.4, 0.2
"""What a likeness is made of; they sum up to 1."""
_FEEDBACK: Final = table(
    "insight_feedback",
    *map(column, ("id", "project_id", "incident_id", "correction", "service", "kind")),
)


_RETHOUGHT: Final = "anew"


class IncidentRow(Base):
    """One incident; `told` is the status that its project was last told of in a log record.

    It is `anew` where another cause is found than was told. `alerted` are the labels of its alert.
    """

    __tablename__ = "incidents"
    __table_args__ = (
        Index("ix_incidents_project_id_started_at", "project_id", "started_at"),
        Index("ix_incidents_project_id_status", "project_id", "status"),
    )

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    project_id: Mapped[str] = mapped_column(String(MOST_NAME))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(8))
    severity: Mapped[str] = mapped_column(String(8))
    title: Mapped[str] = mapped_column(String(MOST_DESCRIPTION))
    services: Mapped[list[str]]
    signals: Mapped[list[str]]
    answer: Mapped[dict[str, Any]]
    fingerprint: Mapped[str] = mapped_column(String(MOST_FINGERPRINT))
    told: Mapped[str] = mapped_column(String(8), default="")
    alerted: Mapped[dict[str, Any] | None]


class Incidents:
    """The incidents of one database; its methods block, and raise `Retryable` where it is away."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    def add(self, incident: Incident) -> bool:
        """Keep a new one; False where one with its id is there already. Forgets what is long ended."""
        row = IncidentRow(id=incident.id, told="", **_columns(incident))
        try:
            with self._database.session() as session:
                session.execute(delete(IncidentRow).where(IncidentRow.ended_at < self._now() - KEPT))
                session.add(row)
        except IntegrityError:
            return False
        return True

    def update(self, incident: Incident) -> None:
        """Keep what has become of one; nothing where it is not there."""
        with self._database.session() as session:
            row = session.get(IncidentRow, incident.id, with_for_update=True)
            if row is not None and row.project_id == incident.project:
                for name, value in _columns(incident).items():
                    setattr(row, name, value)

    def was_told(self, incident: Incident) -> bool:
        """Tell whether its project was told of it, or Alertmanager."""
        with self._database.session() as session:
            row = session.get(IncidentRow, incident.id)
            return row is not None and bool(row.told or row.alerted)

    def rethink(self, incident: Incident) -> None:
        """Keep one of which another cause is thought than was told: its project is told once more."""
        self.update(incident)
        with self._database.session() as session:
            row = session.get(IncidentRow, incident.id, with_for_update=True)
            if row is not None and row.told:
                row.told = _RETHOUGHT

    def alerted(self, incident: Incident, labels: Mapping[str, str]) -> Mapping[str, str]:
        """Return the labels that its alert has: those that were kept first, by whichever collector.

        What is resolved, and nobody was alerted of, has none, and keeps none.
        """
        with self._database.session() as session:
            row = session.get(IncidentRow, incident.id, with_for_update=True)
            if row is None or (row.alerted is None and incident.status == "resolved"):
                return {}
            if row.alerted is None:
                row.alerted = dict(labels)
            return dict(row.alerted)

    def get(self, project: str, incident_id: str) -> Incident | None:
        """Return one of a project's, None where there is none."""
        with self._database.session() as session:
            row = session.get(IncidentRow, incident_id)
            return _incident(row) if row is not None and row.project_id == project else None

    def list(  # noqa: PLR0913  (conditions, each by its name)
        self,
        project: str,
        status: IncidentStatus | None = None,
        since: datetime | None = None,
        limit: int = 100,
        *,
        until: datetime | None = None,
        service: str = "",
        before: tuple[datetime, str] | None = None,
    ) -> Sequence[Incident]:
        """Return a project's, those that started last first.

        `since` and `until`: those that went on at some time between them. `before` is where a page
        goes on: `started_at` and id of the last one of the page before.
        """
        wanted = select(IncidentRow).where(IncidentRow.project_id == project)
        if status is not None:
            wanted = wanted.where(IncidentRow.status == status)
        if since is not None:
            wanted = wanted.where(or_(IncidentRow.ended_at.is_(None), IncidentRow.ended_at >= since))
        if until is not None:
            wanted = wanted.where(IncidentRow.started_at < until)
        if service:
            as_json = json.dumps(service)
            wanted = wanted.where(cast(IncidentRow.services, Text).contains(as_json, autoescape=True))
        if before is not None:
            moment, incident_id = before
            earlier = and_(IncidentRow.started_at == moment, IncidentRow.id < incident_id)
            wanted = wanted.where(or_(IncidentRow.started_at < moment, earlier))
        return self._read(_latest_first(wanted).limit(limit))

    def open_projects(self) -> Sequence[str]:
        """Return the projects that have one that is open."""
        of_open = select(IncidentRow.project_id).where(IncidentRow.status == "open").distinct()
        with self._database.session() as session:
            return sorted(session.scalars(of_open))

    def untold(self, project: str) -> Sequence[Incident]:
        """Return those whose status the project was not told of yet, the oldest first."""
        wanted = select(IncidentRow).where(
            IncidentRow.project_id == project, IncidentRow.told != IncidentRow.status
        )
        return self._read(wanted.order_by(IncidentRow.started_at, IncidentRow.id).limit(_COMPARED))

    def told(self, incident: Incident) -> bool:
        """Note that the project was told of its status; True where it was told of nothing before."""
        with self._database.session() as session:
            row = session.get(IncidentRow, incident.id, with_for_update=True)
            if row is None:
                return False
            first, row.told = not row.told, incident.status
            return first

    def similar(
        self, project: str, services: Collection[str], kind: str, limit: int = 3, *, other_than: str = ""
    ) -> Sequence[PastIncident]:
        """Return earlier ones that ended, the most alike first, with what was found to be their cause.

        Alike are the service and the kind of the cause (`services` has the suspect first), and the
        services that were touched. Nothing is similar that shares neither.
        """
        ended = (IncidentRow.project_id == project, IncidentRow.status == "resolved")
        found = self._read(_latest_first(select(IncidentRow).where(*ended)).limit(_COMPARED))
        rated = [(_likeness(past, list(services), kind), past) for past in found if past.id != other_than]
        best = sorted((each for each in rated if each[0] > _SAME_SERVICES), key=lambda each: -each[0])[:limit]
        corrections = self._corrections(project, [past.id for _, past in best])
        return [
            PastIncident(past, corrections.get(past.id) or _found(past), round(likeness, 3))
            for likeness, past in best
        ]

    def _read(self, wanted: Select[tuple[IncidentRow]]) -> Sequence[Incident]:
        with self._database.session() as session:
            return [_incident(row) for row in session.scalars(wanted)]

    def _corrections(self, project: str, ids: Sequence[str]) -> dict[str, str]:
        """Return what users said was the cause, by incident: the last word of each."""
        of_them = (_FEEDBACK.c.project_id == project, _FEEDBACK.c.incident_id.in_(ids))
        with self._database.session() as session:
            rows = session.execute(select(_FEEDBACK).where(*of_them).order_by(_FEEDBACK.c.id)).all()
        return {
            row.incident_id: said
            for row in rows
            if (said := row.correction or " in ".join(filter(None, (row.kind, row.service))))
        }


def _latest_first(wanted: Select[tuple[IncidentRow]]) -> Select[tuple[IncidentRow]]:
    return wanted.order_by(IncidentRow.started_at.desc(), IncidentRow.id.desc())


def _likeness(past: Incident, services: Sequence[str], kind: str) -> float:
    root, _, rest = past.fingerprint.partition("|")
    same_root = bool(services) and root == services[0]
    both, either = set(past.services) & set(services), set(past.services) | set(services)
    return (
        _SAME_ROOT * same_root
        + _SAME_KIND * (bool(kind) and rest.partition("|")[0] == kind)
        + _SAME_SERVICES * (len(both) / len(either) if either else 0)
    )


def _found(past: Incident) -> str:
    """Return the cause that the analysis found."""
    causes = past.answer.get("root_causes") or []
    if not causes:
        return past.title
    cause = causes[0]
    where = " ".join(filter(None, (cause.get("service"), cause.get("operation"))))
    reason = cause.get("reason") or ""
    return f"{cause.get('kind')} in {where}" + (f": {reason}" if reason else "")


def _columns(incident: Incident) -> dict[str, Any]:
    return {
        "project_id": incident.project,
        "started_at": incident.started_at,
        "ended_at": incident.ended_at,
        "last_seen_at": incident.last_seen_at,
        "status": incident.status,
        "severity": incident.severity.value,
        "title": incident.title.replace("\0", "")[:MOST_DESCRIPTION],
        "services": list(incident.services),
        "signals": list(incident.signals),
        "answer": incident.answer,
        "fingerprint": incident.fingerprint.replace("\0", "")[:MOST_FINGERPRINT],
    }


def _incident(row: IncidentRow) -> Incident:
    return Incident(
        id=row.id,
        project=row.project_id,
        started_at=row.started_at,
        ended_at=row.ended_at,
        last_seen_at=row.last_seen_at,
        status=row.status,  # type: ignore[arg-type]  # nothing else is written
        severity=Severity(row.severity),
        title=row.title,
        services=tuple(row.services),
        signals=tuple(row.signals),
        answer=row.answer,
        fingerprint=row.fingerprint,
    )
