"""Answers that go on: server-sent events (html.spec.whatwg.org, 9.2), until either side leaves."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

MEDIA_TYPE: Final = "text/event-stream"
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_STALLED_SECONDS: Final = 60.0
"""Who takes nothing for so long has left without saying so."""

_LAST_SECONDS: Final = 0.5


class OpenStreams:
    """The streams that are open, so that the server's stop need not wait for them."""

    def __init__(self) -> None:
        self._open: set[asyncio.Event] = set()
        self._ended = False

    def end(self) -> None:
        """End them all, and whatever is opened from now on."""
        self._ended = True
        for stop in self._open:
            stop.set()

    def joined(self) -> asyncio.Event:
        """Return what is set when the stream has to end."""
        stop = asyncio.Event()
        if self._ended:
            stop.set()
        self._open.add(stop)
        return stop

    def left(self, stop: asyncio.Event) -> None:
        """Forget a stream."""
        self._open.discard(stop)

    def __len__(self) -> int:
        return len(self._open)


class EventStream(Response):
    """Sends what `events` yields as it comes; a reader who is slow makes it wait.

    Before the first event, `events` may raise a `Problem`, which is the answer then. It is closed when the
    reader leaves or takes nothing for a minute, and when the server stops.
    """

    media_type = MEDIA_TYPE

    def __init__(self, events: Callable[[], AsyncGenerator[bytes, None]], streams: OpenStreams) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._events = events
        self._streams = streams
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, until they end or somebody leaves."""
        del scope
        stop = self._streams.joined()
        feeding = asyncio.create_task(self._feed(send))
        ends = (asyncio.create_task(_left(receive)), asyncio.create_task(stop.wait()))
        try:
            await asyncio.wait({feeding, *ends}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (feeding, *ends):
                task.cancel()
            await asyncio.wait({feeding, *ends})
            self._streams.left(stop)
        if not feeding.cancelled():
            feeding.result()  # a problem, before anything was sent
        if self._begun:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_SECONDS):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _feed(self, send: Send) -> None:
        async with aclosing(self._events()) as events:
            async for event in events:
                if not self._begun:
                    self._begun = True
                    await send(
                        {
                            "type": "http.response.start",
                            "status": self.status_code,
                            "headers": self.raw_headers,
                        }
                    )
                try:
                    async with asyncio.timeout(_STALLED_SECONDS):
                        await send({"type": "http.response.body", "body": event, "more_body": True})
                except TimeoutError:
                    return


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def event(kind: str, data: str, event_id: str) -> bytes:
    """Return one event; `data` is one line."""
    return f"id: {event_id}\nevent: {kind}\ndata: {data}\n\n".encode()


def heartbeat(event_id: str) -> bytes:
    """Return a comment that keeps the connection open, and moves what a reader resumes from."""
    return f": nothing new\nid: {event_id}\n\n".encode()


def beginning(reconnect_ms: int, event_id: str) -> bytes:
    """Return what tells a reader how soon to come back, and what to resume from before any event came."""
    return f"retry: {reconnect_ms}\nid: {event_id}\n\n".encode()
