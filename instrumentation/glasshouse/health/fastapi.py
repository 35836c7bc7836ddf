"""Health endpoints for FastAPI: `app.include_router(router())`."""

from collections.abc import Awaitable, Callable

from glasshouse.health.endpoint import PATHS, answer_async
from glasshouse.health.registry import Health, default

try:
    from fastapi import APIRouter, Response
except ImportError as missing:
    raise ImportError("glasshouse.health.fastapi is for applications that have FastAPI") from missing


def router(health: Health = default) -> APIRouter:
    """Return the endpoints, which are left out of the schema. Asynchronous checks run in the app's loop."""
    routes = APIRouter()
    for path in PATHS:
        routes.add_api_route(path, _endpoint(health, path), methods=["GET", "HEAD"], include_in_schema=False)
    return routes


def _endpoint(health: Health, path: str) -> Callable[[], Awaitable[Response]]:
    async def endpoint() -> Response:
        found = await answer_async(health, path)
        return Response(found.body, found.status, dict(found.headers))

    return endpoint
