"""Watches the store for log records that come, on behalf of all tails of this process."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final, TypeVar

from anyio import CapacityLimiter, to_thread

from glasshouse_collector.api.logs.batches import Arrival, Told
from glasshouse_collector.api.logs.finding import LATE, find_arrivals, find_newest
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.store import ProjectStore, QueryLimits
from glasshouse_collector.store.project_store import EVERY_PROJECT
from glasshouse_collector.store.store import INSERT_SECONDS

T = TypeVar("T")
log = logging.getLogger(__name__)

LIMITS: Final = QueryLimits(seconds=5.0, rows=100_000, memory=1 << 30, answer_bytes=16 << 20)
"""Of one question of a tail."""
CATCH_UP_LIMITS: Final = QueryLimits(seconds=30.0, rows=100_000, memory=1 << 30)
"""Of a look at all that is there."""
_LOOK_EVERY: Final = 1.0
_MARGIN: Final = INSERT_SECONDS + 15
"""How many seconds may lie between a part's time and the moment that it can be seen: no insert is slower.

A batch that a look passes over would be lost: those after it say that it was there."""
_MOST_KEPT: Final = 10_000
_AT_ONCE: Final = 2


class LogArrivals:
    """Looks for new batches once a second, as long as anyone follows.

    The store is asked, not this process's exporter: other collectors write there too.
    """

    def __init__(self, store_of: Callable[[str], ProjectStore]) -> None:
        self._store_of = store_of
        self._threads: CapacityLimiter | None = None
        self._joining = asyncio.Lock()
        self._followers: set[Follower] = set()
        self.newest = Told()
        """All that was seen in the store."""
        self._watching: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def followed(self, project: str) -> AsyncIterator["Follower"]:
        """Lend somebody who is told of what comes from now on; raises `EngineFailure`, `Problem`."""
        async with self._joining:
            if not self._followers:
                self.newest = await self.ask(EVERY_PROJECT, _newest)
                self._watching = asyncio.create_task(self._watch(), name="log arrivals")
            follower = Follower(project, self.newest.copy())
            self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            if not self._followers and self._watching is not None:
                self._watching.cancel()
                self._watching = None

    async def ask(self, project: str, question: Callable[[ProjectStore], T]) -> T:
        """Ask the store in a thread, a few at once; who is cancelled does not wait for the answer."""
        if self._threads is None:
            self._threads = CapacityLimiter(_AT_ONCE)
        return await to_thread.run_sync(
            lambda: question(self._store_of(project)), limiter=self._threads, abandon_on_cancel=True
        )

    async def _watch(self) -> None:
        looked, failed = time.monotonic(), False
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            began = time.monotonic()
            look = partial(_come, told=self.newest, changed_seconds=math.ceil(began - looked) + _MARGIN)
            try:
                come = await self.ask(EVERY_PROJECT, look)
            except Exception as failure:  # noqa: BLE001  (the tails would stand still for good)
                if not failed:
                    log.warning("tails of logs wait: the store cannot tell what is new: %s", failure)
                failed = True
                continue
            looked, failed = began, False
            for arrival in come:
                self.newest.advance(arrival.unit)
            for follower in self._followers:
                follower.add(come)


class Follower:
    """Gathers what came for one tail: names of batches, not their records."""

    def __init__(self, project: str, told: Told) -> None:
        self.told = told
        """All that was stored when the following began."""
        self.overrun = False
        """Whether too much came, and was forgotten: then the store is to be asked for all since."""
        self._project = project
        self._come: deque[Arrival] = deque()
        self._some = asyncio.Event()

    def add(self, come: list[Arrival]) -> None:
        """Take in what came, of the project."""
        mine = [it for it in come if self._project in {EVERY_PROJECT, *it.projects}]
        self._come.extend(mine)
        if len(self._come) > _MOST_KEPT:
            self._come.clear()
            self.overrun = True
        if mine:
            self._some.set()

    def take(self) -> list[Arrival]:
        """Return what came since the last time."""
        taken = list(self._come)
        self._come.clear()
        self._some.clear()
        return taken

    async def wait(self, seconds: float) -> None:
        """Wait until something came, and at most so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._some.wait(), seconds)


def around_now(back: int = 0) -> TimeRange:
    """Return the times of which a tail shows records: `LATE` around now, and `back` nanoseconds more."""
    now = time.time_ns()
    return TimeRange(max(0, now - LATE - back), now + LATE)


def _newest(store: ProjectStore) -> Told:
    return find_newest(store, around_now(), CATCH_UP_LIMITS)


def _come(store: ProjectStore, told: Told, changed_seconds: int) -> list[Arrival]:
    return find_arrivals(store, told, around_now(), changed_seconds, CATCH_UP_LIMITS)
