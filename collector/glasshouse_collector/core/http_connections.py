"""One connection of an HTTP server: uvicorn's protocol, with limits it does not have.

uvicorn waits for ever for the end of a request's head, lets it grow without end, reads on for ever
what was refused, and takes as many connections as come. Here each has an end.
"""

import asyncio
import logging
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from prometheus_client import Counter
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES: Final = 64 * 1024
"""Of a request line with its headers."""
_MOST_CONNECTIONS: Final = 10_000
_PHRASES: Final = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}

_quiet = logging.getLogger(f"{__name__}.quiet")
_quiet.setLevel(logging.ERROR)  # a stranger's bad requests are counted, not logged one by one

Say = Callable[[int, str], tuple[bytes, bytes]]
"""Makes the answer to what is no HTTP, of a status and why: its content type and its body."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Seconds for a request's head, seconds for the rest of a refused body, and bytes of that."""

    head_seconds: float
    body_seconds: float
    thrown_away_bytes: int


def connections_at_most() -> int:
    """Return how many connections one server may have open, so that files can still be opened."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(_MOST_CONNECTIONS, max(16, soft // 4))


@dataclass(slots=True)
class _Open:
    """The open connections of one server: how many, and those without a request, the longest idle first."""

    most: int
    count: int = 0
    idle: "dict[LimitedConnection, None]" = field(default_factory=dict)


class LimitedConnection(HttpToolsProtocol):
    """Closes connections that are too slow, or send too much that nobody asked for.

    Where there are too many, the one that has been idle for longest makes room for the next.
    """

    limits: ClassVar[ConnectionLimits]
    refused: ClassVar[Counter]
    door: ClassVar[str]
    say: ClassVar[Say]
    open: ClassVar[_Open]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _quiet
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = False
        self._in_body = False
        self._head_bytes = 0
        self._thrown_away_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.open.count += 1
        self.open.idle[self] = None
        if self.open.count > self.open.most:
            self._count("too_many_connections")
            next(iter(self.open.idle)).transport.abort()  # at the latest this one itself
        self._start_timer(self.limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_timer()
        self.open.count -= 1
        self.open.idle.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head, or the rest of a body that was refused, has to end in time."""
        in_head_before = self._in_head
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            self._start_timer(self.limits.head_seconds)
            self._head_bytes += len(data) if in_head_before else 0
            if self._head_bytes > HEAD_BYTES:
                self._refuse(431, f"the request's head has more than {HEAD_BYTES} bytes")
        elif self._in_body and self.cycle.response_complete:
            self._start_timer(self.limits.body_seconds)

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Hand the request to the application, which times its body."""
        self._stop_timer()
        self.open.idle.pop(self, None)
        self._in_head, self._in_body = False, True
        self._thrown_away_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand part of a body to the application, or throw it away where it has answered already."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._thrown_away_bytes += len(body)
            if self._thrown_away_bytes > self.limits.thrown_away_bytes:
                self.transport.abort()

    def on_response_complete(self) -> None:
        """Be idle, as far as the next request is not here already."""
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None and not self.transport.is_closing():
            self.open.idle[self] = None

    def on_message_complete(self) -> None:
        """Wait for the next request, no longer than connections are kept alive."""
        self._stop_timer()
        self._in_body = False
        super().on_message_complete()
        if self.cycle.response_complete and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as everything else is answered."""
        self._refuse(400, msg)

    def _refuse(self, status: int, message: str) -> None:
        self._count("no_http")
        content_type, body = type(self).say(status, message)
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (status, _PHRASES[status], content_type, len(body), body)
        )
        self.transport.close()

    def _count(self, reason: str) -> None:
        self.refused.labels(self.door, reason, "", "").inc()

    def _start_timer(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(seconds, self._time_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        self._count("slow")
        self.transport.abort()


def limited(door: str, limits: ConnectionLimits, refused: Counter, say: Say) -> type[LimitedConnection]:
    """Return the protocol class of one server; `door` is what its refusals are counted by."""
    own = {"door": door, "limits": limits, "refused": refused, "say": staticmethod(say)}
    opened = _Open(connections_at_most())
    return type("LimitedConnectionOfOneServer", (LimitedConnection,), {**own, "open": opened})
