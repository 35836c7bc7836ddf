"""The thread that talks to the disk: it keeps what cannot be sent, makes room, and finds what others left."""

import logging
import time

from glasshouse.delivery.counter import Counter
from glasshouse.delivery.sender import Sender
from glasshouse.delivery.spool import Spool
from glasshouse.delivery.waiting import Entry, Waiting
from glasshouse.failures import contained

log = logging.getLogger("glasshouse")

THREAD_NAME = "glasshouse-spooler"
# What is not delivered by then goes to disk.
_MEMORY_SECONDS = 1.0
_SHARE_SECONDS = 1.0
_ADOPT_SECONDS = 10.0
_DISK_PAUSE = 5.0


class Spooler:
    """Moves batches from memory to disk once they are a second old, or at once where the endpoint is away."""

    def __init__(self, waiting: Waiting, sender: Sender, spool: Spool, counts: Counter) -> None:
        self._waiting = waiting
        self._sender = sender
        self._spool = spool
        self._counts = counts
        self._stopped = False
        self._closing = False
        self._broken_until = float("-inf")
        self._adopt_at = float("-inf")
        self._share_at = float("-inf")

    @property
    def broken(self) -> bool:
        """Whether the disk did not take the last batch."""
        return self._broken_until > float("-inf")

    def run(self) -> None:
        """Work until stopped."""
        while not self._stopped:
            done = False
            with contained("spooling telemetry"):
                self._wait()
                self.step()
                done = True
            if not done:
                with self._waiting.changed:
                    self._waiting.changed.wait(_DISK_PAUSE)

    def close(self) -> None:
        """From now on write whatever waits in memory, at once."""
        with self._waiting.changed:
            self._closing = True
            self._broken_until = float("-inf")
            self._waiting.changed.notify_all()

    def stop(self) -> None:
        """End `run`."""
        with self._waiting.changed:
            self._stopped = True
            self._waiting.changed.notify_all()

    def step(self) -> None:
        """Write what is due, make room, and adopt what dead processes left."""
        while not self._stopped and (entry := self._due()) is not None:
            if not self._write(entry):
                break
        now = time.monotonic()
        if self._waiting.disk_bytes and now >= self._share_at:
            self._share_at = now + _SHARE_SECONDS
            self._make_room()
        if now >= self._adopt_at and not self._closing:
            self._adopt_at = now + _ADOPT_SECONDS
            self._adopt()

    def _wait(self) -> None:
        with self._waiting.changed:
            while not self._stopped and self._due() is None:
                left = self._next_chore() - time.monotonic()
                if left <= 0:
                    return
                self._waiting.changed.wait(left)

    def _next_chore(self) -> float:
        moments = [self._adopt_at]
        if self._waiting.disk_bytes:
            moments.append(self._share_at)
        entry = self._waiting.oldest_in_memory()
        if entry is not None:
            moments.append(max(entry.since + _MEMORY_SECONDS, self._broken_until))
        return min(moments)

    def _due(self) -> Entry | None:
        entry = self._waiting.oldest_in_memory()
        now = time.monotonic()
        if entry is None or now < self._broken_until:
            return None
        away = self._sender.paces[entry.signal].away
        return entry if self._closing or away or now >= entry.since + _MEMORY_SECONDS else None

    def _write(self, entry: Entry) -> bool:
        batch = entry.batch
        if batch is None:  # it was delivered meanwhile
            return True
        try:
            stored = self._spool.write(batch)
        except OSError as failure:
            self._trouble(failure)
            return False
        self._broken_until = float("-inf")
        if self._waiting.on_disk(entry, stored):
            self._counts.add(spooled=1)
            if self._spool.overflows(self._waiting.disk_bytes):
                self._make_room()
        else:
            self._spool.remove(stored)
        return True

    def _trouble(self, failure: OSError) -> None:
        if not self.broken:
            log.warning(
                "telemetry cannot be kept on disk, it waits in memory: %s (setting spool_dir)", failure
            )
        self._broken_until = float("inf") if self._closing else time.monotonic() + _DISK_PAUSE

    def _make_room(self) -> None:
        excess = self._spool.excess(self._waiting.disk_bytes)
        dropped = 0
        while excess > 0 and (entry := self._waiting.oldest_on_disk()) is not None:
            stored = entry.stored
            if stored is None or not self._waiting.settle(entry):
                continue
            self._spool.remove(stored)
            excess -= stored.disk_bytes
            dropped += 1
        if dropped and not self._counts.add(dropped=dropped).dropped:
            log.warning("the spool is full: the oldest batches are dropped (setting spool_bytes)")

    def _adopt(self) -> None:
        try:
            inherited = self._spool.adopt()
        except OSError as failure:
            self._trouble(failure)
            return
        if inherited:
            self._waiting.adopt(inherited)
            self._make_room()
