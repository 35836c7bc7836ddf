"""Tells of log records as they are stored."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final, TypeVar

import orjson

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.event_stream import beginning, event, heartbeat
from glasshouse_collector.api.logs.arrivals import (
    CATCH_UP_LIMITS,
    LIMITS,
    Follower,
    LogArrivals,
    around_now,
)
from glasshouse_collector.api.logs.batches import NANOSECONDS_A_DAY, WHOLE, Arrival, Told, parse_batch
from glasshouse_collector.api.logs.finding import LATE, find_arrivals
from glasshouse_collector.api.logs.model import LogRecord
from glasshouse_collector.api.logs.place import parse_id
from glasshouse_collector.api.logs.reading import LogQuestion, read_page
from glasshouse_collector.api.logs.tail_place import TailPlace
from glasshouse_collector.api.logs.tail_reading import (
    MOST_UNITS,
    Page,
    WaitingUnits,
    count_units,
    read_units,
)
from glasshouse_collector.api.problems import Problem, unavailable
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store.engine import EngineFailure

T = TypeVar("T")

log = logging.getLogger(__name__)

MOST_BEHIND: Final = 10_000
"""Records that wait for a reader; of more, the oldest are left out."""
_PAGE: Final = 500
_PAUSE_SECONDS: Final = 0.25
"""After a full page: nobody reads faster, and the records come out of what ingestion needs too."""
_HEARTBEAT_SECONDS: Final = 15.0
_AGAIN_SECONDS: Final = 1.0
_RECONNECT_MS: Final = 2000
_RESUMABLE_SECONDS: Final = 3600
_LAST_WITHIN: Final = 24 * 3600 * 10**9
_NANOSECONDS: Final = 10**9


@dataclass(frozen=True, slots=True)
class TailQuestion:
    """Which records are told, of which project; how many of before, or from where on."""

    project: str
    conditions: Conditions
    last: int
    resumed: TailPlace | None = None
    most_behind: int = MOST_BEHIND


class LogTail:
    """One tail: `events` yields server-sent events, and never ends by itself.

    It holds one page of records and the names of the batches that wait; where too many records wait, the
    oldest are left out, and an event says so.
    """

    def __init__(self, arrivals: LogArrivals, asked: TailQuestion) -> None:
        self._arrivals = arrivals
        self._asked = asked
        self._told = Told()
        self._queued = Told()
        self._queue: deque[Arrival] = deque()
        self._uncounted = False
        self._page = _PAGE
        self._looked = time.time_ns()

    async def events(self) -> AsyncGenerator[bytes, None]:
        """Yield events, each record's with an id to resume from; at first, raises `Problem`."""
        try:
            async with self._arrivals.followed(self._asked.project) as follower:
                begun = await self._begin(follower)
                yield beginning(_RECONNECT_MS, self._id())
                for told in begun:
                    yield told
                while True:
                    for told in await self._next(follower):
                        yield told
        except EngineFailure as failure:  # at the beginning: later ones are waited for
            raise unavailable(str(failure)) from None

    async def _begin(self, follower: Follower) -> list[bytes]:
        resumed = self._asked.resumed
        away = int(time.time()) - resumed.at if resumed else 0
        if resumed is None or away > _RESUMABLE_SECONDS:
            self._told, self._queued = follower.told.copy(), follower.told
            if resumed is None:
                return [self._record(record) for record in await self._before()]
            now = time.time_ns()
            return [self._gap(None, TimeRange(resumed.at * _NANOSECONDS, now))]
        self._told, self._queued = resumed.told.copy(), resumed.told
        await self._catch_up(max(0, away) * _NANOSECONDS)
        return []

    async def _before(self) -> list[LogRecord]:
        """Return the records before the tail, the oldest first: none of what is still to be told."""
        if not self._asked.last:
            return []
        window = around_now()
        within = TimeRange(max(0, window.end - LATE - _LAST_WITHIN), window.end)
        asked = LogQuestion(self._asked.conditions, within, "newest", self._asked.last, "")
        page = await self._ask(partial(read_page, asked=asked, limits=LIMITS))
        return [record for record in reversed(page.logs) if self._is_before(record, window)]

    def _is_before(self, record: LogRecord, window: TimeRange) -> bool:
        place = parse_id(record.id)
        batch = parse_batch(place.batch)
        if batch is None or place.time < window.start:
            return True
        return self._told.has(batch, place.time // NANOSECONDS_A_DAY)

    async def _next(self, follower: Follower) -> list[bytes]:
        """Return the next events, as soon as there are some."""
        try:
            await self._take(follower)
            if not self._queue:
                await follower.wait(_HEARTBEAT_SECONDS)
                await self._take(follower)
            if not self._queue:
                return [heartbeat(self._id())]
            left_out = await self._leave_out()
            chosen = list(islice(self._queue, MOST_UNITS))
            page = await self._read(chosen)
        except (EngineFailure, Problem) as failure:
            return await self._without(failure)
        events = [*left_out, *self._records(page, chosen)]
        if not page.complete:
            await asyncio.sleep(_PAUSE_SECONDS)
        self._page = min(_PAGE, 2 * self._page)
        return events

    async def _take(self, follower: Follower) -> None:
        """Queue what came."""
        if follower.overrun:
            await self._catch_up(time.time_ns() - self._looked)
            follower.overrun = False
        else:
            self._enqueue(follower.take())
            self._looked = time.time_ns()

    async def _catch_up(self, back: int) -> None:
        """Queue what came meanwhile, by asking the store; `back`: for how many nanoseconds."""
        within = around_now(back)
        looked = time.time_ns()
        find = partial(find_arrivals, told=self._queued, within=within, changed_seconds=None)
        self._enqueue(await self._ask(partial(find, limits=CATCH_UP_LIMITS)))
        self._looked = looked

    def _enqueue(self, come: list[Arrival]) -> None:
        for arrival in come:
            if self._queued.row(arrival.unit) < WHOLE:
                self._queued.advance(arrival.unit)
                self._queue.append(arrival)
                self._uncounted = True

    async def _leave_out(self) -> list[bytes]:
        """Drop the oldest batches while too many records wait; the newest batch is kept in any case."""
        waiting = sum(self._rows(arrival) for arrival in self._queue)
        if waiting <= self._asked.most_behind or len(self._queue) == 1 or not self._uncounted:
            return []
        self._uncounted = False
        queue = list(self._queue)
        counts = await self._ask(partial(count_units, asked=self._waiting(queue), limits=LIMITS))
        remaining, left_out = sum(counts), 0
        for number, arrival in enumerate(queue[:-1]):
            if remaining <= self._asked.most_behind:
                break
            remaining -= counts[number]
            left_out += counts[number]
            self._told.advance(arrival.unit)
            self._queue.popleft()
        dropped = queue[: len(queue) - len(self._queue)]
        return [self._gap(left_out, _times(dropped))] if left_out else []

    def _rows(self, arrival: Arrival) -> int:
        return arrival.projects.get(self._asked.project, sum(arrival.projects.values()))

    def _read(self, chosen: list[Arrival]) -> Awaitable[Page]:
        waiting = self._waiting(chosen)
        return self._ask(partial(read_units, asked=waiting, most=self._page, limits=LIMITS))

    def _waiting(self, arrivals: list[Arrival]) -> WaitingUnits:
        return WaitingUnits(self._asked.conditions, arrivals, [self._told.row(it.unit) for it in arrivals])

    def _records(self, page: Page, chosen: list[Arrival]) -> list[bytes]:
        """Take down as told what the page has, and return its events."""
        events = []
        for index, record in page.records:
            self._done(chosen, index)
            self._told.advance(chosen[index].unit, parse_id(record.id).row)
            events.append(self._record(record))
        if page.complete:
            self._done(chosen, len(chosen))
        return events

    def _done(self, chosen: list[Arrival], count: int) -> None:
        """Take down the first `count` of those that were chosen as told to their end."""
        while self._queue and self._queue[0] in chosen[:count]:
            self._told.advance(self._queue.popleft().unit)

    async def _without(self, failure: EngineFailure | Problem) -> list[bytes]:
        """Go on after a failure: by trying again where the store is away, else without these batches."""
        chosen = list(islice(self._queue, MOST_UNITS))
        if not chosen or not isinstance(failure, EngineFailure) or failure.code is None:
            await asyncio.sleep(_AGAIN_SECONDS)
            return []
        if self._page > 1:  # one page may be too large for an answer
            self._page = max(1, self._page // 10)
            return []
        log.warning("a tail of logs leaves batches out that cannot be read: %s", failure)
        self._page = _PAGE
        self._done(chosen, len(chosen))
        return [self._gap(None, _times(chosen))]

    async def _ask(self, question: Callable[..., T]) -> T:
        return await self._arrivals.ask(self._asked.project, question)

    def _record(self, record: LogRecord) -> bytes:
        return event("log", record.model_dump_json(), self._id(record.id))

    def _gap(self, left_out: int | None, within: TimeRange) -> bytes:
        times = {"start_time": rfc3339(within.start), "end_time": rfc3339(within.end)}
        return event("gap", orjson.dumps({"left_out": left_out, **times}).decode(), self._id())

    def _id(self, log_id: str = "") -> str:
        return TailPlace(self._told).written(log_id)


def _times(arrivals: list[Arrival]) -> TimeRange:
    return TimeRange(min(it.start for it in arrivals), max(it.end for it in arrivals) + 1)
