"""Slow requests are marked before they are exported, counted, and logged once."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from glasshouse import slow_requests
from glasshouse.settings import load
from metric_reading import Reading, tracing

SECOND = 1_000_000_000


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    """Set a tracer provider that has the processor, with two seconds as the setting."""
    with ExitStack() as stack:
        yield stack.enter_context(
            tracing(*slow_requests.span_processors(load({"slow_request_seconds": 2.0})))
        )


def _request(seconds: float, kind: SpanKind = SpanKind.SERVER, **more: str) -> None:
    tracer = trace.get_tracer("test")
    about = {"http.request.method": "GET", "http.route": "/users/{id}", "url.path": "/users/7"}
    about |= {name.replace("_", "."): value for name, value in more.items()}
    tracer.start_span("GET /users/{id}", kind=kind, start_time=5 * SECOND, attributes=about).end(
        5 * SECOND + int(seconds * SECOND)
    )


def test_slow_requests_are_marked_counted_and_logged(
    exported: InMemorySpanExporter, measured: Reading, caplog: pytest.LogCaptureFixture
) -> None:
    """A server span above the threshold has the mark, counts by its route, and is one warning."""
    _request(2.5)
    _request(2.0)
    slow, fast = exported.get_finished_spans()
    assert slow.attributes is not None
    assert fast.attributes is not None
    assert slow.attributes["glasshouse.slow_request"] is True
    assert "glasshouse.slow_request" not in fast.attributes
    assert measured.points("glasshouse.slow_requests") == [
        (1, {"http.request.method": "GET", "http.route": "/users/{id}"})
    ]
    (record,) = [each for each in caplog.records if each.name == "glasshouse.slow_requests"]
    assert record.levelno == logging.WARNING
    assert record.getMessage() == "slow request: GET /users/{id} took 2.500 s, more than 2 s"


def test_the_warning_belongs_to_the_trace(exported: InMemorySpanExporter, measured: Reading) -> None:
    """The warning is logged in the context of the span, so that it gets its trace id."""
    seen: list[int] = []

    class Listening(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            seen.append(trace.get_current_span().get_span_context().span_id)

    handler = Listening()
    slow_requests.log.addHandler(handler)
    try:
        _request(3)
    finally:
        slow_requests.log.removeHandler(handler)
    (span,) = exported.get_finished_spans()
    assert span.context is not None
    assert seen == [span.context.span_id]
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize("kind", [SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.CONSUMER])
def test_other_spans_are_no_requests(
    exported: InMemorySpanExporter, measured: Reading, kind: SpanKind
) -> None:
    """Only server spans count."""
    _request(60, kind)
    assert "glasshouse.slow_requests" not in measured.names()


def test_websockets_are_long_by_nature(exported: InMemorySpanExporter, measured: Reading) -> None:
    """A websocket that was open for a minute is no slow request."""
    _request(60, url_scheme="ws")
    assert "glasshouse.slow_requests" not in measured.names()


def test_zero_turns_it_off() -> None:
    """Where the setting is 0, no processor stands in the way of spans."""
    assert slow_requests.span_processors(load({"slow_request_seconds": 0.0})) == []


async def _ask(app: FastAPI) -> None:
    """Send one request, and open one websocket, as a server would."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop") as client:
        await client.get("/users/7")
    received: Iterator[dict[str, object]] = iter(
        [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]
    )

    async def receive() -> dict[str, object]:
        return next(received)

    async def send(_: object) -> None:
        """Let it be said."""

    scope = {"type": "websocket", "path": "/feed", "scheme": "ws", "headers": [], "query_string": b""}
    await app({**scope, "root_path": "", "subprotocols": [], "server": ("shop", 80)}, receive, send)


def test_requests_of_a_real_framework(measured: Reading) -> None:
    """FastAPI's instrumentation ends its span with the route, and a websocket's with its scheme."""
    app = FastAPI()

    @app.get("/users/{user}")
    def user(user: int) -> int:
        return user

    @app.websocket("/feed")
    async def feed(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    with tracing(*slow_requests.span_processors(load({"slow_request_seconds": 1e-9}))) as exported:
        FastAPIInstrumentor.instrument_app(app)
        asyncio.run(_ask(app))
        FastAPIInstrumentor.uninstrument_app(app)
        marked = {
            span.name: bool((span.attributes or {}).get(slow_requests.MARK))
            for span in exported.get_finished_spans()
            if span.kind is SpanKind.SERVER
        }
    assert marked["GET /users/{user}"] is True
    assert [mark for name, mark in marked.items() if "/feed" in name] == [False]
    ((count, about),) = measured.points("glasshouse.slow_requests")
    assert (count, about["http.route"]) == (1, "/users/{user}")
