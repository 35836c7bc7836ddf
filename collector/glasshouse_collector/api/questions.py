"""Asks the store, a few questions at a time, and tells what went wrong as problems."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from glasshouse_collector.api.access import caller_of
from glasshouse_collector.api.config import ApiConfig
from glasshouse_collector.api.exports import MEDIA_TYPES, Format, encode, format_of
from glasshouse_collector.api.problems import Problem, one_line, unavailable
from glasshouse_collector.api.turns import Turns, until_hung_up
from glasshouse_collector.core.access import Caller
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import Retryable
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.status import Status
from glasshouse_collector.store import (
    ProjectStore,
    QueryLimits,
    QueryRefused,
    QueryTimedOut,
    QueryTooBig,
    Store,
)
from glasshouse_collector.store.engine import EngineFailure

T = TypeVar("T")

log = logging.getLogger(__name__)

PREFIX = "/api/v1"
"""Under which every question is asked."""


class Questions:
    """Runs blocking questions to the store in threads, each on its caller's project alone.

    A question that waited `config.query_wait_seconds` for its turn is refused with Retry-After. When
    the asker hangs up, its waiting question is not asked, and a running one is cancelled.
    """

    def __init__(self, services: Services, config: ApiConfig) -> None:
        self._services = services
        self._slow_seconds = config.slow_query_seconds
        self._turns = Turns(
            config.query_concurrency, config.query_concurrency_per_key, config.query_wait_seconds
        )
        self.limits = QueryLimits(
            seconds=config.query_seconds,
            rows=config.query_rows,
            memory=config.query_memory,
            answer_bytes=config.query_answer_bytes,
        )

    async def answer(
        self,
        request: Request,
        read: Callable[[ProjectStore], BaseModel | None],
        *,
        rows: str = "",
        missing: str = "there is no such thing",
    ) -> Response:
        """Return what is read, as JSON, or its list `rows` in the format that is asked for.

        Where `read` returns None it is a 404 that says `missing`. Raises `Problem`.
        """
        wanted = format_of(request)
        if wanted is not Format.JSON and not rows:
            raise Problem(HTTPStatus.BAD_REQUEST, "format: this answer is no list of rows; json is expected")

        def ask(store: ProjectStore) -> bytes | None:
            # Serialised here, in the thread: a large answer must not hold up the receivers' loop.
            found = read(store)
            return None if found is None else encode(found, rows, wanted)

        body = await self.ask(request, ask)
        if body is None:
            raise Problem(HTTPStatus.NOT_FOUND, missing)
        return Response(body, media_type=MEDIA_TYPES[wanted])

    async def ask(self, request: Request, question: Callable[[ProjectStore], T]) -> T:
        """Return the answer; raises `Problem`."""
        store, caller = self.store(), caller_of(request)
        async with self._turns.turn(request, caller.key or caller.project):
            try:
                return await self._run(request, store, caller, question)
            except (QueryTimedOut, QueryTooBig) as over:
                raise over_limit(over) from None
            except QueryRefused as refused:
                raise Problem(HTTPStatus.BAD_REQUEST, one_line(refused), extra=_code(refused.code)) from None
            except Retryable as away:
                raise unavailable(str(away)) from None
            except EngineFailure as failure:
                raise _of_engine(failure) from failure

    async def _run(
        self, request: Request, store: Store, caller: Caller, question: Callable[[ProjectStore], T]
    ) -> T:
        comment = f"glasshouse-{uuid.uuid4().hex}"
        started = time.perf_counter()

        def run() -> T:
            return question(store.of_project(caller.project, comment))

        running = asyncio.create_task(run_in_threadpool(run))
        hung_up = asyncio.create_task(until_hung_up(request))
        try:
            await asyncio.wait({running, hung_up}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                await _cancel(store, comment, running)
                raise Problem(HTTPStatus.BAD_REQUEST, "the asker hung up before there was an answer")
            return await running
        except asyncio.CancelledError:
            await _cancel(store, comment, running)
            raise
        finally:
            hung_up.cancel()
            self._note(request, caller, comment, time.perf_counter() - started)

    def _note(self, request: Request, caller: Caller, comment: str, seconds: float) -> None:
        """Log a slow question: by its route, never its values; ClickHouse's query log has the comment."""
        if seconds < self._slow_seconds:
            return
        route = PREFIX + getattr(request.scope.get("route"), "path", "unknown")
        self._services.get(Metrics).api_slow_questions.labels(route).inc()
        log.warning(
            "slow question: %s %s took %.1f s, project %s, key %s, log_comment %s",
            request.method,
            route,
            seconds,
            caller.project,
            caller.key or "none",
            comment,
        )

    def store(self) -> Store:
        """Return the store; raises `Problem` while there is none."""
        try:
            return self._services.get(Store)
        except LookupError:
            store = self._services.get(Status).snapshot().get("store")
            why = f": {store.detail}" if store and store.detail else ""
            raise unavailable(f"the store is not connected{why}") from None


async def _cancel(store: Store, comment: str, running: "asyncio.Task[T]") -> None:
    """End the question's queries; return when it has ended, so that its turn is truly free again."""
    while not running.done():
        try:
            await asyncio.to_thread(store.cancel, comment)
        except EngineFailure as failure:  # the queries run on to their limits
            log.warning("a question whose asker hung up could not be cancelled: %s", failure)
        await asyncio.wait({running}, timeout=_CANCEL_AGAIN_SECONDS)
    running.exception()  # looked at: nobody waits for it any more


_CANCEL_AGAIN_SECONDS = 0.5
_CANCELLED = 394
_MEMORY_LIMIT_EXCEEDED = 241
_TIMED_OUT = frozenset({159, 160, 209})
_TOO_BIG = frozenset({158, _MEMORY_LIMIT_EXCEEDED, 307, 396})


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


def _of_engine(failure: EngineFailure) -> Exception:
    """Return what to raise where one of our own queries failed: the failure itself, where it is our fault."""
    if failure.code is None:
        return unavailable(str(failure))
    if failure.code == _CANCELLED:
        return unavailable("the query was cancelled in ClickHouse; ask again")
    if failure.code in _TIMED_OUT:
        return over_limit(QueryTimedOut(str(failure), failure.code))
    if failure.code in _TOO_BIG:
        return over_limit(QueryTooBig(str(failure), failure.code))
    return failure


def _code(code: int | None) -> dict[str, int]:
    return {} if code is None else {"clickhouse_code": code}
