"""What each key sent, by day of UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from glasshouse_collector.control.models import KeyUsage

KEPT: Final = timedelta(days=400)
"""How long the days are kept."""


@dataclass(frozen=True, slots=True)
class DayUsage:
    """What a key sent on one day of UTC, up to the last refresh of each collector."""

    day: date
    records: int
    bytes: int


class KeyDay(NamedTuple):
    """A key, by its beginning, on a day."""

    prefix: str
    day: date


class Sent(NamedTuple):
    """An amount that was sent."""

    records: int
    bytes: int


def add_usage(session: Session, sent: Mapping[KeyDay, Sent]) -> None:
    """Add to what all collectors have written of these days; of keys that exist."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    for of, more in sorted(sent.items()):  # in one order, so that no two collectors wait for each other
        row = dialect.insert(KeyUsage).values(
            prefix=of.prefix, day=of.day, records=more.records, bytes=more.bytes
        )
        session.execute(
            row.on_conflict_do_update(
                index_elements=[KeyUsage.prefix, KeyUsage.day],
                set_={
                    "records": KeyUsage.records + row.excluded.records,
                    "bytes": KeyUsage.bytes + row.excluded.bytes,
                },
            )
        )


def bytes_of(session: Session, day: date) -> dict[str, int]:
    """Return what each key sent on a day, by its beginning."""
    sums = select(KeyUsage.prefix, func.sum(KeyUsage.bytes)).where(KeyUsage.day == day)
    return {prefix: int(total) for prefix, total in session.execute(sums.group_by(KeyUsage.prefix))}


def forget_usage(session: Session, today: date) -> None:
    """Delete the days that are older than any is kept."""
    session.execute(delete(KeyUsage).where(KeyUsage.day < today - KEPT))
