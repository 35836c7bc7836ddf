"""The tables of small state."""

from datetime import UTC, date, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Date, DateTime, ForeignKey, Index, String, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

MOST_NAME = 63
MOST_DESCRIPTION = 500


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


class Moment(TypeDecorator[datetime]):
    """A time in UTC, also where the database keeps none of the zone (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return it with its zone."""
        del dialect
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """The tables that migrations are compared with."""

    type_annotation_map: ClassVar = {datetime: Moment, dict[str, Any]: JSON, list[str]: JSON}


class Project(Base):
    """Whose telemetry it is; its id stands with every record."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(String(MOST_NAME), primary_key=True)
    name: Mapped[str] = mapped_column(String(MOST_DESCRIPTION))
    description: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    keys: Mapped[list["ApiKey"]] = relationship(back_populates="project")


class ApiKey(Base):
    """What opens a project's doors; of the secret only its hash is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (Index("ix_api_keys_project_id", "project_id"),)

    prefix: Mapped[str] = mapped_column(String(16), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(MOST_DESCRIPTION), default="")
    secret_hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    records_per_second: Mapped[int | None]
    bytes_per_day: Mapped[int | None] = mapped_column(BigInteger)
    project: Mapped[Project] = relationship(back_populates="keys")


class KeyUsage(Base):
    """What a key sent on a day of UTC: records, and bytes of protobuf, uncompressed."""

    __tablename__ = "key_usage"
    __table_args__ = (Index("ix_key_usage_day", "day"),)

    prefix: Mapped[str] = mapped_column(ForeignKey("api_keys.prefix"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    records: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
