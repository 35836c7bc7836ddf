"""Request ids, through the real frameworks."""

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest
from fastapi import FastAPI
from flask import Flask
from opentelemetry import trace
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from application_process import Programs
from glasshouse import bind, bound
from glasshouse.request_ids import RequestIdMiddleware, WSGIRequestIdMiddleware, request_id
from memory_telemetry import MemoryTelemetry, attributes

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


Get = Callable[..., httpx.Response]


def _get(app: Any, path: str, headers: Any = None) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


@pytest.fixture
def get() -> Get:
    """Return what asks a FastAPI application that has the middleware, in one line."""
    app = FastAPI()
    app.add_middleware(RequestIdMiddleware)

    @app.get("/bound")
    def show() -> dict[str, Any]:
        return {**bound(), "request_id()": request_id()}

    return partial(_get, app)


@pytest.mark.parametrize("name", ["X-Request-Id", "X-Correlation-Id", "X-Trace-ID"])
def test_an_id_of_the_client_is_taken_and_returned(name: str, get: Get) -> None:
    """Whichever of the three it sent."""
    answer = get("/bound", headers={name: "abc-1"})
    assert answer.json() == {"request.id": "abc-1", "request_id()": "abc-1"}
    assert answer.headers[name] == "abc-1"
    assert answer.headers["X-Request-Id"] == "abc-1"


def test_an_id_is_made_up_where_there_is_none(get: Get) -> None:
    """A UUID, another for each request."""
    first, second = (get("/bound") for _ in range(2))
    assert UUID.fullmatch(first.json()["request.id"])
    assert first.headers["X-Request-Id"] == first.json()["request.id"]
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


def test_a_correlation_id_stays_beside_the_request_id(get: Get) -> None:
    """Each is returned under the name that it came with."""
    sent = {"X-Request-Id": "r1", "X-Correlation-Id": "c1", "X-Trace-ID": "t1"}
    answer = get("/bound", headers=sent)
    assert answer.json() == {"request.id": "r1", "correlation.id": "c1", "request_id()": "r1"}
    assert {name: answer.headers[name] for name in sent} == sent


@pytest.mark.parametrize(
    "hostile", ["a b", "x" * 129, "a\tb", "é".encode().decode("latin-1"), '"><script>', ""]
)
def test_what_is_no_id_is_not_taken(hostile: str, get: Get) -> None:
    """It would end up in logs, headers and pages."""
    answer = get("/bound", headers=[(b"X-Request-Id", hostile.encode("latin-1"))])
    assert UUID.fullmatch(answer.json()["request.id"])
    assert hostile == "" or hostile not in str(answer.headers)


def test_a_websocket_has_one() -> None:
    """It is in the answer to the handshake."""
    sent: list[Any] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        sent.append(request_id())
        await send({"type": "websocket.accept"})

    async def receive() -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "headers": [(b"x-request-id", b"r1")]}
    asyncio.run(RequestIdMiddleware(app)(scope, receive, send))
    assert sent == ["r1", {"type": "websocket.accept", "headers": [(b"x-request-id", b"r1")]}]


def test_the_servers_span_has_it_and_the_response_names_the_trace(telemetry: MemoryTelemetry) -> None:
    """Beside W3C traceparent: the trace id is returned where the client sent none."""

    async def endpoint(_request: Request) -> JSONResponse:
        return JSONResponse({}, headers={"X-Request-Id": "the application's"})

    app = RequestIdMiddleware(Starlette(routes=[Route("/", endpoint)]))
    with trace.get_tracer(__name__).start_as_current_span("server"):
        answer = _get(app, "/", {"X-Correlation-Id": "c1"})
    assert answer.headers.get_list("X-Request-Id") == ["the application's"]
    span = telemetry.span("server")
    assert span.context
    assert answer.headers["X-Trace-ID"] == trace.format_trace_id(span.context.trace_id)
    assert attributes(span) == {"request.id": "c1"}


def test_other_kinds_of_scopes_pass() -> None:
    """The application's start and end are no request."""
    seen: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])
        assert request_id() is None

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    asyncio.run(RequestIdMiddleware(app)({"type": "lifespan"}, nothing, nothing))
    assert seen == ["lifespan"]


def _flask() -> Flask:
    app = Flask(__name__)
    app.wsgi_app = WSGIRequestIdMiddleware(app.wsgi_app)  # type: ignore[method-assign]

    @app.get("/bound")
    def show() -> dict[str, Any]:
        before = dict(bound())
        bind(user_id="u1")
        return before

    @app.get("/stream")
    def stream() -> Any:
        bind(user_id="u1")

        def chunks() -> Iterable[str]:
            yield json.dumps(dict(bound()))

        return chunks()

    return app


def test_flask_in_one_line() -> None:
    """And what a request binds is gone with it, though the thread stays."""
    client = _flask().test_client()
    for _ in range(2):
        answer = client.get("/bound", headers={"X-Request-Id": "r1", "X-Correlation-Id": "c1"})
        assert answer.json == {"request.id": "r1", "correlation.id": "c1"}
        assert answer.headers["X-Request-Id"] == "r1"
        assert answer.headers["X-Correlation-Id"] == "c1"
    assert dict(bound()) == {}


def test_a_streamed_body_is_made_in_its_request() -> None:
    """It is iterated after the application has returned."""
    answer = _flask().test_client().get("/stream", headers={"X-Request-Id": "r1"})
    assert json.loads(answer.data) == {"request.id": "r1", "user.id": "u1"}


def test_wsgi_is_kept_to_the_letter() -> None:
    """By the validator of the standard library, on both sides of the middleware."""

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([b"a", b"b"])

    environ: dict[str, Any] = {"QUERY_STRING": ""}
    setup_testing_defaults(environ)
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
        started.append((status, headers))
        return lambda _: None

    body = validator(WSGIRequestIdMiddleware(validator(app)))(environ, start_response)
    assert b"".join(body) == b"ab"
    cast("Any", body).close()
    assert [name for name, _ in started[0][1]] == ["Content-Type", "X-Request-Id"]


def test_files_and_lists_reach_the_server_as_they_are() -> None:
    """Servers send the one by the kernel, and count the other for Content-Length."""
    file = FileWrapper(open(__file__, "rb"))  # noqa: SIM115, PTH123 - closed below
    for body in (file, [b"a"]):
        answer = WSGIRequestIdMiddleware(lambda _environ, _start, body=body: body)(  # type: ignore[misc]
            {"wsgi.file_wrapper": FileWrapper}, lambda *_: None
        )
        assert answer is body
    file.close()


DJANGO = """
import json
from django.conf import settings
settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["glasshouse.request_ids.django_request_ids"],
)
import django
django.setup()
from django.http import JsonResponse
from django.test import AsyncClient, Client
from django.urls import path
from glasshouse import bind, bound
def sync_view(request):
    before = dict(bound())
    bind(user_id="u1")
    return JsonResponse(before)
async def async_view(request):
    return sync_view(request)
urlpatterns = [path("sync", sync_view), path("async", async_view)]
async def ask_async():
    return await AsyncClient().get("/async", headers={"X-Correlation-Id": "c1"})
import asyncio
for answer in (Client().get("/sync", headers={"X-Request-Id": "r1"}), asyncio.run(ask_async())):
    print(json.dumps([answer.json(), answer.headers["X-Request-Id"], dict(bound())]))
"""


def test_django_in_one_line(programs: Programs) -> None:
    """A name in MIDDLEWARE, under WSGI and ASGI."""
    returned, output = programs.run("python", str(programs.write("program.py", DJANGO)))
    assert returned == 0, output
    assert [json.loads(line) for line in output.splitlines()] == [
        [{"request.id": "r1"}, "r1", {}],
        [{"request.id": "c1"}, "c1", {}],
    ]


def test_a_record_of_the_request_has_the_id(telemetry: MemoryTelemetry) -> None:
    """As everything that is bound."""
    from opentelemetry import _logs  # noqa: PLC0415 - here alone

    app = Flask(__name__)
    app.wsgi_app = WSGIRequestIdMiddleware(app.wsgi_app)  # type: ignore[method-assign]

    @app.get("/")
    def index() -> str:
        _logs.get_logger("shop").emit(body="served")
        return ""

    app.test_client().get("/", headers={"X-Request-Id": "r1"})
    assert attributes(telemetry.record()) == {"request.id": "r1"}
