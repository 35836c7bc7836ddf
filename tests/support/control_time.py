"""The time, for tests of what ends."""

from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Time:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = BEGINNING

    def __call__(self) -> datetime:
        """Return it."""
        return self.now

    def passes(self, span: timedelta) -> None:
        """Let some time go by."""
        self.now += span
