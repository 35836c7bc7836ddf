"""What happens to every request: it is limited, counted, and never answered with a traceback."""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from http import HTTPStatus

from fastapi.routing import iter_route_contexts
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glasshouse_collector.api.problems import Problem, problem_response
from glasshouse_collector.core.metrics import Metrics

_ENDLESS = "text/event-stream"  # what follows the beginning of such an answer is no time to answer
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = logging.getLogger(__name__)


class BodyLimit:
    """Refuses a request's body over `limit` bytes, declared or streamed, with 413, a slow one with 408.

    `larger` has the limits of paths that take more by POST.
    """

    def __init__(
        self, app: ASGIApp, limit: int, seconds: float, larger: Mapping[str, int] | None = None
    ) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its body counted as it is read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        limit = self._larger.get(scope["path"], self._limit) if scope["method"] == "POST" else self._limit
        read = 0
        until: float | None = asyncio.get_running_loop().time() + self._seconds

        async def limited() -> Message:
            nonlocal read, until
            if declared.isdecimal() and int(declared) > limit:
                raise _too_large(limit)
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise _too_slow(self._seconds) from None
            if not message.get("more_body", False):
                until = None  # what comes now is that the asker hung up, whenever that is
            read += len(message.get("body", b""))
            if read > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, limited, send)


def _too_large(limit: int) -> Problem:
    # The rest of the body stays unread, so the connection cannot serve another request.
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is larger than {limit:,} bytes",
        headers={"Connection": "close"},
    )


def _too_slow(seconds: float) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_TIMEOUT,
        f"the body did not arrive within {seconds:g} seconds",
        headers={"Connection": "close"},
    )


class Observed:
    """Counts and times each request, and turns an unexpected error into a problem with a logged id."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._templates: dict[int, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        started = time.perf_counter()
        answered: float | None = None

        async def observed(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                if Headers(raw=message["headers"]).get("content-type", "").startswith(_ENDLESS):
                    answered = time.perf_counter()
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception:
            error_id = uuid.uuid4().hex
            _log.exception("unexpected error %s at %s %s", error_id, scope["method"], self._route(scope))
            if status:  # too late to say anything else; the server cuts the connection
                raise
            response = problem_response(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                f"something unexpected went wrong; the collector's log has it as {error_id}",
                id=error_id,
            )
            await response(scope, receive, observed)
        finally:
            route = self._route(scope)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.api_requests.labels(method, route, str(status)).inc()
            self._metrics.api_seconds.labels(route).observe((answered or time.perf_counter()) - started)

    def _route(self, scope: Scope) -> str:
        """Return the route's template: never the path, whose values are without end."""
        route = scope.get("route")
        if route is None:
            return "unknown"
        if id(route) not in self._templates:
            # A route knows its path within its router only; the application knows the whole.
            contexts = iter_route_contexts(scope["app"].routes)
            self._templates = {id(it.original_route): it.path or "unknown" for it in contexts}
        return self._templates.get(id(route), "unknown")
