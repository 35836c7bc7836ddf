"""One connection of the HTTP receiver: uvicorn's protocol, with limits it does not have.

uvicorn waits for ever for the end of a request's head, lets it grow without end, and reads on for
ever what was refused. Here each has an end.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, ClassVar

from grpc import StatusCode
from prometheus_client import Counter
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from glasshouse_collector.receivers.answers import status_protobuf
from glasshouse_collector.receivers.refusals import Refusal

HEAD_BYTES = 64 * 1024
"""Of a request line with its headers."""

_quiet = logging.getLogger(f"{__name__}.quiet")
_quiet.setLevel(logging.ERROR)  # a stranger's bad requests are counted, not logged one by one


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Seconds for a request's head, seconds for the rest of a refused body, and bytes of that."""

    head_seconds: float
    body_seconds: float
    thrown_away_bytes: int


class OtlpHttpProtocol(HttpToolsProtocol):
    """Closes connections that are too slow, or send too much that nobody asked for."""

    limits: ClassVar[ConnectionLimits]
    refused: ClassVar[Counter]

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
        self._start_timer(self.limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_timer()
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
        self.refused.labels("otlp_http", "no_http", "", "").inc()
        body = status_protobuf(Refusal("no_http", StatusCode.INVALID_ARGUMENT, status, message))
        phrase = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}[status]
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/x-protobuf\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%s" % (status, phrase, len(body), body)
        )
        self.transport.close()

    def _start_timer(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(seconds, self._time_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        self.refused.labels("otlp_http", "slow", "", "").inc()
        self.transport.abort()


def protocol_with(limits: ConnectionLimits, refused: Counter) -> type[OtlpHttpProtocol]:
    """Return the protocol class of one server."""
    return type("LimitedOtlpHttpProtocol", (OtlpHttpProtocol,), {"limits": limits, "refused": refused})
