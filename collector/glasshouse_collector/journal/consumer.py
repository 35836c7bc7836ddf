"""A consumer: the awaitable half of reading the journal."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from glasshouse_collector.core.batch import Run
from glasshouse_collector.journal.runs import Gathering, RunReader

T = TypeVar("T")

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_LEADER_SECONDS = 5.0


class Consumer:
    """A durable cursor over the journal, for one caller at a time.

    Each intact frame comes in exactly one run, in order, until the run is committed; a run that was
    not committed comes again first after a restart, the very same frames, with `origin.in_doubt`.
    Several runs may be out at once (up to `runs.MAX_OPEN_RUNS`) and be committed in any order.
    """

    def __init__(self, name: str, reader: RunReader, on_commit: Callable[[], None]) -> None:
        self.name = name
        self.reader = reader
        self._on_commit = on_commit
        self._told: list[asyncio.Event] = []
        self._led = asyncio.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"journal-{name}")
        self._ready: deque[Run] = deque()
        self._wake = asyncio.Event()
        self._wanted = (1, 1)
        self._noticed = (0, 0)
        self._stopping = asyncio.Event()
        self._closed = False
        self._complained = False

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def follow(self, leader: "Consumer") -> None:
        """Take the same runs as the leader, a moment later, so that what is made of one can be shared.

        While the leader is behind, or has stood still for some seconds, this consumer goes on alone.
        """
        self.reader.follow(leader.reader)
        leader.announce_to(self._led)

    def announce_to(self, formed: asyncio.Event) -> None:
        """Set the event whenever a run was formed."""
        self._told.append(formed)

    async def next_run(self, *, max_records: int, max_bytes: int, linger: float) -> Run | None:
        """Wait for frames and return them as a run, or None after `stop` or the journal's `close`.

        A run holds at least one frame, at most `max_records` records and `max_bytes` bytes of
        uncompressed payload unless its only frame is larger, and frames of one segment only. After the
        first frame is there, it waits up to `linger` seconds for more, unless a limit is reached. The
        run's bounds are in the cursor file (durably, where the journal's durability is "fsync") before
        it is returned. Cancelling loses nothing.
        """
        while not self.stopped:
            if self._ready:
                return self._ready.popleft()
            if self.reader.has_again:
                await self._in_thread(self._hand_out_again)
            elif self.reader.has_more():
                await self._until_led()
                await self._form_run(max_records, max_bytes, linger)
            else:
                self._noticed = (0, 0)
                await self._until_noticed(1, 1, None)
        return None

    async def commit(self, run: Run) -> None:
        """Mark the run delivered; it never comes again. After the journal's `close` it does, in doubt."""
        while not self._closed:
            if await self._in_thread(lambda: self._commit(run)):
                return

    def stop(self) -> None:
        """Let `next_run` return None, now and from now on; runs that are out may still be committed."""
        self._stopping.set()
        self._wake.set()
        self._led.set()

    def notice(self, records: int, raw_bytes: int) -> None:
        """Be told that so much more is durable; called by the journal."""
        self._noticed = (self._noticed[0] + records, self._noticed[1] + raw_bytes)
        if self._noticed[0] >= self._wanted[0] or self._noticed[1] >= self._wanted[1]:
            self._wake.set()

    async def close(self) -> None:
        """Stop, let what is being written end, and let go of the files; called by the journal."""
        self.stop()
        self._closed = True
        await asyncio.to_thread(self._thread.shutdown)
        self.reader.close()

    async def _form_run(self, max_records: int, max_bytes: int, linger: float) -> None:
        self._noticed = (0, 0)
        gathering = await self._in_thread(lambda: self._start(max_records, max_bytes, linger))
        if gathering is None or not gathering.frames:
            return
        if not gathering.complete and linger > 0:
            missing = max_records - gathering.records, max_bytes - gathering.raw_bytes
            await self._until_noticed(*missing, linger)
            if self.stopped:
                return
            await self._in_thread(lambda: self._end(gathering))
        for formed in self._told:
            formed.set()

    async def _until_led(self) -> None:
        """Wait for the leader to form the run that comes next, for some seconds."""
        self._led.clear()
        if self.reader.level_with_leader and not self.stopped:
            await _wait(self._led, _LEADER_SECONDS)

    def _start(self, max_records: int, max_bytes: int, linger: float) -> Gathering:
        gathering = self.reader.begin(max_records, max_bytes)
        self.reader.gather(gathering)
        if gathering.frames and (gathering.complete or linger <= 0):
            self._hand_out(self.reader.finish(gathering))
        return gathering

    def _end(self, gathering: Gathering) -> None:
        self.reader.gather(gathering)
        self._hand_out(self.reader.finish(gathering))

    def _hand_out_again(self) -> None:
        self._hand_out(self.reader.again())

    def _hand_out(self, run: Run | None) -> None:
        # By way of a queue, so that a run formed for a caller who was cancelled goes to the next.
        if run:
            self._ready.append(run)

    def _commit(self, run: Run) -> bool:
        self.reader.commit(run)
        self._on_commit()
        return True

    async def _until_noticed(self, records: int, raw_bytes: int, seconds: float | None) -> None:
        """Wait until so much more was noticed, `seconds` have passed, or `stop`."""
        self._wake.clear()
        self._wanted = (records, raw_bytes)
        self.notice(0, 0)
        if self.stopped:
            return
        await _wait(self._wake, seconds)

    async def _in_thread(self, call: Callable[[], T]) -> T | None:
        """Return what the call returns; None, after a while, where the disk refuses."""
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except OSError as refused:
            if not self._complained:
                logger.warning("the journal's consumer %s cannot go on, tries again: %s", self.name, refused)
            self._complained = True
            await _wait(self._stopping, _RETRY_SECONDS)
            return None
        self._complained = False
        return result


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
