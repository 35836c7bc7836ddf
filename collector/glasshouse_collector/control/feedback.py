"""What users say of insights: whether they helped, and what was the cause instead."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Index, String, Text, column, func, select, table
from sqlalchemy.orm import Mapped, mapped_column

from glasshouse_collector.control.database import Database
from glasshouse_collector.control.errors import Wrong
from glasshouse_collector.control.models import MOST_NAME, Base, utc_now

MOST_CORRECTION: Final = 2000
MOST_SERVICE: Final = 500
MOST_KEPT: Final = 10_000
"""Of one project: what is written by anybody who may read must not fill the disk."""
_LOOKED_AT: Final = 1000
"""For priors: the latest."""
_SMOOTHING: Final = 2.0
"""Votes for and against that are there before the first one is given (Laplace)."""
_REACH: Final = 0.25
"""By how much votes raise or lower a score at most."""
_INCIDENTS: Final = table("incidents", column("id"), column("project_id"), column("fingerprint"))


class InsightFeedback(Base):
    """One user's word on an insight."""

    __tablename__ = "insight_feedback"
    __table_args__ = (Index("ix_insight_feedback_project_id", "project_id", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    project_id: Mapped[str] = mapped_column(String(MOST_NAME))
    incident_id: Mapped[str | None] = mapped_column(String(12), index=True)
    lookback_minutes: Mapped[int | None]
    rating: Mapped[int]
    correction: Mapped[str] = mapped_column(Text)
    service: Mapped[str] = mapped_column(String(MOST_SERVICE))
    kind: Mapped[str] = mapped_column(String(MOST_NAME))
    created_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class GivenFeedback:
    """What a user says: `rating` 1 (it helped) or -1, of an incident or of the last minutes.

    `correction` is what was the cause in the user's words, `service` and `kind` where and what it was.
    """

    rating: int
    incident_id: str | None = None
    lookback_minutes: int | None = None
    correction: str = ""
    service: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class ShownFeedback:
    """What a user said, and when."""

    id: int
    given: GivenFeedback
    created_at: datetime


class Feedback:
    """The feedback of one database; its methods block."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    def add(self, project: str, given: GivenFeedback) -> ShownFeedback:
        """Keep what a user says. Raises `Wrong` where the project has no room for more, and `Retryable`."""
        row = InsightFeedback(
            project_id=project,
            incident_id=given.incident_id,
            lookback_minutes=given.lookback_minutes,
            rating=given.rating,
            correction=_text("correction", given.correction, MOST_CORRECTION),
            service=_text("service", given.service, MOST_SERVICE),
            kind=_text("kind", given.kind, MOST_NAME),
            created_at=self._now(),
        )
        of_it = select(func.count()).select_from(InsightFeedback).where(InsightFeedback.project_id == project)
        with self._database.session() as session:
            if (session.scalar(of_it) or 0) >= MOST_KEPT:
                raise Wrong("feedback", f"{MOST_KEPT:,} of one project are kept, and so many there are")
            session.add(row)
            session.flush()
            return _shown(row)

    def list(
        self, project: str, incident_id: str | None = None, *, limit: int = 100, before: int | None = None
    ) -> Sequence[ShownFeedback]:
        """Return what was said, the latest first: of one incident, and with an id below `before`."""
        wanted = select(InsightFeedback).where(InsightFeedback.project_id == project)
        if incident_id is not None:
            wanted = wanted.where(InsightFeedback.incident_id == incident_id)
        if before is not None:
            wanted = wanted.where(InsightFeedback.id < before)
        with self._database.session() as session:
            rows = session.scalars(wanted.order_by(InsightFeedback.id.desc()).limit(limit))
            return [_shown(row) for row in rows]

    def priors(self, project: str) -> dict[tuple[str, str], float]:
        """Return by what to multiply the scores of causes, by service and kind; 0.75 to 1.25, else 1.

        A cause that users named or confirmed is raised, one that they rejected lowered: of `up` votes for
        and `down` against it, by how far (up + 2) / (up + down + 4) is from one half. One vote is little.
        """
        wanted = (
            select(InsightFeedback, _INCIDENTS.c.fingerprint)
            .outerjoin(
                _INCIDENTS,
                (_INCIDENTS.c.id == InsightFeedback.incident_id)
                & (_INCIDENTS.c.project_id == InsightFeedback.project_id),
            )
            .where(InsightFeedback.project_id == project)
            .order_by(InsightFeedback.id.desc())
            .limit(_LOOKED_AT)
        )
        up: Counter[tuple[str, str]] = Counter()
        down: Counter[tuple[str, str]] = Counter()
        with self._database.session() as session:
            for row, fingerprint in session.execute(wanted):
                found, named = _cause(fingerprint or ""), _named(row, fingerprint or "")
                if named is not None:
                    up[named] += 1
                if found is not None and row.rating < 0 and found != named:
                    down[found] += 1
        return {cause: _factor(up[cause], down[cause]) for cause in up.keys() | down.keys()}


def _named(row: InsightFeedback, fingerprint: str) -> tuple[str, str] | None:
    """Return the cause that a user speaks for: the one that is named, else what was found and helped.

    Who names a service or a kind alone means the other one as it was found.
    """
    found = _cause(fingerprint)
    if row.service or row.kind:
        service, kind = row.service or (found or ("",))[0], row.kind or (found or ("", ""))[1]
        return (service, kind) if service and kind else None
    return found if row.rating > 0 else None


def _cause(fingerprint: str) -> tuple[str, str] | None:
    """Return service and kind of an incident's fingerprint."""
    service, _, rest = fingerprint.partition("|")
    kind = rest.partition("|")[0]
    return (service, kind) if service and kind else None


def _factor(up: int, down: int) -> float:
    share = (up + _SMOOTHING) / (up + down + 2 * _SMOOTHING)
    return 1.0 + 2 * _REACH * (share - 0.5)


def _text(field: str, given: str, most: int) -> str:
    if len(given) > most or "\0" in given:
        raise Wrong(field, f"up to {most:,} characters are expected, none of them NUL")
    return given


def _shown(row: InsightFeedback) -> ShownFeedback:
    given = GivenFeedback(
        rating=row.rating,
        incident_id=row.incident_id,
        lookback_minutes=row.lookback_minutes,
        correction=row.correction,
        service=row.service,
        kind=row.kind,
    )
    return ShownFeedback(row.id, given, row.created_at)
