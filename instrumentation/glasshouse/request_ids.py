"""Request ids: `X-Request-Id` and its relatives, read, checked, made up where missing, bound and returned.

They stand beside W3C traceparent, which OpenTelemetry reads: a trace id says where in the system, a request
id is what a client, a proxy or a support ticket knows.
"""

import re
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from contextvars import Context, copy_context
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from opentelemetry import trace

from glasshouse.context import bind, bound
from glasshouse.failures import contained

REQUEST_ID = "X-Request-Id"
CORRELATION_ID = "X-Correlation-Id"
TRACE_ID = "X-Trace-ID"

# What ids are made of everywhere; nothing that could end a header, a log line or a shell word.
_ID = re.compile(r"[A-Za-z0-9._:/+=@~-]{1,128}", re.ASCII)
_NAMES = (REQUEST_ID, CORRELATION_ID, TRACE_ID)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
StartResponse = Callable[..., Any]
WSGIApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def request_id() -> str | None:
    """Return the id of the request that is being served, to pass on or to show; None outside of one."""
    found = bound().get("request.id")
    return found if isinstance(found, str) else None


class RequestIdMiddleware:
    """ASGI middleware: `app.add_middleware(RequestIdMiddleware)`, or around any ASGI application.

    Binds `request.id`, and `correlation.id` where the client sent one. Everything that the application binds
    while it serves the request is forgotten at its end. Responses name the ids; one that the application
    has set itself stays.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or one WebSocket."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        ids = _read(_asgi_headers(scope))

        async def send_with_ids(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.accept"}:
                with contained("returning request ids"):
                    _add_asgi_headers(message, ids)
            await send(message)

        with bind(**ids.values()):
            await self._app(scope, receive, send_with_ids)


class WSGIRequestIdMiddleware:
    """WSGI middleware: `app.wsgi_app = WSGIRequestIdMiddleware(app.wsgi_app)`, or around any application.

    Does what `RequestIdMiddleware` does. Each request runs in a context of its own.
    """

    def __init__(self, app: WSGIApp) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        ids = _read({name: environ.get(f"HTTP_{name.upper().replace('-', '_')}") for name in _NAMES})

        def start_with_ids(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            with contained("returning request ids"):
                there = {name.lower() for name, _ in headers}
                headers = headers + [each for each in ids.headers() if each[0].lower() not in there]
            return start_response(status, headers, *rest)

        context = copy_context()
        context.run(bind, **ids.values())
        body = context.run(self._app, environ, start_with_ids)
        file_wrapper = environ.get("wsgi.file_wrapper")
        plain = isinstance(body, list | tuple) or (
            isinstance(file_wrapper, type) and isinstance(body, file_wrapper)
        )
        # A server counts on these kinds, for Content-Length and sendfile, and no code of ours runs in them.
        return body if plain else _Body(context, body)


def django_request_ids(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Serve Django: `MIDDLEWARE = ["glasshouse.request_ids.django_request_ids", …]`, under WSGI and ASGI."""
    if iscoroutinefunction(get_response):

        async def middleware_async(request: Any) -> Any:
            ids = _read(request.headers)
            with bind(**ids.values()):
                return _django_response(await get_response(request), ids)

        return middleware_async

    def middleware(request: Any) -> Any:
        ids = _read(request.headers)
        with bind(**ids.values()):
            return _django_response(get_response(request), ids)

    return middleware


# How Django asks whether a middleware that is a function serves both.
django_request_ids.sync_capable = True  # type: ignore[attr-defined]
django_request_ids.async_capable = True  # type: ignore[attr-defined]


class _Ids(NamedTuple):
    request: str
    correlation: str | None
    trace: str | None

    def values(self) -> dict[str, str | None]:
        """Return what is bound: a correlation id only where it says more than the request id."""
        correlation = self.correlation if self.correlation != self.request else None
        return {"request_id": self.request, "correlation_id": correlation}

    def headers(self) -> list[tuple[str, str]]:
        """Return what the response says: what the client sent comes back as it was."""
        returned = {REQUEST_ID: self.request, CORRELATION_ID: self.correlation, TRACE_ID: self.trace}
        if self.trace is None:
            here = trace.get_current_span().get_span_context()
            returned[TRACE_ID] = trace.format_trace_id(here.trace_id) if here.is_valid else None
        return [(name, value) for name, value in returned.items() if value]


def _read(headers: Mapping[str, str | None]) -> _Ids:
    request, correlation, traced = (_checked(headers.get(name)) for name in _NAMES)
    return _Ids(request or correlation or traced or str(uuid.uuid4()), correlation, traced)


def _checked(value: str | None) -> str | None:
    return value if value and _ID.fullmatch(value) else None


def _asgi_headers(scope: Scope) -> dict[str, str | None]:
    wanted = {name.lower().encode(): name for name in _NAMES}
    found: dict[str, str | None] = {}
    for name, value in scope.get("headers", ()):
        if known := wanted.get(name):
            found.setdefault(known, value.decode("latin-1"))
    return found


def _add_asgi_headers(message: Message, ids: _Ids) -> None:
    headers = list(message.get("headers") or ())
    there = {bytes(name).lower() for name, _ in headers}
    added = [(name.lower().encode(), value.encode()) for name, value in ids.headers()]
    message["headers"] = headers + [each for each in added if each[0] not in there]


def _django_response(response: Any, ids: _Ids) -> Any:
    with contained("returning request ids"):
        for name, value in ids.headers():
            response.headers.setdefault(name, value)
    return response


class _Body:
    """A response's body, made in the context of its request."""

    def __init__(self, context: Context, body: Iterable[bytes]) -> None:
        self._context = context
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        chunks = self._context.run(iter, self._body)
        while (chunk := self._context.run(next, chunks, None)) is not None:
            yield chunk

    def close(self) -> None:
        """End the request, where the application has something to do then."""
        close = getattr(self._body, "close", None)
        if close is not None:
            self._context.run(close)
