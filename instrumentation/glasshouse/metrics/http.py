"""HTTP server metrics by the semantic conventions, for a server that no instrumentation knows.

FastAPI, Starlette, Flask, Django, ASGI, WSGI and aiohttp have these from their instrumentations.
"""

import time
from types import TracebackType
from typing import Self

from glasshouse.metrics import histogram, up_down_counter

_SERVER_ERRORS = 500
_METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)

duration = histogram("http.server.request.duration", "s", "Duration of HTTP server requests.")
active = up_down_counter("http.server.active_requests", "{request}", "Number of active HTTP server requests.")


class ServerRequest:
    """One request, as a `with` block; set `status_code` when it is known.

    `route` is the template, as `/users/{id}`: a path as it came would make a series of each user.
    """

    def __init__(self, method: str, route: str | None = None, scheme: str = "http") -> None:
        self.status_code: int | None = None
        known = method.upper() if method.upper() in _METHODS else "_OTHER"
        self._about = {"http.request.method": known, "url.scheme": scheme}
        self._route = route
        self._started = 0.0

    def __enter__(self) -> Self:
        active.add(1, self._about)
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        elapsed = time.perf_counter() - self._started
        failed = self.status_code is not None and self.status_code >= _SERVER_ERRORS
        duration.record(
            elapsed,
            {
                **self._about,
                "http.route": self._route,
                "http.response.status_code": self.status_code,
                "error.type": kind.__qualname__ if kind else str(self.status_code) if failed else None,
            },
        )
        active.add(-1, self._about)
