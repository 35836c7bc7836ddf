"""Bounds the memory of requests that are being read or answered, however many there are at once."""

from typing import Self

from glasshouse_collector.core.errors import Backpressure

_RETRY_SECONDS = 1.0


class Unfinished:
    """The bytes that all unfinished requests hold together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held_bytes = 0


class Held:
    """What one request holds, until the end of its `with` block."""

    def __init__(self, unfinished: Unfinished) -> None:
        self._unfinished = unfinished
        self._held_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._unfinished.held_bytes -= self._held_bytes

    def add(self, size: int) -> None:
        """Hold `size` bytes more; raises `Backpressure` where that is too much, but not for one alone."""
        self._held_bytes += size
        total = self._unfinished.held_bytes = self._unfinished.held_bytes + size
        if total > self._unfinished.limit and total > self._held_bytes:
            raise Backpressure(_RETRY_SECONDS, "the collector is reading too many large requests at once")
