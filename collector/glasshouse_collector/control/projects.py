"""Projects: made, listed, deleted."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from glasshouse_collector.control.database import Database
from glasshouse_collector.control.errors import NotFound, Taken, Wrong
from glasshouse_collector.control.models import MOST_DESCRIPTION, MOST_NAME, ApiKey, Project, utc_now
from glasshouse_collector.core.access import DEFAULT_PROJECT, SELF_PROJECT

_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NOT_IN_AN_ID: Final = re.compile(r"[^a-z0-9]+")
_ALWAYS_THERE: Final = frozenset({DEFAULT_PROJECT, SELF_PROJECT})


@dataclass(frozen=True, slots=True)
class ShownProject:
    """A project as it is shown."""

    id: str
    name: str
    description: str
    created_at: datetime


class Projects:
    """The projects of one database."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    def create(self, name: str, description: str = "", project_id: str | None = None) -> ShownProject:
        """Make a project and return it.

        Its id, which stands with every record and never changes, is made of the name where none is
        given: lower-case letters, digits and dashes. Raises `Wrong`, `Taken`.
        """
        name = _text("name", name.strip(), MOST_DESCRIPTION)
        if not name:
            raise Wrong("name", "a project needs a name")
        chosen = project_id if project_id is not None else _id_of(name)
        if not _ID.fullmatch(chosen):
            raise Wrong("project_id", f"up to {MOST_NAME} of a-z, 0-9 and - are expected, such as my-service")
        project = Project(
            id=chosen,
            name=name,
            description=_text("description", description, MOST_DESCRIPTION),
            created_at=self._now(),
        )
        try:
            with self._database.session() as session:
                session.add(project)
        except IntegrityError:
            raise Taken(f"there is, or was, a project {chosen}; choose another project_id") from None
        return _shown(project)

    def list(self) -> Sequence[ShownProject]:
        """Return all projects, the oldest first."""
        wanted = select(Project).where(Project.deleted_at.is_(None)).order_by(Project.created_at, Project.id)
        with self._database.session() as session:
            return [_shown(project) for project in session.scalars(wanted)]

    def get(self, project_id: str) -> ShownProject:
        """Return one. Raises `NotFound`."""
        with self._database.session() as session:
            project = session.get(Project, project_id)
        if project is None or project.deleted_at is not None:
            raise NotFound(f"there is no project {project_id}")
        return _shown(project)

    def ever(self, project_id: str) -> bool:
        """Whether there is one, or was: a deleted one's records stay until retention."""
        with self._database.session() as session:
            return session.get(Project, project_id) is not None

    def delete(self, project_id: str) -> None:
        """Close a project: its keys open nothing any more, and its id is not given again.

        What was stored stays until retention removes it. Raises `NotFound`, and `Wrong` for the two
        projects that are always there.
        """
        if project_id in _ALWAYS_THERE:
            raise Wrong("project_id", f"{project_id} is always there; revoke its keys instead")
        self.get(project_id)
        now = self._now()
        with self._database.session() as session:
            session.execute(update(Project).where(Project.id == project_id).values(deleted_at=now))
            open_keys = update(ApiKey).where(ApiKey.project_id == project_id, ApiKey.revoked_at.is_(None))
            session.execute(open_keys.values(revoked_at=now))


def _id_of(name: str) -> str:
    """Return an id that a reader recognises the name in."""
    return _NOT_IN_AN_ID.sub("-", name.lower()).strip("-")[:MOST_NAME].rstrip("-")


def _text(field: str, given: str, most: int) -> str:
    if len(given) > most or "\0" in given:
        raise Wrong(field, f"up to {most} characters are expected")
    return given


def _shown(project: Project) -> ShownProject:
    return ShownProject(project.id, project.name, project.description, project.created_at)
