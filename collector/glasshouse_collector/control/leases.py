"""Which collector does a job that one of many does: a row a job, which its holder renews."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Double, String, delete, func, literal, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from glasshouse_collector.control.database import Database
from glasshouse_collector.control.models import MOST_NAME, Base


class Lease(Base):
    """Who does a job, and until when unless it is renewed; seconds since 1970."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(MOST_NAME), primary_key=True)
    holder: Mapped[str] = mapped_column(String(MOST_NAME))
    until: Mapped[float] = mapped_column(Double)


class Leases:
    """The leases of one database; its methods block.

    The time is PostgreSQL's, so that collectors whose clocks differ agree; SQLite has none of its own,
    and is on the machine of all who open it.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def hold(self, name: str, holder: str, for_seconds: float) -> bool:
        """Take or renew a lease; False where another holds it. Raises `Retryable`.

        One that has ended is anybody's: who was killed, or came too late, has lost it.
        """
        with self._database.session() as session:
            dialect: Any = postgresql if _is_postgresql(session) else sqlite
            now = self._time(session)
            row = dialect.insert(Lease).values(name=name, holder=holder, until=now + for_seconds)
            taken = row.on_conflict_do_update(
                index_elements=[Lease.name],
                set_={"holder": row.excluded.holder, "until": row.excluded.until},
                where=or_(Lease.holder == holder, Lease.until <= now),
            ).returning(Lease.name)
            return session.execute(taken).first() is not None

    def release(self, name: str, holder: str) -> None:
        """Let the next one take it at once; nothing where it is another's. Raises `Retryable`."""
        with self._database.session() as session:
            session.execute(delete(Lease).where(Lease.name == name, Lease.holder == holder))

    def _time(self, session: Session) -> ColumnElement[float]:
        if _is_postgresql(session):
            return func.extract("epoch", func.clock_timestamp()).cast(Double)
        return literal(self._now(), Double)


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
