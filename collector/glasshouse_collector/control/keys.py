"""API keys: made, shown once, revoked, rotated. Of a secret only its SHA-256 is kept.

A secret has 256 bits of chance, so that a plain hash cannot be turned round by trying.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update

from glasshouse_collector.control.database import Database
from glasshouse_collector.control.errors import NotFound, Wrong
from glasshouse_collector.control.models import MOST_DESCRIPTION, ApiKey, KeyUsage, Project, utc_now
from glasshouse_collector.control.usage import DayUsage
from glasshouse_collector.core.access import Scope

KEY: Final = re.compile(r"(gh_[A-Za-z0-9]{8})_([A-Za-z0-9_-]{43})")
"""A key: what it is recognised by, and its secret."""

_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_MOST_OVERLAP: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What a key may do, how much, and until when; None means no limit."""

    name: str = ""
    scopes: frozenset[Scope] = frozenset({Scope.INGEST, Scope.READ})
    expires_at: datetime | None = None
    records_per_second: int | None = None
    bytes_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key as it is shown: never with its secret."""

    prefix: str
    project_id: str
    settings: KeySettings
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None

    def opens_at(self, moment: datetime) -> bool:
        """Whether it opens anything at that time."""
        ends = [end for end in (self.revoked_at, self.settings.expires_at) if end is not None]
        return all(moment < end for end in ends)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key with its secret, which nobody can show again."""

    secret: str
    shown: ShownKey


def hashed(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Keys:
    """The keys of one database."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    def create(self, project_id: str, settings: KeySettings | None = None) -> NewKey:
        """Make a key of a project. Raises `NotFound`, `Wrong`."""
        settings = settings or KeySettings()
        self._check(settings)
        prefix = "gh_" + "".join(secrets.choice(_ALPHABET) for _ in range(8))
        secret = f"{prefix}_{secrets.token_urlsafe(32)}"
        row = ApiKey(
            prefix=prefix,
            project_id=project_id,
            name=settings.name,
            secret_hash=hashed(secret),
            scopes=sorted(settings.scopes),
            created_at=self._now(),
            expires_at=settings.expires_at,
            records_per_second=settings.records_per_second,
            bytes_per_day=settings.bytes_per_day,
        )
        with self._database.session() as session:
            project = session.get(Project, project_id)
            if project is None or project.deleted_at is not None:
                raise NotFound(f"there is no project {project_id}")
            session.add(row)
        return NewKey(secret, shown(row))

    def list(self, project_id: str | None = None) -> Sequence[ShownKey]:
        """Return the keys, of one project or all, revoked ones too, the oldest first."""
        wanted = select(ApiKey).order_by(ApiKey.created_at, ApiKey.prefix)
        if project_id is not None:
            wanted = wanted.where(ApiKey.project_id == project_id)
        with self._database.session() as session:
            return [shown(row) for row in session.scalars(wanted)]

    def get(self, prefix: str) -> ShownKey:
        """Return one. Raises `NotFound`."""
        with self._database.session() as session:
            row = session.get(ApiKey, prefix)
        if row is None:
            raise NotFound(
                f"there is no key {prefix}; a key's name here is its beginning, such as gh_Ab3dE5gH"
            )
        return shown(row)

    def usage(self, prefix: str, days: int = 31) -> Sequence[DayUsage]:
        """Return what the key sent on each of the last days that it sent anything, the latest first.

        As of the last refresh of each collector. Raises `NotFound`.
        """
        self.get(prefix)
        wanted = select(KeyUsage).where(KeyUsage.prefix == prefix)
        since = self._now().date() - timedelta(days=days)
        with self._database.session() as session:
            found = session.scalars(wanted.where(KeyUsage.day > since).order_by(KeyUsage.day.desc()))
            return [DayUsage(row.day, row.records, row.bytes) for row in found]

    def revoke(self, prefix: str, after: timedelta = timedelta()) -> ShownKey:
        """Let the key end, at once or in a while, and never later than it would. Raises `NotFound`."""
        self.get(prefix)
        end = self._now() + after
        with self._database.session() as session:
            standing = (ApiKey.revoked_at.is_(None)) | (ApiKey.revoked_at > end)
            session.execute(update(ApiKey).where(ApiKey.prefix == prefix, standing).values(revoked_at=end))
        return self.get(prefix)

    def rotate(self, prefix: str, overlap: timedelta) -> NewKey:
        """Make a key like this one, which itself ends after the overlap. Raises `NotFound`, `Wrong`."""
        if not timedelta() <= overlap <= _MOST_OVERLAP:
            raise Wrong("overlap", "between 0 and 90 days are expected")
        old = self.get(prefix)
        if not old.opens_at(self._now()):
            raise Wrong("key", f"{prefix} opens nothing any more; make a new key instead")
        settings = old.settings
        if settings.expires_at is not None:
            lifetime = settings.expires_at - old.created_at
            settings = replace(settings, expires_at=self._now() + lifetime)
        new = self.create(old.project_id, settings)
        self.revoke(prefix, overlap)
        return new

    def _check(self, settings: KeySettings) -> None:
        if len(settings.name) > MOST_DESCRIPTION:
            raise Wrong("name", f"up to {MOST_DESCRIPTION} characters are expected")
        if not settings.scopes:
            raise Wrong("scopes", "one or more of ingest, read, admin are expected")
        if settings.expires_at is not None and settings.expires_at <= self._now():
            raise Wrong("expires_at", "a time to come is expected")
        for field in ("records_per_second", "bytes_per_day"):
            limit = getattr(settings, field)
            if limit is not None and limit < 1:
                raise Wrong(field, "1 or more is expected; leave it out for no limit")


def shown(row: ApiKey) -> ShownKey:
    """Return a key's row without its hash."""
    settings = KeySettings(
        name=row.name,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        expires_at=row.expires_at,
        records_per_second=row.records_per_second,
        bytes_per_day=row.bytes_per_day,
    )
    return ShownKey(row.prefix, row.project_id, settings, row.created_at, row.revoked_at, row.last_used_at)
