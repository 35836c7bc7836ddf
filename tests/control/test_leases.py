"""Jobs that one of many collectors does, in both databases."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from collector_process import until
from glasshouse_collector.control.database import Database
from glasshouse_collector.control.leases import Leases


class Seconds:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """Return it."""
        return self.now


def test_of_many_at_once_one_holds_it(database: Database) -> None:
    """And goes on to; it is the holder's to renew."""
    leases = Leases(database)
    names = [f"collector-{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        held = list(threads.map(lambda name: leases.hold("insights", name, 600), names))
    assert held.count(True) == 1
    assert [leases.hold("insights", name, 600) for name in names] == held


def test_jobs_are_held_each_by_itself(database: Database) -> None:
    """Another job's lease is another."""
    leases = Leases(database)
    assert leases.hold("insights", "a", 600)
    assert leases.hold("reports", "b", 600)
    assert not leases.hold("insights", "b", 600)


def test_what_a_killed_holder_held_is_anybodys_when_it_ends(database: Database) -> None:
    """By the time of the database."""
    leases = Leases(database)
    assert leases.hold("insights", "killed", 0.3)
    until(lambda: leases.hold("insights", "next", 600), "the lease has ended")
    assert not leases.hold("insights", "killed", 600), "who comes back has lost it"


def test_it_ends_when_it_was_said_to(tmp_path: Path) -> None:
    """Neither before nor later; renewing moves the end."""
    database, clock = Database.open(f"sqlite:///{tmp_path / 'control.db'}"), Seconds()
    leases = Leases(database, clock)
    assert leases.hold("insights", "a", 90)
    clock.now += 60
    assert leases.hold("insights", "a", 90)
    clock.now += 89
    assert not leases.hold("insights", "b", 90)
    clock.now += 1
    assert leases.hold("insights", "b", 90)
    database.close()


def test_who_stops_lets_the_next_one_take_over_at_once(database: Database) -> None:
    """Nobody else can let go of it."""
    leases = Leases(database)
    assert leases.hold("insights", "a", 600)
    leases.release("insights", "b")
    assert not leases.hold("insights", "b", 600)
    leases.release("insights", "a")
    assert leases.hold("insights", "b", 600)
