"""How many questions are answered at once: in all, and of one asker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

from starlette.requests import Request

from glasshouse_collector.api.problems import Problem, unavailable

RETRY_AFTER = {"Retry-After": "2"}
_POLL_SECONDS = 0.25


@dataclass(slots=True)
class _Asker:
    turns: asyncio.Semaphore
    present: int = field(default=0)


class Turns:
    """Lends turns, `all_at_once` in all and `each_at_once` to one asker; who is one more waits.

    A wait ends after `wait_seconds` with 503 (429 where it was for the asker's own questions), and
    when the asker hangs up.
    """

    def __init__(self, all_at_once: int, each_at_once: int, wait_seconds: float) -> None:
        self._all_at_once = all_at_once
        self._each_at_once = each_at_once
        self._wait_seconds = wait_seconds
        self._all = asyncio.Semaphore(all_at_once)
        self._askers: dict[str, _Asker] = {}

    @asynccontextmanager
    async def turn(self, request: Request, asker: str) -> AsyncIterator[None]:
        """Lend a turn. Raises `Problem`."""
        own = self._askers.setdefault(asker, _Asker(asyncio.Semaphore(self._each_at_once)))
        own.present += 1
        try:
            if not await self._acquired(request, own.turns):
                raise Problem(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"{self._each_at_once} questions of this key are being answered already; ask again",
                    headers=RETRY_AFTER,
                )
            try:
                if not await self._acquired(request, self._all):
                    raise unavailable(f"{self._all_at_once} questions are being answered already; ask again")
                try:
                    yield
                finally:
                    self._all.release()
            finally:
                own.turns.release()
        finally:
            own.present -= 1
            if not own.present:
                del self._askers[asker]

    async def _acquired(self, request: Request, turns: asyncio.Semaphore) -> bool:
        """Wait for a turn and acquire it, or return False when the wait was too long."""
        if not turns.locked():
            return await turns.acquire()
        waiting = asyncio.create_task(turns.acquire())
        hung_up = asyncio.create_task(until_hung_up(request))
        try:
            done, _ = await asyncio.wait(
                {waiting, hung_up}, timeout=self._wait_seconds, return_when=asyncio.FIRST_COMPLETED
            )
        except asyncio.CancelledError:
            _give_back(waiting, turns)
            raise
        finally:
            hung_up.cancel()
        if waiting in done:
            return True
        _give_back(waiting, turns)
        if hung_up in done:
            raise Problem(HTTPStatus.BAD_REQUEST, "the asker hung up before it was its turn")
        return False


async def until_hung_up(request: Request) -> None:
    """Return when the asker left."""
    while not await request.is_disconnected():  # noqa: ASYNC110  (ASGI tells only who asks)
        await asyncio.sleep(_POLL_SECONDS)


def _give_back(waiting: "asyncio.Task[Literal[True]]", turns: asyncio.Semaphore) -> None:
    """End the wait for a turn, or hand the turn on that came at the same moment."""
    if waiting.done() and not waiting.cancelled():
        turns.release()
    else:
        waiting.cancel()
