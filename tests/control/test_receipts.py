"""Rows of requests with an Idempotency-Key, in both databases."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from control_time import Time
from glasshouse_collector.control import Database, Receipts


@dataclass
class Segments:
    """What is asked of a journal: its id, and which of its segments are there."""

    id: str = "0a1b2c3d"
    place: int = 7
    there: set[int] = field(default_factory=lambda: {7})

    def has_all_since(self, place: int) -> bool:
        """Whether the segment is still there."""
        return place in self.there


def test_of_many_tries_at_once_one_is_the_first(database: Database, time: Time) -> None:
    """In whichever collectors they arrive."""
    collectors = [Receipts(database, Segments(id=f"{number:08x}"), time) for number in range(4)]
    with ThreadPoolExecutor(4) as threads:
        begun = list(threads.map(lambda each: each.begin("shop", "key", b"body"), collectors))
    assert sorted(receipt.new for receipt in begun) == [False, False, False, True]
    assert len({receipt.mark for receipt in begun}) == 1
    first = next(receipt for receipt in begun if receipt.new)
    collectors[0].finish(first)
    again = collectors[1].begin("shop", "key", b"other body")
    assert (again.state, again.new) == ("kept", False)
    assert again.body_hash == first.body_hash
    assert collectors[1].begin("bank", "key", b"body").new


def test_a_forgotten_request_is_the_first_again(database: Database, time: Time) -> None:
    """And noting the earlier try's end then changes nothing."""
    receipts = Receipts(database, Segments(), time)
    first = receipts.begin("shop", "key", b"body")
    receipts.forget(first)
    second = receipts.begin("shop", "key", b"body")
    assert (second.new, second.mark != first.mark) == (True, True)
    receipts.finish(first)
    assert receipts.begin("shop", "key", b"body").state == "begun"


def test_what_became_of_cut_off_requests_is_found_out(database: Database, time: Time) -> None:
    """Of one's own journal, and of an earlier process alone."""
    segments = Segments()
    earlier = Receipts(database, segments, time)
    found, missing = (earlier.begin("shop", key, b"body") for key in ("found", "missing"))
    segments.place = 5
    earlier.begin("shop", "gone", b"body")
    Receipts(database, Segments(id="another"), time).begin("shop", "another's", b"body")
    asked: list[datetime] = []

    def tails(since: datetime) -> set[bytes]:
        asked.append(since)
        return {found.mark, b"x" * 16}

    earlier.settle(tails)
    assert asked == []  # its own requests are still under way
    now = Receipts(database, segments, time)
    now.settle(tails)
    assert [since < time() for since in asked] == [True]
    states = {key: now.begin("shop", key, b"body") for key in ("found", "missing", "gone", "another's")}
    assert {key: (receipt.state, receipt.new) for key, receipt in states.items()} == {
        "found": ("kept", False),
        "missing": ("begun", True),
        "gone": ("lost", False),
        "another's": ("begun", False),
    }
    assert states["missing"].mark != missing.mark
    now.settle(tails)
    assert len(asked) == 1
