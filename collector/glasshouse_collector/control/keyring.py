"""The keys in memory, so that a request costs no question to the database."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Final

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from glasshouse_collector.control.database import Database
from glasshouse_collector.control.keys import KEY, KeySettings, hashed
from glasshouse_collector.control.models import ApiKey, Project, utc_now
from glasshouse_collector.control.quotas import KeyQuotas
from glasshouse_collector.control.usage import add_usage, bytes_of, forget_usage
from glasshouse_collector.core.access import SELF_PROJECT, Caller, Scope
from glasshouse_collector.core.errors import Forbidden, Unauthenticated

_NO_HASH: Final = hashed("")
"""What is compared where there is no such key, so that one takes as long as any other."""
_COLUMNS: Final = (
    ApiKey.prefix,
    ApiKey.project_id,
    ApiKey.secret_hash,
    ApiKey.scopes,
    ApiKey.expires_at,
    func.coalesce(ApiKey.revoked_at, Project.deleted_at).label("revoked_at"),
    ApiKey.records_per_second,
    ApiKey.bytes_per_day,
)


@dataclass(frozen=True, slots=True)
class KeptKey:
    """What is known of one key; `scopes` are all that it opens."""

    caller: Caller
    secret_hash: str
    scopes: frozenset[Scope]
    expires_at: datetime | None
    revoked_at: datetime | None
    settings: KeySettings

    def ended(self, moment: datetime) -> str:
        """Return why it opens nothing at that time, empty where it does."""
        if self.revoked_at is not None and self.revoked_at <= moment:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= moment else ""


class Keyring:
    """Says whose a key is, as of the last `refresh`; any thread may ask.

    What is revoked by another process, such as a command, goes on opening doors until then; what
    expires does not.
    """

    def __init__(
        self, database: Database, now: Callable[[], datetime] = utc_now, quotas: KeyQuotas | None = None
    ) -> None:
        self._database = database
        self._now = now
        self._quotas = quotas or KeyQuotas(now)
        self._kept: Mapping[str, KeptKey] = {}
        self._used: dict[str, datetime] = {}
        self._lock = Lock()
        self._refreshing = Lock()
        self._swept = self._now().date()

    @property
    def empty(self) -> bool:
        """Whether no key was ever made."""
        return not self._kept

    @property
    def usable(self) -> bool:
        """Whether any key opens anything now."""
        now = self._now()
        return any(not key.ended(now) for key in self._kept.values())

    def find(self, secret: str) -> KeptKey | None:
        """Return the key that was sent, ended ones too; None where it is none of ours."""
        match = KEY.fullmatch(secret)
        if match is None:
            return None
        kept = self._kept.get(match[1])
        right = hmac.compare_digest(hashed(secret), kept.secret_hash if kept else _NO_HASH)
        return kept if right else None

    def admit(self, key: KeptKey, scope: Scope) -> Caller:
        """Return whose the key is; an `admin` key opens everything. Raises `Unauthenticated`, `Forbidden`."""
        now, name = self._now(), key.caller.key
        ended = key.ended(now)
        if ended:
            raise Unauthenticated(f"the key {name} is {ended}; make a new one, or rotate in time")
        if scope not in key.scopes:
            has = ", ".join(sorted(key.scopes))
            raise Forbidden(f"the key {name} has the scope {has}; this needs {scope}")
        with self._lock:
            self._used[name] = now
        return key.caller

    def refresh(self) -> None:
        """Read the keys again; write down when each was last used, and what it sent. Raises `Retryable`."""
        with self._refreshing:
            with self._lock:
                used, self._used = self._used, {}
            sent = self._quotas.begin_writing()
            today = self._now().date()
            try:
                with self._database.session() as session:
                    _write_use(session, used)
                    add_usage(session, sent)
                    if today != self._swept:
                        forget_usage(session, today)
                    kept = {
                        row.prefix: _kept(row) for row in session.execute(select(*_COLUMNS).join(Project))
                    }
                    sums = bytes_of(session, today)
            except BaseException:
                self._quotas.not_written()
                with self._lock:
                    self._used = used | self._used
                raise
            self._swept = today
            self._kept = kept
            self._quotas.written({prefix: key.settings for prefix, key in kept.items()}, today, sums)


def _write_use(session: Session, used: Mapping[str, datetime]) -> None:
    for prefix, moment in sorted(used.items()):
        later = (ApiKey.last_used_at.is_(None)) | (ApiKey.last_used_at < moment)
        session.execute(update(ApiKey).where(ApiKey.prefix == prefix, later).values(last_used_at=moment))


def _kept(row: Row[Any]) -> KeptKey:
    scopes = frozenset(Scope(scope) for scope in row.scopes)
    admin = Scope.ADMIN in scopes
    return KeptKey(
        Caller(row.project_id, row.prefix, everywhere=admin and row.project_id == SELF_PROJECT),
        row.secret_hash,
        frozenset(Scope) if admin else scopes,
        row.expires_at,
        row.revoked_at,
        KeySettings(records_per_second=row.records_per_second, bytes_per_day=row.bytes_per_day),
    )
