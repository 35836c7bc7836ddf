"""Payloads that were just written, kept for the readers that are close behind."""

import threading
from collections import OrderedDict

Place = tuple[int, int]
"""A frame's segment and offset."""


class RecentPayloads:
    """Spares a reader the decompression of what was compressed a moment ago: a tenth of all CPU under load.

    Holds at most `max_bytes`, the newest; each payload goes once every one of `readers` has had it.
    """

    def __init__(self, max_bytes: int) -> None:
        self.readers = 0
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[Place, tuple[bytes, int]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, place: Place, payload: bytes) -> None:
        """Keep a payload for its readers, at the cost of the oldest."""
        with self._lock:
            if not self.readers:
                return
            self._kept[place] = (payload, self.readers)
            self._bytes += len(payload)
            while self._bytes > self._max_bytes:
                _, (oldest, _) = self._kept.popitem(last=False)
                self._bytes -= len(oldest)

    def take(self, place: Place) -> bytes | None:
        """Return a payload to one of its readers; None where it is not kept."""
        with self._lock:
            payload, readers = self._kept.get(place, (None, 0))
            if payload is not None and readers > 1:
                self._kept[place] = (payload, readers - 1)
            elif payload is not None:
                del self._kept[place]
                self._bytes -= len(payload)
            return payload
