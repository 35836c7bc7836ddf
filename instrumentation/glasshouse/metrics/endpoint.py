"""`/metrics` for a Prometheus server: an ASGI and a WSGI application, and a route for each framework.

Whoever reaches the route can read the metrics: let only Prometheus reach it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from glasshouse.metrics.prometheus import Exposition, expose

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from django.urls import URLPattern
    from fastapi import APIRouter
    from flask import Blueprint

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_NOT_ALLOWED = Exposition(405, {"content-type": "text/plain", "allow": "GET, HEAD"}, b"")


async def asgi_app(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer with the metrics, whatever the path: an ASGI application to be mounted at /metrics."""
    if scope["type"] != "http":
        return
    asked = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    answer = _NOT_ALLOWED
    if scope["method"] in {"GET", "HEAD"}:
        # Collecting asks callables of the application, which may take their time.
        answer = await asyncio.to_thread(expose, asked.get("accept", ""), asked.get("accept-encoding", ""))
    headers = {**answer.headers, "content-length": str(len(answer.body))}
    written = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": written})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})


def wsgi_app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answer with the metrics, whatever the path: a WSGI application to be mounted at /metrics."""
    answer = _NOT_ALLOWED
    if environ["REQUEST_METHOD"] in {"GET", "HEAD"}:
        answer = expose(environ.get("HTTP_ACCEPT", ""), environ.get("HTTP_ACCEPT_ENCODING", ""))
    headers = [*answer.headers.items(), ("content-length", str(len(answer.body)))]
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body]


def fastapi_router(path: str = "/metrics") -> "APIRouter":
    """Return a router for `app.include_router`; it is not in the schema."""
    from fastapi import APIRouter, Request, Response  # noqa: PLC0415 - whoever asks for it has it

    router = APIRouter()

    @router.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)
    def metrics(request: Request) -> Response:
        answer = expose(request.headers.get("accept", ""), request.headers.get("accept-encoding", ""))
        return Response(answer.body, answer.status, dict(answer.headers))

    return router


def flask_blueprint(path: str = "/metrics") -> "Blueprint":
    """Return a blueprint for `app.register_blueprint`."""
    from flask import Blueprint, Response, request  # noqa: PLC0415 - whoever asks for it has it

    blueprint = Blueprint("glasshouse_metrics", __name__)

    @blueprint.get(path)
    def metrics() -> Response:
        answer = expose(request.headers.get("accept", ""), request.headers.get("accept-encoding", ""))
        return Response(answer.body, answer.status, dict(answer.headers))

    return blueprint


def django_urls(path: str = "metrics") -> "list[URLPattern]":
    """Return URL patterns, to be added to `urlpatterns`."""
    from django.http import HttpRequest, HttpResponse  # noqa: PLC0415 - whoever asks for it has it
    from django.urls import path as route  # noqa: PLC0415
    from django.views.decorators.http import require_safe  # noqa: PLC0415

    @require_safe  # type: ignore[untyped-decorator]
    def metrics(request: HttpRequest) -> HttpResponse:
        answer = expose(request.headers.get("accept", ""), request.headers.get("accept-encoding", ""))
        # Django leaves it to the server to send no body.
        body = b"" if request.method == "HEAD" else answer.body
        return HttpResponse(body, status=answer.status, headers=dict(answer.headers))

    return [route(path, metrics, name="glasshouse-metrics")]
