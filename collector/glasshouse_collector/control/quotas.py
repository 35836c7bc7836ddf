"""What each key may send: records a second, and bytes a day."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from threading import Lock
from typing import Final

from glasshouse_collector.control.keys import KeySettings
from glasshouse_collector.control.models import utc_now
from glasshouse_collector.control.usage import KeyDay, Sent
from glasshouse_collector.core.errors import LimitReached

BURST_SECONDS: Final = 10
"""A key that was silent this long may send as many seconds' records at once."""
_NOTHING: Final = Sent(0, 0)


@dataclass(slots=True)
class _Bucket:
    """Records that may be sent; below zero where more were, which has to be waited for."""

    level: float
    filled_at: datetime

    def fill(self, rate: int, now: datetime) -> None:
        passed = max(0.0, (now - self.filled_at).total_seconds())
        self.level = min(self.level + passed * rate, float(rate * BURST_SECONDS))
        self.filled_at = now


class KeyQuotas:
    """Counts what keys send, and refuses what is over their limits; any thread may ask.

    A request is let in where anything is left, however large it is: it can make a debt, which the
    following ones wait for, so that none is too large ever to be taken. Records a second are counted
    by each collector for itself. Bytes are those of the protobuf requests, uncompressed, of the day in
    UTC, and of all collectors on one database as of the last refresh of each.
    """

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._lock = Lock()
        self._known: frozenset[str] = frozenset()
        self._limited: Mapping[str, KeySettings] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._written: tuple[date, Mapping[str, int]] = (date.min, {})
        self._unwritten: dict[KeyDay, Sent] = {}
        self._being_written: dict[KeyDay, Sent] = {}

    def admit(self, key: str) -> None:
        """Return where the key may send something now; raises `LimitReached`."""
        limits = self._limited.get(key)
        if limits is None:
            return
        now = self._now()
        with self._lock:
            if limits.records_per_second is not None:
                self._check_rate(key, limits.records_per_second, now)
            if limits.bytes_per_day is not None:
                self._check_volume(key, limits.bytes_per_day, now)

    def book(self, key: str, records: int, size: int) -> None:
        """Note `records` of `size` bytes as sent; negative where they were not kept after all."""
        if key not in self._known:
            return
        of = KeyDay(key, self._now().date())
        with self._lock:
            before = self._unwritten.get(of, _NOTHING)
            self._unwritten[of] = Sent(before.records + records, before.bytes + size)
            bucket = self._buckets.get(key)
            if bucket is not None:
                bucket.level -= records

    def begin_writing(self) -> Mapping[KeyDay, Sent]:
        """Return what is not in the database yet; `written` or `not_written` has to follow."""
        with self._lock:
            self._being_written, self._unwritten = self._unwritten, {}
            return self._being_written

    def written(self, keys: Mapping[str, KeySettings], day: date, sums: Mapping[str, int]) -> None:
        """Take over what the database says: which keys there are, and what they sent that day."""
        limited = {
            prefix: settings
            for prefix, settings in keys.items()
            if settings.records_per_second is not None or settings.bytes_per_day is not None
        }
        with self._lock:
            self._being_written = {}
            self._known, self._limited, self._written = frozenset(keys), limited, (day, sums)
            self._buckets = {key: kept for key, kept in self._buckets.items() if key in limited}

    def not_written(self) -> None:
        """Keep what could not be written for the next time."""
        with self._lock:
            for of, sent in self._being_written.items():
                more = self._unwritten.get(of, _NOTHING)
                self._unwritten[of] = Sent(sent.records + more.records, sent.bytes + more.bytes)
            self._being_written = {}

    def _check_rate(self, key: str, rate: int, now: datetime) -> None:
        bucket = self._buckets.get(key)
        if bucket is None:
            self._buckets[key] = _Bucket(float(rate * BURST_SECONDS), now)
            return
        bucket.fill(rate, now)
        if bucket.level <= 0:
            wait = max(1.0, -bucket.level / rate)
            raise LimitReached(
                "quota_rate",
                wait,
                f"the key {key} may send {rate} records a second and sent more: send again in {wait:.0f} s",
            )

    def _check_volume(self, key: str, most: int, now: datetime) -> None:
        today = now.date()
        day, sums = self._written
        used = sums.get(key, 0) if day == today else 0
        of = KeyDay(key, today)
        used += self._being_written.get(of, _NOTHING).bytes + self._unwritten.get(of, _NOTHING).bytes
        if used >= most:
            midnight = datetime.combine(today + timedelta(days=1), time(), UTC)
            raise LimitReached(
                "quota_volume",
                max(1.0, (midnight - now).total_seconds()),
                f"the key {key} may send {most} bytes a day and has: send again from 00:00 UTC, "
                "or have its bytes_per_day raised",
            )
