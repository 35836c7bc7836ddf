"""Time and ids that are the same in each run of a test."""

from itertools import count

_START = 946_684_800_000_000_000  # 2000-01-01T00:00:00Z
_STEP = 1_000_000


class Clock:
    """Tells nanoseconds since 1970: it starts with the year 2000, and each reading is a millisecond later.

    It is the clock of spans, their events, and log records alone; the application's own goes on as ever.
    """

    def __init__(self) -> None:
        self._now = _START

    def __call__(self) -> int:
        """Return the time, and go on by a millisecond."""
        now = self._now
        self._now += _STEP
        return now

    def advance(self, seconds: float) -> None:
        """Go on by so many seconds at once, as a slow request does; not back."""
        if seconds < 0:
            raise ValueError(f"a clock cannot go back: {seconds}")
        self._now += int(seconds * 1e9)


class Ids:
    """Counts trace ids and span ids from 1."""

    def __init__(self) -> None:
        self._trace_ids, self._span_ids = count(1), count(1)

    def trace_id(self) -> int:
        """Return the next trace id."""
        return next(self._trace_ids)

    def span_id(self) -> int:
        """Return the next span id."""
        return next(self._span_ids)
