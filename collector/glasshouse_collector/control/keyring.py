"""The keys in memory, so that a request costs no question to the database."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from sqlalchemy import select, update

from glasshouse_collector.control.database import Database
from glasshouse_collector.control.keys import KEY, ShownKey, hashed, shown
from glasshouse_collector.control.models import ApiKey, Project, utc_now
from glasshouse_collector.core.access import Scope
from glasshouse_collector.core.errors import Forbidden, Unauthenticated

_NO_KEY = "gh_........"
"""What is compared where there is no such key, so that one takes as long as any other."""


@dataclass(frozen=True, slots=True)
class _Kept:
    key: ShownKey
    secret_hash: str


class Keyring:
    """Says whose a key is, as of the last `refresh`; any thread may ask.

    What is revoked here or in another collector goes on opening doors until then.
    """

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now
        self._kept: Mapping[str, _Kept] = {}
        self._used: dict[str, datetime] = {}
        self._lock = Lock()

    @property
    def empty(self) -> bool:
        """Whether no key was ever made."""
        return not self._kept

    def refresh(self) -> None:
        """Read the keys again, and write down when which was last used. Raises `Retryable`."""
        with self._lock:
            used, self._used = self._used, {}
        with self._database.session() as session:
            for prefix, moment in used.items():
                session.execute(update(ApiKey).where(ApiKey.prefix == prefix).values(last_used_at=moment))
            rows = session.scalars(select(ApiKey).join(Project)).all()
            self._kept = {row.prefix: _Kept(shown(row), row.secret_hash) for row in rows}

    def open(self, secret: str, scope: Scope) -> ShownKey:
        """Return the key; an `admin` key opens everything. Raises `Unauthenticated`, `Forbidden`."""
        match = KEY.fullmatch(secret.strip())
        kept = self._kept.get(match[1] if match else _NO_KEY)
        right = hmac.compare_digest(hashed(secret.strip()), kept.secret_hash if kept else hashed(_NO_KEY))
        if kept is None or not right:
            raise Unauthenticated("the key that was sent opens nothing here")
        now = self._now()
        if not kept.key.opens_at(now):
            what = "revoked" if kept.key.revoked_at and kept.key.revoked_at <= now else "expired"
            raise Unauthenticated(f"the key {kept.key.prefix} is {what}; make a new one, or rotate in time")
        if not {scope, Scope.ADMIN} & kept.key.settings.scopes:
            has = ", ".join(sorted(kept.key.settings.scopes))
            raise Forbidden(f"the key {kept.key.prefix} has the scope {has}; this needs {scope}")
        with self._lock:
            self._used[kept.key.prefix] = now
        return kept.key
