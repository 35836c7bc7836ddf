"""What became of the batches, counted since the process started."""

import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of batches, but for `rejected`, which counts spans, log records or data points."""

    sent: int = 0
    """delivered, at once or later"""
    spooled: int = 0
    """written to disk because they could not be delivered within a second"""
    replayed: int = 0
    """delivered from the disk, by this process or for one that ended before; they are in `sent` too"""
    dropped: int = 0
    """lost: the oldest made room in a full spool or a full memory, or the process ended without a spool"""
    refused: int = 0
    """refused by the endpoint for good, or damaged on disk: dead letters"""
    rejected: int = 0
    """records that the endpoint left out of a batch that it took"""


class Counter:
    """Counts, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()

    def add(self, **more: int) -> Counts:
        """Add to the numbers named; return what they all were before."""
        with self._lock:
            before = self._counts
            self._counts = replace(before, **{name: getattr(before, name) + n for name, n in more.items()})
            return before

    def now(self) -> Counts:
        """Return the numbers."""
        return self._counts
