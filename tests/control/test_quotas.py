"""What a key may send: how much is let in, and what is told to whoever sends more."""

from datetime import timedelta

import pytest

from control_time import Time
from glasshouse_collector.control import Database, DayUsage, KeyQuotas, Keyring, Keys, KeySettings
from glasshouse_collector.control.quotas import BURST_SECONDS
from glasshouse_collector.control.usage import KEPT
from glasshouse_collector.core.errors import LimitReached

SECOND = timedelta(seconds=1)
RATE = 100


class Sender:
    """Who sends with one key through one collector."""

    def __init__(self, database: Database, time: Time, key: str) -> None:
        self.key = key
        self.quotas = KeyQuotas(time)
        self.keyring = Keyring(database, time, self.quotas)
        self.keyring.refresh()

    def sends(self, records: int, size: int = 1) -> None:
        """Send a request; raises `LimitReached`."""
        self.quotas.admit(self.key)
        self.quotas.book(self.key, records, size)

    def is_refused(self, limit: str) -> float:
        """Return for how long the next request has to wait."""
        with pytest.raises(LimitReached, match=f"the key {self.key} may send") as refused:
            self.quotas.admit(self.key)
        assert refused.value.limit == limit
        return refused.value.retry_after


def sender(
    database: Database,
    keys: Keys,
    time: Time,
    *,
    records_per_second: int | None = None,
    bytes_per_day: int | None = None,
) -> Sender:
    """Return a sender with a new key."""
    settings = KeySettings(records_per_second=records_per_second, bytes_per_day=bytes_per_day)
    return Sender(database, time, keys.create("default", settings).shown.prefix)


def test_a_rate_holds_on_average(database: Database, keys: Keys, time: Time) -> None:
    """A burst of ten seconds' records goes through, then what comes in at the rate; never more."""
    one = sender(database, keys, time, records_per_second=RATE)
    accepted = 0
    for _ in range(3000):
        try:
            one.sends(10)
            accepted += 10
        except LimitReached:
            pass
        time.passes(SECOND / 50)
    assert accepted == pytest.approx(RATE * (60 + BURST_SECONDS), abs=20)


def test_a_large_request_is_waited_for_afterwards(database: Database, keys: Keys, time: Time) -> None:
    """None is too large ever to be taken; the next has to wait until the rate has caught up."""
    one = sender(database, keys, time, records_per_second=RATE)
    one.quotas.admit(one.key)
    one.sends(RATE * BURST_SECONDS + 30 * RATE)
    assert one.is_refused("quota_rate") == pytest.approx(30)
    time.passes(29 * SECOND)
    assert one.is_refused("quota_rate") == pytest.approx(1)
    time.passes(1.01 * SECOND)
    one.sends(1)


def test_what_was_not_kept_does_not_count(database: Database, keys: Keys, time: Time) -> None:
    """A request that the journal could not take is booked back."""
    one = sender(database, keys, time, records_per_second=RATE, bytes_per_day=1000)
    one.sends(RATE * BURST_SECONDS + 1, 1000)
    one.is_refused("quota_rate")
    one.quotas.book(one.key, -RATE * BURST_SECONDS - 1, -1000)
    one.sends(1)


def test_a_days_bytes_are_told_to_come_back_after_midnight(
    database: Database, keys: Keys, time: Time
) -> None:
    """In UTC; the request that reaches the limit is the last."""
    one = sender(database, keys, time, bytes_per_day=1000)
    one.sends(1, 999)
    one.sends(1, 500)
    assert one.is_refused("quota_volume") == timedelta(hours=12).total_seconds()
    time.passes(timedelta(hours=12) - SECOND)
    assert one.is_refused("quota_volume") == 1
    time.passes(SECOND)
    one.sends(1, 999)


def test_a_days_bytes_survive_a_restart_and_are_those_of_all_collectors(
    database: Database, keys: Keys, time: Time
) -> None:
    """Each knows what the others sent from the refresh on that follows theirs."""
    here = sender(database, keys, time, bytes_per_day=1000)
    there = Sender(database, time, here.key)
    here.sends(3, 600)
    there.sends(2, 300)
    here.keyring.refresh()
    there.keyring.refresh()
    assert keys.usage(here.key) == [DayUsage(time().date(), 5, 900)]
    there.sends(1, 100)
    there.is_refused("quota_volume")
    here.sends(1, 1)
    there.keyring.refresh()
    here.keyring.refresh()
    here.is_refused("quota_volume")
    Sender(database, time, here.key).is_refused("quota_volume")
    assert keys.usage(here.key) == [DayUsage(time().date(), 7, 1001)]


def test_limits_are_each_keys_own(database: Database, keys: Keys, time: Time) -> None:
    """One key's sending takes nothing from another; without a limit there is none, nor without a key."""
    one = sender(database, keys, time, records_per_second=1)
    other = sender(database, keys, time, records_per_second=1)
    free = sender(database, keys, time)
    one.keyring.refresh()
    one.sends(10**6)
    one.is_refused("quota_rate")
    one.quotas.admit(other.key)
    for key in (free.key, "", "auth_token"):
        free.quotas.book(key, 10**9, 10**15)
        free.quotas.admit(key)
    free.keyring.refresh()
    assert keys.usage(free.key) == [DayUsage(time().date(), 10**9, 10**15)]


def test_usage_is_kept_for_some_more_than_a_year(database: Database, keys: Keys, time: Time) -> None:
    """By day, the latest first; what is older is deleted."""
    one = sender(database, keys, time)
    first = time().date()
    one.sends(1, 10)
    one.keyring.refresh()
    time.passes(KEPT)
    one.sends(2, 20)
    one.keyring.refresh()
    both = [DayUsage(time().date(), 2, 20), DayUsage(first, 1, 10)]
    assert keys.usage(one.key, days=1000) == both
    assert keys.usage(one.key) == both[:1]
    time.passes(timedelta(days=1))
    one.keyring.refresh()
    assert keys.usage(one.key, days=1000) == both[:1]
