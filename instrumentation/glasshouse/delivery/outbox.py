"""The outbox of a process: what the exporters hand over, until it is delivered.

exporters' threads ──put──▶ memory ──sender──▶ endpoint
│  ▲
spooler ▼  │ sender, oldest first
disk ◀── folders of processes that ended
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from glasshouse.delivery import sender as sending
from glasshouse.delivery import spooler as spooling
from glasshouse.delivery.batch import Batch, Signal
from glasshouse.delivery.counter import Counter, Counts
from glasshouse.delivery.destinations import Destination, Destinations
from glasshouse.delivery.process_folder import abandon_inherited
from glasshouse.delivery.sender import Sender
from glasshouse.delivery.spool import Spool
from glasshouse.delivery.spooler import Spooler
from glasshouse.delivery.waiting import Entry, Waiting

log = logging.getLogger("glasshouse")

MEMORY_BYTES = 32 << 20
_TICK = 0.1
_DISK_GRACE = 3.0


class ClosedError(Exception):
    """The outbox takes nothing any more: it was closed."""


@dataclass(frozen=True, slots=True)
class _Works:
    """What one process has of its own; a forked child gets new ones."""

    waiting: Waiting
    spool: Spool | None
    counts: Counter
    sender: Sender
    spooler: Spooler | None
    starting: threading.Lock
    threads: list[threading.Thread]


class Outbox:
    """Takes batches without waiting for disk or network, and delivers each at least once, or counts it.

    What is not delivered within a second is on disk, and survives the process; what the bounds of memory
    and disk have no room for is dropped, oldest first, and counted.
    """

    def __init__(
        self,
        destinations: Destinations,
        make_spool: Callable[[], Spool | None],
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._destinations = destinations
        self._make_spool = make_spool
        self._memory_bytes = memory_bytes
        self._works = self._make_works()
        self._closed = False

    @property
    def counts(self) -> Counts:
        """What became of the batches so far."""
        return self._works.counts.now()

    @property
    def spool(self) -> Spool | None:
        """What keeps the batches on disk; None without a disk."""
        return self._works.spool

    def waiting(self) -> list[Entry]:
        """Return what waits, oldest first."""
        return self._works.waiting.entries()

    def waiting_bytes(self) -> tuple[int, int]:
        """Return how much waits in memory and on disk."""
        return self._works.waiting.memory_bytes, self._works.waiting.disk_bytes

    def start(self) -> None:
        """Start the threads, unless they run; nothing happens while the interpreter ends."""
        works = self._works
        if works.threads:
            return
        with works.starting:
            if works.threads:
                return
            threads = [threading.Thread(target=works.sender.run, name=sending.THREAD_NAME, daemon=True)]
            if works.spooler is not None:
                threads.append(
                    threading.Thread(target=works.spooler.run, name=spooling.THREAD_NAME, daemon=True)
                )
            try:
                for thread in threads:
                    thread.start()
                    works.threads.append(thread)
            except RuntimeError as ending:
                log.debug("no thread for telemetry: %s", ending)

    def put(self, batch: Batch, destination: Destination) -> None:
        """Take a batch over, without waiting; ClosedError after `close`."""
        if self._closed:
            raise ClosedError
        self._destinations.remember(batch.signal, destination)
        dropped = self._works.waiting.put(batch)
        if dropped and not self._works.counts.add(dropped=dropped).dropped:
            log.warning("too much telemetry waits in memory: the oldest batches are dropped")
        self.start()

    def signal_of(self, url: str) -> Signal | None:
        """Return the signal that goes to an address."""
        return self._destinations.signal_of(url)

    def flush(self, timeout: float) -> bool:
        """Try to deliver what waits, and return whether all of it was, and nothing refused or dropped.

        It takes at most `timeout` seconds, and less where an attempt fails and all of it is on disk.
        """
        works, started = self._works, time.monotonic()
        before = works.counts.now()
        works.sender.hurry()

        def over() -> bool:
            return not len(works.waiting) or (self._safe(works) and works.sender.hopeless_since(started))

        self._work_until(works, over, started + timeout)
        after = works.counts.now()
        lost = (after.dropped, after.refused) != (before.dropped, before.refused)
        return not len(works.waiting) and not lost

    def retry_refused(self) -> int:
        """Let dead letters wait to be sent again; return how many."""
        works = self._works
        again = works.spool.retry_refused() if works.spool is not None else []
        works.waiting.adopt(again)
        return len(again)

    def close(self, timeout: float) -> None:
        """Keep on disk what waits in memory, and deliver what can be, at most `timeout` seconds long.

        A slow disk may take some seconds more.

        What is on disk then is for the next process; what is only in memory is lost, counted and logged.
        """
        if self._closed:
            return
        self._closed = True
        works, started = self._works, time.monotonic()
        if works.spooler is not None:
            works.spooler.close()
        self.flush(timeout)
        works.sender.stop()
        # What could not be sent in time still gets to the disk, which takes milliseconds where it is well.
        self._work_until(works, lambda: self._safe(works), time.monotonic() + _DISK_GRACE)
        unsafe = [entry for entry in works.waiting.entries() if entry.stored is None]
        lost = [entry for entry in unsafe if works.waiting.settle(entry)]
        if lost:
            works.counts.add(dropped=len(lost))
            log.warning("the process ends, and %d batches of telemetry are lost", len(lost))
        self._stop(works, started + timeout)

    def after_fork(self) -> None:
        """Begin anew in a forked child: what waits belongs to the parent, which sends it."""
        abandon_inherited()
        self._destinations.after_fork()
        self._works = self._make_works()

    def _make_works(self) -> _Works:
        waiting, spool, counts = Waiting(self._memory_bytes), self._make_spool(), Counter()
        sender = Sender(waiting, self._destinations, spool, counts)
        spooler = Spooler(waiting, sender, spool, counts) if spool is not None else None
        return _Works(waiting, spool, counts, sender, spooler, threading.Lock(), [])

    def _safe(self, works: _Works) -> bool:
        """Whether nothing more can be done for what is in memory."""
        return works.spooler is None or works.waiting.memory_bytes == 0 or works.spooler.broken

    def _work_until(self, works: _Works, over: Callable[[], bool], deadline: float) -> None:
        self.start()
        while not over() and (left := deadline - time.monotonic()) > 0:
            if any(thread.is_alive() for thread in works.threads):
                with works.waiting.changed:
                    works.waiting.changed.wait_for(over, min(left, _TICK))
                continue
            # Python starts no threads while it ends: this one does their work.
            if works.spooler is not None:
                works.spooler.step()
            works.sender.step(time.monotonic() + min(left, _TICK))

    def _stop(self, works: _Works, deadline: float) -> None:
        works.sender.stop()
        if works.spooler is not None:
            works.spooler.stop()
        for thread in works.threads:
            # Where the endpoint hangs, the thread stays behind: it is a daemon.
            thread.join(max(_TICK, deadline - time.monotonic()))
        if works.spool is not None:
            works.spool.close()
        if not any(thread.is_alive() for thread in works.threads):
            self._destinations.close()
