"""The time, as something a test can set."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def time_ns(self) -> int:
        """Return nanoseconds since the Unix epoch."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start, never going back."""


class SystemClock:
    """The machine's clock."""

    def time_ns(self) -> int:
        """Return nanoseconds since the Unix epoch."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start, never going back."""
        return time.monotonic()
