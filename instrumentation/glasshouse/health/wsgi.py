"""Health endpoints for any WSGI application: around one, or alone."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from glasshouse.health.endpoint import PATHS, Answer, answer
from glasshouse.health.registry import Health, default

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_NOT_FOUND = Answer(404, b"")
_NOT_ALLOWED = Answer(405, b"", {"allow": "GET, HEAD"})


def with_health(app: "WSGIApplication | None" = None, health: Health = default) -> "WSGIApplication":
    """Return a WSGI application that answers the health endpoints itself and hands the rest to `app`."""

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if path not in PATHS and app is not None:
            return app(environ, start_response)
        if path not in PATHS:
            found = _NOT_FOUND
        else:
            found = answer(health, path) if method in {"GET", "HEAD"} else _NOT_ALLOWED
        headers = [*found.headers.items(), ("content-length", str(len(found.body)))]
        start_response(f"{found.status} {HTTPStatus(found.status).phrase}", headers)
        return [b"" if method == "HEAD" else found.body]

    return application
