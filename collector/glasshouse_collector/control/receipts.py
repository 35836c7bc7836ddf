"""What became of requests with an Idempotency-Key, for a day: a row of some 300 bytes each.

    begin ──▶ row `begun` ──▶ the request is appended to the journal ──▶ finish: row `kept` ──▶ answer

A crash between the last two leaves `begun` rows. The collector whose journal it was looks, at its next
start, whether the journal has the request: each carries a mark of its own at its end. Found, the row
becomes `kept`; not found, it goes, and the sender's next try is the first; and where what the journal
had since then was delivered and removed, nobody can tell any more: `lost`, which the sender is told.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol

from sqlalchemy import BigInteger, String, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from glasshouse_collector.control.database import Database
from glasshouse_collector.control.models import MOST_NAME, Base, utc_now

REMEMBERED: Final = timedelta(days=1)
"""For how long a key means the same request."""
MARK_BYTES: Final = 16
_CLOCK_STEP: Final = timedelta(minutes=10)
"""By how much the clock may have been set back between a row and its request's arrival in the journal."""
_SWEEP_EVERY: Final = timedelta(hours=1)
_TRIES: Final = 3

State = Literal["begun", "kept", "lost"]


class IngestRequest(Base):
    """A request that came with an Idempotency-Key; of key and body only hashes are kept."""

    __tablename__ = "ingest_requests"

    project_id: Mapped[str] = mapped_column(String(MOST_NAME), primary_key=True)
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(8))
    marker: Mapped[str] = mapped_column(String(32))
    journal: Mapped[str] = mapped_column(String(16))
    place: Mapped[int] = mapped_column(BigInteger)
    life: Mapped[str] = mapped_column(String(32))
    begun_at: Mapped[datetime] = mapped_column(index=True)


class Kept(Protocol):
    """What is asked of the journal."""

    @property
    def id(self) -> str:
        """Which journal it is."""

    @property
    def place(self) -> int:
        """Where what is appended now will lie, or before."""

    def has_all_since(self, place: int) -> bool:
        """Whether all is still here that an earlier process appended from that place on."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One request's row; `ours`: begun by this process."""

    project_id: str
    key_hash: str
    body_hash: str
    state: State
    mark: bytes
    journal: str
    ours: bool
    new: bool = False
    """Whether `begin` has made it just now, so that the request is to be kept."""


class Receipts:
    """The rows that one process writes and reads; its methods block."""

    def __init__(self, database: Database, journal: Kept, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._journal = journal
        self._now = now
        self._life = secrets.token_hex(16)
        self._swept = now() - _SWEEP_EVERY

    def begin(self, project_id: str, key: str, body: bytes) -> Receipt:
        """Return the row of the key, made now (`new`) where there is none. Raises `Retryable`."""
        made = IngestRequest(
            project_id=project_id,
            key_hash=hashlib.sha256(key.encode()).hexdigest(),
            body_hash=hashlib.sha256(body).hexdigest(),
            state="begun",
            marker=secrets.token_hex(MARK_BYTES),
            journal=self._journal.id,
            place=self._journal.place,
            life=self._life,
            begun_at=self._now(),
        )
        for _ in range(_TRIES):
            try:
                return self._begin(made)
            except IntegrityError:  # another collector was first: its row is there now
                continue
        return self._begin(made)

    def finish(self, receipt: Receipt) -> None:
        """Note that the request is kept. Raises `Retryable`."""
        with self._database.session() as session:
            session.execute(update(IngestRequest).where(_is(receipt)).values(state="kept"))

    def forget(self, receipt: Receipt) -> None:
        """Note that the request is not kept. Raises `Retryable`."""
        with self._database.session() as session:
            session.execute(delete(IngestRequest).where(_is(receipt)))

    def settle(self, tails: Callable[[datetime], set[bytes]]) -> None:
        """Find out what became of requests that an earlier process on this journal had begun.

        `tails` returns the last `MARK_BYTES` bytes of what the journal has from a time on. Raises
        `Retryable`.
        """
        theirs = (
            IngestRequest.journal == self._journal.id,
            IngestRequest.life != self._life,
            IngestRequest.state == "begun",
        )
        with self._database.session() as session:
            rows = session.scalars(select(IngestRequest).where(*theirs)).all()
        if not rows:
            return
        found = tails(min(row.begun_at for row in rows) - _CLOCK_STEP)
        # Asked after reading: what is there now was not removed before it was read.
        states = {row.marker: self._fate(row, found) for row in rows}
        with self._database.session() as session:
            for marker, state in states.items():
                of = (IngestRequest.marker == marker, IngestRequest.state == "begun")
                if state is None:
                    session.execute(delete(IngestRequest).where(*of))
                else:
                    session.execute(update(IngestRequest).where(*of).values(state=state))

    def _fate(self, row: IngestRequest, found: set[bytes]) -> State | None:
        """Return what became of a request; None where it was not kept."""
        if bytes.fromhex(row.marker) in found:
            return "kept"
        return None if self._journal.has_all_since(row.place) else "lost"

    def _begin(self, made: IngestRequest) -> Receipt:
        now = self._now()
        with self._database.session() as session:
            self._sweep(session, now)
            place = (made.project_id, made.key_hash)
            row = session.get(IngestRequest, place, with_for_update=True)
            if row is not None and row.begun_at <= now - REMEMBERED:
                session.delete(row)
                session.flush()
                row = None
            new = row is None
            if row is None:
                row = made
                session.add(made)
                session.flush()
            return self._receipt(row, new=new)

    def _receipt(self, row: IngestRequest, *, new: bool) -> Receipt:
        return Receipt(
            project_id=row.project_id,
            key_hash=row.key_hash,
            body_hash=row.body_hash,
            state=row.state,  # type: ignore[arg-type]  # nothing else is written
            mark=bytes.fromhex(row.marker),
            journal=row.journal,
            ours=row.life == self._life,
            new=new,
        )

    def _sweep(self, session: Session, now: datetime) -> None:
        """Delete what is older than a day, now and then."""
        if now - self._swept < _SWEEP_EVERY:
            return
        session.execute(delete(IngestRequest).where(IngestRequest.begun_at <= now - REMEMBERED))
        self._swept = now


def _is(receipt: Receipt) -> Any:
    """Return the condition of its row: of this very try, should the key have been given anew meanwhile."""
    return (
        (IngestRequest.project_id == receipt.project_id)
        & (IngestRequest.key_hash == receipt.key_hash)
        & (IngestRequest.marker == receipt.mark.hex())
    )
