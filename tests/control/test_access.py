"""Who is let in, by what is sent and from where."""

import base64

import pytest

from control_time import Time
from glasshouse_collector.control import Database, Keyring, Keys, KeySettings
from glasshouse_collector.control.access import KeyAccess
from glasshouse_collector.control.attempts import AT_ONCE, EVERY_SECONDS, IN_ALL
from glasshouse_collector.core.access import OPERATOR, PEER, Caller, Scope
from glasshouse_collector.core.errors import Backpressure, Forbidden, LimitReached, Unauthenticated
from glasshouse_collector.core.metrics import Metrics

TOKEN = "chosen by a user"
HERE, THERE = "192.0.2.1", "192.0.2.2"


class Ticking:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def time_ns(self) -> int:
        """Return nanoseconds."""
        return int(self.seconds * 1e9)

    def monotonic(self) -> float:
        """Return seconds."""
        return self.seconds


class Door:
    """A collector's access, with the keys of a database."""

    def __init__(self, keyring: Keyring | None, token: str | None = None, *, local: bool = False) -> None:
        self.metrics, self.clock = Metrics(), Ticking()
        self.access = KeyAccess(self.metrics, self.clock, token=token, local=local)
        if keyring is not None:
            self.access.use(keyring)

    def lets_in(self, key: str, address: str = HERE, scope: Scope = Scope.READ) -> Caller:
        """Return whom it takes the sender of a key for."""
        return self.access.admit({"authorization": f"Bearer {key}", PEER: address}, scope)

    def refuses(self, key: str, address: str = HERE) -> Exception:
        """Return why it does not let in the sender of a key."""
        with pytest.raises((Unauthenticated, LimitReached)) as refused:
            self.lets_in(key, address)
        assert key not in str(refused.value)
        return refused.value

    def exhausts(self, address: str = HERE) -> None:
        """Send wrong keys until they are not looked at any more."""
        for number in range(AT_ONCE):
            assert type(self.refuses(f"guess-{number}", address)) is Unauthenticated
        assert isinstance(self.refuses("guess", address), LimitReached)

    def failed(self, scope: str, reason: str) -> float:
        """Return how many attempts were counted."""
        labels = {"scope": scope, "reason": reason}
        return self.metrics.registry.get_sample_value("glasshouse_failed_attempts_total", labels) or 0


@pytest.fixture
def keyring(database: Database, time: Time) -> Keyring:
    """Return a keyring without keys."""
    made = Keyring(database, time)
    made.refresh()
    return made


@pytest.fixture
def key(keys: Keys, keyring: Keyring) -> str:
    """Return a key of the default project, which may send and read."""
    secret = keys.create("default").secret
    keyring.refresh()
    return secret


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header of the basic scheme."""
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_a_key_comes_in_three_ways(keyring: Keyring, key: str) -> None:
    """As bearer, as X-API-Key, or as a password; schemes in any case."""
    door = Door(keyring)
    ways = [
        {"authorization": f"Bearer {key}"},
        {"authorization": f"bEARER   {key} "},
        {"x-api-key": f" {key}"},
        {"x-api-key": key, **basic("a proxy's", "own")},
        basic("anyone", key),
        basic(key, ""),
    ]
    for headers in ways:
        assert door.access.admit(headers, Scope.INGEST) == Caller("default", key[:11])
    for headers in ({}, {"authorization": key}, {"authorization": "Basic !"}, {"authorization": "Bearer"}):
        with pytest.raises(Unauthenticated, match="no key was sent: send the header"):
            door.access.admit(headers, Scope.INGEST)
    assert door.failed("ingest", "no_key") == 4


def test_everyone_on_the_machine_comes_in_until_there_is_a_key(keyring: Keyring, keys: Keys) -> None:
    """From then on never again, even if every key is revoked."""
    door = Door(keyring, local=True)
    assert door.access.open
    assert door.access.admit({}, Scope.ADMIN) == Caller("default", everywhere=True)
    assert door.lets_in("any") == Caller("default", everywhere=True)
    prefix = keys.create("default").shown.prefix
    keyring.refresh()
    assert not door.access.open
    door.refuses("any")
    keys.revoke(prefix)
    keyring.refresh()
    door.refuses("any")


def test_nobody_comes_in_without_a_key_where_others_reach_the_door(keyring: Keyring) -> None:
    """Nor where there is a token, nor before it is known whether there are keys."""
    for door in (Door(keyring), Door(keyring, TOKEN, local=True), Door(None, local=True)):
        assert not door.access.open
        with pytest.raises(Unauthenticated):
            door.access.admit({}, Scope.INGEST)


def test_the_token_is_the_operators(keyring: Keyring, key: str) -> None:
    """Beside the keys, and without the database too; keys are told to come back then."""
    for door in (Door(keyring, TOKEN), Door(None, TOKEN)):
        for scope in Scope:
            assert door.lets_in(TOKEN, scope=scope) == OPERATOR
        for wrong in (TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "x" * 100_000, "ü"):
            door.refuses(wrong)
    with pytest.raises(Backpressure, match="not connected yet") as away:
        Door(None, TOKEN).lets_in(key)
    assert not isinstance(away.value, LimitReached)


def test_wrong_keys_are_limited_by_address(keyring: Keyring, key: str) -> None:
    """Ten at once, then one every six seconds; a right key passes all the same."""
    door = Door(keyring, TOKEN)
    door.exhausts()
    assert door.lets_in(key) == Caller("default", key[:11])
    assert type(door.refuses("guess", THERE)) is Unauthenticated
    told = door.refuses("guess")
    assert isinstance(told, LimitReached)
    assert told.retry_after == EVERY_SECONDS
    door.clock.seconds += told.retry_after
    assert type(door.refuses("guess")) is Unauthenticated
    assert isinstance(door.refuses("guess"), LimitReached)
    assert door.failed("read", "wrong_key") == AT_ONCE + 2
    assert door.failed("read", "too_many") == 3


def test_the_token_cannot_be_guessed_from_one_address(keyring: Keyring) -> None:
    """Who failed too often may not try it either, unless it was sent from there before."""
    door = Door(keyring, TOKEN)
    door.lets_in(TOKEN, THERE)
    for address in (HERE, THERE):
        door.exhausts(address)
    assert isinstance(door.refuses(TOKEN, HERE), LimitReached)
    assert door.lets_in(TOKEN, THERE) == OPERATOR
    door.clock.seconds += EVERY_SECONDS
    assert door.lets_in(TOKEN, HERE) == OPERATOR


def test_many_addresses_together_are_limited_too(keyring: Keyring, key: str) -> None:
    """Those of one IPv6 network count as one."""
    door = Door(keyring, TOKEN)
    for number in range(AT_ONCE):
        door.refuses("guess", f"2001:db8::{number:x}")
    assert isinstance(door.refuses("guess", "2001:db8::ffff"), LimitReached)
    assert type(door.refuses("guess", "2001:db8:0:1::1")) is Unauthenticated
    for number in range(AT_ONCE * IN_ALL):
        door.refuses("guess", f"198.51.{number // 256}.{number % 256}")
    assert isinstance(door.refuses("guess", "203.0.113.9"), LimitReached)
    assert door.lets_in(key, "203.0.113.9")


def test_who_has_a_key_guesses_nothing(keyring: Keyring, keys: Keys) -> None:
    """An ended key, and one of another scope, are told so each time, and counted."""
    reading = keys.create("default", KeySettings(scopes=frozenset({Scope.READ}))).secret
    ended = keys.create("default")
    keys.revoke(ended.shown.prefix)
    keyring.refresh()
    door = Door(keyring)
    for _ in range(AT_ONCE + 1):
        with pytest.raises(Unauthenticated, match="is revoked"):
            door.lets_in(ended.secret)
        with pytest.raises(Forbidden, match="has the scope read; this needs ingest"):
            door.lets_in(reading, scope=Scope.INGEST)
    assert door.failed("read", "ended") == door.failed("ingest", "scope") == AT_ONCE + 1
