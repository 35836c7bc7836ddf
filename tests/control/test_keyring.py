"""Which key opens what, without a question to the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from control_time import Time
from glasshouse_collector.control import (
    Database,
    DayUsage,
    KeyQuotas,
    Keyring,
    Keys,
    KeySettings,
    Projects,
)
from glasshouse_collector.control.models import ApiKey
from glasshouse_collector.core.access import Caller, Scope
from glasshouse_collector.core.errors import Forbidden, Retryable, Unauthenticated

DAY = timedelta(days=1)


def admitted(keyring: Keyring, secret: str, scope: Scope) -> Caller:
    """Return whom the keyring takes the sender of a key for."""
    key = keyring.find(secret)
    assert key is not None
    return keyring.admit(key, scope)


@pytest.fixture
def keyring(database: Database, time: Time, projects: Projects) -> Keyring:
    """Return the keys of a database with one project."""
    projects.create("shop")
    return Keyring(database, time)


def test_a_key_opens_what_its_scopes_name(keyring: Keyring, keys: Keys) -> None:
    """An admin's opens everything; the refusal says which scope it takes."""
    made = {
        scope: keys.create("shop", KeySettings(scopes=frozenset({scope}))).secret for scope in tuple(Scope)
    }
    keyring.refresh()
    for scope, secret in made.items():
        assert admitted(keyring, secret, scope) == Caller("shop", secret[:11])
    for scope in Scope:
        assert admitted(keyring, made[Scope.ADMIN], scope) == Caller("shop", made[Scope.ADMIN][:11])
    with pytest.raises(Forbidden, match="has the scope ingest; this needs read"):
        admitted(keyring, made[Scope.INGEST], Scope.READ)


def test_an_admin_of_the_collectors_own_project_is_the_operator(keyring: Keyring, keys: Keys) -> None:
    """Who may see all projects; another key of that project may not."""
    scopes = {scope: keys.create("_self", KeySettings(scopes=frozenset({scope}))).secret for scope in Scope}
    keyring.refresh()
    for scope, secret in scopes.items():
        assert admitted(keyring, secret, scope).everywhere == (scope is Scope.ADMIN)


def test_a_wrong_key_opens_nothing(keyring: Keyring, keys: Keys) -> None:
    """Neither one with another's beginning, nor anything that is no key."""
    ours, theirs = keys.create("shop").secret, keys.create("shop").secret
    keyring.refresh()
    mixed = ours[:11] + theirs[11:]
    for secret in ("", "x", mixed, ours[:-1], ours + "A", ours + "\n", "\0" * 55, "ü" * 55, "x" * 100_000):
        assert keyring.find(secret) is None


def test_an_ended_key_says_so(keyring: Keyring, keys: Keys, time: Time) -> None:
    """By its beginning, which is no secret."""
    expiring = keys.create("shop", KeySettings(expires_at=time() + DAY)).secret
    revoked = keys.create("shop").secret
    keys.revoke(revoked[:11], 2 * DAY)
    keyring.refresh()
    admitted(keyring, expiring, Scope.READ)
    time.passes(DAY)
    with pytest.raises(Unauthenticated, match=f"{expiring[:11]} is expired"):
        admitted(keyring, expiring, Scope.READ)
    admitted(keyring, revoked, Scope.READ)
    time.passes(DAY)
    with pytest.raises(Unauthenticated, match=f"{revoked[:11]} is revoked"):
        admitted(keyring, revoked, Scope.READ)


def test_what_changes_counts_from_the_next_refresh(keyring: Keyring, keys: Keys, time: Time) -> None:
    """New keys, revoked ones; and when a key was last used is written down."""
    assert keyring.empty
    new = keys.create("shop")
    keyring.refresh()
    assert not keyring.empty
    assert keyring.usable
    assert keys.get(new.shown.prefix).last_used_at is None
    time.passes(DAY)
    admitted(keyring, new.secret, Scope.INGEST)
    keys.revoke(new.shown.prefix)
    keyring.refresh()
    assert keys.get(new.shown.prefix).last_used_at == time()
    with pytest.raises(Unauthenticated, match="revoked"):
        admitted(keyring, new.secret, Scope.INGEST)
    assert not keyring.usable
    assert not keyring.empty


def test_a_deleted_projects_keys_open_nothing(
    keyring: Keyring, keys: Keys, projects: Projects, database: Database
) -> None:
    """Also one that was made while the project was being deleted."""
    secret = keys.create("shop").secret
    projects.delete("shop")
    with database.session() as session:
        session.execute(update(ApiKey).values(revoked_at=None))
    keyring.refresh()
    with pytest.raises(Unauthenticated, match="revoked"):
        admitted(keyring, secret, Scope.INGEST)


def test_what_could_not_be_written_is_written_later(url: str, time: Time) -> None:
    """A database that is away costs no key, no use and no usage."""
    database = Database.open(url)
    keys, quotas = Keys(database, time), KeyQuotas(time)
    keyring = Keyring(database, time, quotas)
    new = keys.create("default")
    keyring.refresh()
    name = new.shown.prefix
    with pytest.MonkeyPatch.context() as away:
        away.setattr(database, "session", unreachable)
        admitted(keyring, new.secret, Scope.INGEST)
        quotas.book(name, 5, 100)
        with pytest.raises(Retryable):
            keyring.refresh()
        quotas.book(name, 2, 10)
        admitted(keyring, new.secret, Scope.INGEST)
    keyring.refresh()
    assert keys.get(name).last_used_at == time()
    assert keys.usage(name) == [DayUsage(time().date(), 7, 110)]
    database.close()


@contextmanager
def unreachable() -> Iterator[Session]:
    """Fail as a database that is away does."""
    raise Retryable("away")
    yield
