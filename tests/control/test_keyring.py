"""Which key opens what, without a question to the database."""

from datetime import timedelta

import pytest

from control_time import Time
from glasshouse_collector.control import Database, Keyring, Keys, KeySettings, Projects
from glasshouse_collector.core.access import Scope
from glasshouse_collector.core.errors import Forbidden, Unauthenticated

DAY = timedelta(days=1)


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
        assert keyring.open(secret, scope).project_id == "shop"
        assert keyring.open(f" {secret}\n", scope).project_id == "shop"
    for scope in Scope:
        assert keyring.open(made[Scope.ADMIN], scope).project_id == "shop"
    with pytest.raises(Forbidden, match="has the scope ingest; this needs read"):
        keyring.open(made[Scope.INGEST], Scope.READ)


def test_a_wrong_key_opens_nothing(keyring: Keyring, keys: Keys) -> None:
    """Neither one with another's beginning, nor anything that is no key; the message repeats none of it."""
    ours, theirs = keys.create("shop").secret, keys.create("shop").secret
    keyring.refresh()
    mixed = ours[:11] + theirs[11:]
    for secret in ("", "x", mixed, ours[:-1], ours + "A", "gh_........", "\0" * 55, "ü" * 55, "x" * 100_000):
        with pytest.raises(Unauthenticated, match=r"^the key that was sent opens nothing here$"):
            keyring.open(secret, Scope.READ)


def test_an_ended_key_says_so(keyring: Keyring, keys: Keys, time: Time) -> None:
    """By its beginning, which is no secret."""
    expiring = keys.create("shop", KeySettings(expires_at=time() + DAY)).secret
    revoked = keys.create("shop").secret
    keys.revoke(revoked[:11], 2 * DAY)
    keyring.refresh()
    keyring.open(expiring, Scope.READ)
    time.passes(DAY)
    with pytest.raises(Unauthenticated, match=f"{expiring[:11]} is expired"):
        keyring.open(expiring, Scope.READ)
    keyring.open(revoked, Scope.READ)
    time.passes(DAY)
    with pytest.raises(Unauthenticated, match=f"{revoked[:11]} is revoked"):
        keyring.open(revoked, Scope.READ)


def test_what_changes_counts_from_the_next_refresh(keyring: Keyring, keys: Keys, time: Time) -> None:
    """New keys, revoked ones; and when a key was last used is written down."""
    assert keyring.empty
    new = keys.create("shop")
    keyring.refresh()
    assert not keyring.empty
    assert keys.get(new.shown.prefix).last_used_at is None
    time.passes(DAY)
    keyring.open(new.secret, Scope.INGEST)
    keys.revoke(new.shown.prefix)
    keyring.refresh()
    assert keys.get(new.shown.prefix).last_used_at == time()
    with pytest.raises(Unauthenticated, match="revoked"):
        keyring.open(new.secret, Scope.INGEST)
