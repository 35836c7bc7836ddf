"""Health endpoints for Django: `urlpatterns = [*urls(), …]`."""

from collections.abc import Awaitable, Callable

from glasshouse.health.endpoint import PATHS, Answer, answer, answer_async
from glasshouse.health.registry import Health, default

try:
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern, path
    from django.views.decorators.http import require_safe
except ImportError as missing:
    raise ImportError("glasshouse.health.django is for applications that have Django") from missing


def urls(health: Health = default, *, asynchronous: bool = False) -> list[URLPattern]:
    """Return URL patterns. With `asynchronous`, for ASGI, asynchronous checks run in the app's loop."""
    view = _async_view if asynchronous else _view
    return [path(each.lstrip("/"), require_safe(view(health, each))) for each in PATHS]


def _view(health: Health, at: str) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        return _response(request, answer(health, at))

    return view


def _async_view(health: Health, at: str) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
    async def view(request: HttpRequest) -> HttpResponse:
        return _response(request, await answer_async(health, at))

    return view


def _response(request: HttpRequest, found: Answer) -> HttpResponse:
    # Django leaves it to the server to send no body.
    body = b"" if request.method == "HEAD" else found.body
    return HttpResponse(body, status=found.status, headers=dict(found.headers))
