"""Wrong keys, counted by where they come from, so that nobody can try many."""

import ipaddress
from collections import OrderedDict
from functools import lru_cache
from threading import Lock
from typing import Final

from glasshouse_collector.core.clock import Clock

AT_ONCE: Final = 10
"""Wrong keys that an address may send before it has to wait for each further one."""
EVERY_SECONDS: Final = 6.0
IN_ALL: Final = 50
"""How many times as much all addresses together may."""
_MOST_ADDRESSES: Final = 10_000
"""Remembered; who was heard of longest ago is forgotten first."""
_ONE_SENDER_IPV6: Final = 64
"""Bits of an IPv6 address that one sender cannot choose."""


class FailedAttempts:
    """Says how long an address has to wait until it may try another key; any thread may ask."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._all = _Bucket(AT_ONCE * IN_ALL, EVERY_SECONDS / IN_ALL)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, address: str) -> float:
        """Return the seconds until the address may try; 0: it may now."""
        now = self._clock.monotonic()
        with self._lock:
            bucket = self._buckets.get(sender(address))
            return max(self._all.wait(now), bucket.wait(now) if bucket else 0.0)

    def note(self, address: str) -> None:
        """Note that it tried, and failed."""
        now, known_as = self._clock.monotonic(), sender(address)
        with self._lock:
            bucket = self._buckets.setdefault(known_as, _Bucket(AT_ONCE, EVERY_SECONDS))
            self._buckets.move_to_end(known_as)
            if len(self._buckets) > _MOST_ADDRESSES:
                self._buckets.popitem(last=False)
            bucket.take(now)
            self._all.take(now)


class _Bucket:
    """Attempts that are left, as the time at which all will be there again."""

    __slots__ = ("_every", "_full_at", "_most")

    def __init__(self, most: int, every: float) -> None:
        self._most = most
        self._every = every
        self._full_at = 0.0

    def wait(self, now: float) -> float:
        return max(0.0, self._full_at - now - (self._most - 1) * self._every)

    def take(self, now: float) -> None:
        # Who tries on while waiting does not wait for longer.
        self._full_at = min(max(self._full_at, now) + self._every, now + self._most * self._every)


@lru_cache(maxsize=4096)
def sender(address: str) -> str:
    """Return the address, of IPv6 the network that one sender has to itself."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.IPv6Network((address, _ONE_SENDER_IPV6), strict=False))
    except ValueError:
        return address
