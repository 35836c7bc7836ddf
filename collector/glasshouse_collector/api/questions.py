"""Asks the store, a few questions at a time, and tells what went wrong as problems."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Literal, TypeVar

from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request

from glasshouse_collector.api.config import ApiConfig
from glasshouse_collector.api.problems import Problem
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import Retryable
from glasshouse_collector.core.status import Status
from glasshouse_collector.store import QueryLimits, QueryRefused, QueryTimedOut, QueryTooBig, Store
from glasshouse_collector.store.engine import EngineFailure

T = TypeVar("T")

RETRY_AFTER = {"Retry-After": "2"}
_POLL_SECONDS = 0.25


class Questions:
    """Runs blocking questions to the store in threads, at most `config.query_concurrency` at once.

    A question that waited `config.query_wait_seconds` for its turn is answered 503 with Retry-After;
    one whose asker hung up while it waited is not asked. Once it runs, it runs until its limits.
    """

    def __init__(self, services: Services, config: ApiConfig) -> None:
        self._services = services
        self._concurrency = config.query_concurrency
        self._wait_seconds = config.query_wait_seconds
        self._turns = asyncio.Semaphore(config.query_concurrency)
        self.limits = QueryLimits(
            seconds=config.query_seconds,
            rows=config.query_rows,
            memory=config.query_memory,
            answer_bytes=config.query_answer_bytes,
        )

    async def ask(self, request: Request, question: Callable[[Store], T]) -> T:
        """Return the answer; raises `Problem`."""
        store = self._store()
        await self._turn(request)
        try:
            return await run_in_threadpool(question, store)
        except (QueryTimedOut, QueryTooBig) as over:
            raise over_limit(over) from None
        except QueryRefused as refused:
            raise Problem(HTTPStatus.BAD_REQUEST, one_line(refused), extra=_code(refused.code)) from None
        except Retryable as away:
            raise unavailable(str(away)) from None
        except EngineFailure as failure:
            raise _of_engine(failure) from failure
        finally:
            self._turns.release()

    def _store(self) -> Store:
        try:
            return self._services.get(Store)
        except LookupError:
            store = self._services.get(Status).snapshot().get("store")
            why = f": {store.detail}" if store and store.detail else ""
            raise unavailable(f"the store is not connected{why}") from None

    async def _turn(self, request: Request) -> None:
        """Wait for a turn, in which `self._turns` is acquired."""
        if not self._turns.locked():
            await self._turns.acquire()
            return
        waiting = asyncio.create_task(self._turns.acquire())
        hung_up = asyncio.create_task(_until_hung_up(request))
        try:
            done, _ = await asyncio.wait(
                {waiting, hung_up}, timeout=self._wait_seconds, return_when=asyncio.FIRST_COMPLETED
            )
        except asyncio.CancelledError:
            _give_back(waiting, self._turns)
            raise
        finally:
            hung_up.cancel()
        if waiting in done:
            return
        _give_back(waiting, self._turns)
        if hung_up in done:
            raise Problem(HTTPStatus.BAD_REQUEST, "the asker hung up before it was its turn")
        raise unavailable(f"{self._concurrency} questions are being answered already; ask again")


async def _until_hung_up(request: Request) -> None:
    while not await request.is_disconnected():  # noqa: ASYNC110  (ASGI tells only who asks)
        await asyncio.sleep(_POLL_SECONDS)


def _give_back(waiting: "asyncio.Task[Literal[True]]", turns: asyncio.Semaphore) -> None:
    """End the wait for a turn, or hand the turn on that came at the same moment."""
    if waiting.done() and not waiting.cancelled():
        turns.release()
    else:
        waiting.cancel()


def unavailable(reason: str) -> Problem:
    """Return a 503 that asks to come back."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, one_line(reason), headers=RETRY_AFTER)


def over_limit(over: QueryRefused) -> Problem:
    """Return a 422 that names the setting of the limit that was hit."""
    if isinstance(over, QueryTimedOut):
        setting = "api.query_seconds"
    elif over.code == _MEMORY_LIMIT_EXCEEDED:
        setting = "api.query_memory"
    else:
        setting = "api.query_rows"
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"{one_line(over)}; the limit is {setting}", extra=_code(over.code)
    )


_MEMORY_LIMIT_EXCEEDED = 241
_TIMED_OUT = frozenset({159, 160, 209})
_TOO_BIG = frozenset({158, _MEMORY_LIMIT_EXCEEDED, 307, 396})


def _of_engine(failure: EngineFailure) -> Exception:
    """Return what to raise where one of our own queries failed: the failure itself, where it is our fault."""
    if failure.code is None:
        return unavailable(str(failure))
    if failure.code in _TIMED_OUT:
        return over_limit(QueryTimedOut(str(failure), failure.code))
    if failure.code in _TOO_BIG:
        return over_limit(QueryTooBig(str(failure), failure.code))
    return failure


def one_line(text: object) -> str:
    """Return the text with every run of white space as one blank, at most 2,000 characters."""
    return " ".join(str(text).split())[:2000]


def _code(code: int | None) -> dict[str, int]:
    return {} if code is None else {"clickhouse_code": code}
