"""Health endpoints for any ASGI application: around one, or alone."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from glasshouse.health.endpoint import PATHS, Answer, answer_async
from glasshouse.health.registry import Health, default

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

_NOT_FOUND = Answer(404, b"")
_NOT_ALLOWED = Answer(405, b"", {"allow": "GET, HEAD"})


def with_health(app: Application | None = None, health: Health = default) -> Application:
    """Return an ASGI application that answers the health endpoints itself and hands the rest to `app`."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and _path(scope) in PATHS
        if app is not None and not ours:
            await app(scope, receive, send)
        elif scope["type"] == "http":
            await _send(send, scope["method"], await _answer(health, scope) if ours else _NOT_FOUND)

    return application


def _path(scope: Scope) -> str:
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


async def _answer(health: Health, scope: Scope) -> Answer:
    if scope["method"] not in {"GET", "HEAD"}:
        return _NOT_ALLOWED
    return await answer_async(health, _path(scope))


async def _send(send: Send, method: str, answer: Answer) -> None:
    headers = {**answer.headers, "content-length": str(len(answer.body))}
    written = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": written})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})
