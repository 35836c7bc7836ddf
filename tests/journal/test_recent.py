"""Payloads kept for readers close behind."""

from glasshouse_collector.journal.recent import RecentPayloads


def test_each_reader_has_a_payload_once() -> None:
    """Then it is gone, and takes no memory."""
    recent = RecentPayloads(100)
    recent.readers = 2
    recent.keep((0, 64), b"one")
    assert [recent.take((0, 64)) for _ in range(3)] == [b"one", b"one", None]
    assert recent.take((1, 64)) is None


def test_the_oldest_makes_room() -> None:
    """However much is written and never read, no more than the bound is kept."""
    recent = RecentPayloads(100)
    recent.readers = 1
    for number in range(50):
        recent.keep((0, number), bytes(30))
    assert [number for number in range(50) if recent.take((0, number))] == [47, 48, 49]
    recent.keep((0, 99), bytes(101))
    assert recent.take((0, 99)) is None


def test_nothing_is_kept_for_nobody() -> None:
    """A journal without consumers holds no payloads."""
    recent = RecentPayloads(100)
    recent.keep((0, 0), b"one")
    recent.readers = 1
    assert recent.take((0, 0)) is None
