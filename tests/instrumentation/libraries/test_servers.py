"""Servers: each request is a span with its route, joined to its caller, with the log records made in it."""

from collections.abc import Callable

import pytest

from sent_telemetry import Sent

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
BEGINNING = f"""
import asyncio
import logging
from contextlib import suppress

import httpx

CALLER = {{"base_url": "http://shop.test", "headers": {{"traceparent": "00-{TRACE_ID}-{SPAN_ID}-01"}}}}
PATHS = ("/items/1", "/broken")
log = logging.getLogger("shop")

async def ask(app):
    asgi = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=asgi, **CALLER) as client:
        for path in PATHS:
            await client.get(path)

def ask_wsgi(app):
    wsgi = httpx.WSGITransport(app, raise_app_exceptions=False)
    with httpx.Client(transport=wsgi, **CALLER) as client:
        for path in PATHS:
            with suppress(ValueError):
                client.get(path)
"""

PROGRAMS = {
    "fastapi": """
from fastapi import FastAPI

app = FastAPI()

@app.get("/items/{item}")
def item(item: int) -> int:
    log.info("asked")
    return item

@app.get("/broken")
async def broken():
    raise ValueError("broken")

asyncio.run(ask(app))
""",
    "starlette": """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

def item(request):
    log.info("asked")
    return PlainTextResponse(request.path_params["item"])

def broken(request):
    raise ValueError("broken")

asyncio.run(ask(Starlette(routes=[Route("/items/{item}", item), Route("/broken", broken)])))
""",
    "flask": """
from flask import Flask

app = Flask(__name__)

@app.get("/items/<int:item>")
def item(item):
    log.info("asked")
    return str(item)

@app.get("/broken")
def broken():
    raise ValueError("broken")

ask_wsgi(app)
""",
    "django under wsgi": """
import django
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None)
django.setup()
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

def item(request, item):
    log.info("asked")
    return HttpResponse(item)

def broken(request):
    raise ValueError("broken")

urlpatterns = [path("items/<int:item>", item), path("broken", broken)]
ask_wsgi(get_wsgi_application())
""",
    "django under asgi": """
import django
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None)
django.setup()
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path

async def item(request, item):
    log.info("asked")
    return HttpResponse(item)

async def broken(request):
    raise ValueError("broken")

urlpatterns = [path("items/<int:item>", item), path("broken", broken)]
asyncio.run(ask(get_asgi_application()))
""",
    "asgi": """
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

async def app(scope, receive, send):
    if scope["path"] == "/broken":
        raise ValueError("broken")
    log.info("asked")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"1"})

asyncio.run(ask(OpenTelemetryMiddleware(app, exclude_spans=["receive", "send"])))
""",
    "wsgi": """
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

def app(environ, start_response):
    if environ["PATH_INFO"] == "/broken":
        raise ValueError("broken")
    log.info("asked")
    start_response("200 OK", [])
    return [b"1"]

ask_wsgi(OpenTelemetryMiddleware(app))
""",
    "aiohttp": """
from aiohttp import web

async def item(request):
    log.info("asked")
    return web.Response(text=request.match_info["item"])

async def broken(request):
    raise ValueError("broken")

async def main():
    app = web.Application()
    app.add_routes([web.get("/items/{item}", item), web.get("/broken", broken)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with httpx.AsyncClient(headers=CALLER["headers"]) as client:
        for path in PATHS:
            await client.get("http://%s:%d%s" % (*runner.addresses[0], path))
    await runner.cleanup()

asyncio.run(main())
""",
}
ROUTES = {
    "fastapi": "/items/{item}",
    "starlette": "/items/{item}",
    "flask": "/items/<int:item>",
    "django under wsgi": "items/<int:item>",
    "django under asgi": "items/<int:item>",
    "asgi": None,  # they know paths only
    "wsgi": None,
    "aiohttp": "/items/{item}",
}
# Where the instrumentation stands below what makes an answer of an exception.
STATUS_UNSEEN = {"starlette", "asgi", "wsgi", "aiohttp"}
MESSAGES = {"starlette": ["GET /items/{item} http send"] * 2}


@pytest.mark.parametrize("server", PROGRAMS)
def test_a_request_is_a_span(server: str, run: Callable[..., Sent]) -> None:
    """With method, route, path and status by the stable conventions; one that fails says so."""
    disabled = "httpx" if server == "aiohttp" else ""  # the caller of this test is far away
    sent = run(BEGINNING + PROGRAMS[server], OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=disabled)
    good, broken = sent.spans("SERVER")
    for span in (good, broken):
        assert (span.trace_id, span.parent) == (TRACE_ID, SPAN_ID)
        assert span.attributes["http.request.method"] == "GET"
        assert span.attributes["url.scheme"] == "http"
    assert good.attributes.get("http.route") == ROUTES[server]
    assert good.name == f"GET {ROUTES[server] or '/items/1'}"
    assert good.attributes["http.response.status_code"] == 200
    assert not good.failed
    assert broken.failed
    assert broken.attributes.get("http.response.status_code") == (None if server in STATUS_UNSEEN else 500)
    (record,) = sent.records("shop")
    assert (record.body, record.trace_id, record.span_id) == ("asked", TRACE_ID, good.span_id)
    # Starlette's instrumentation cannot leave out the messages of an answer, as FastAPI's can.
    assert [span.name for span in sent.spans("INTERNAL")] == [*MESSAGES.get(server, ())]


@pytest.mark.parametrize("server", ["fastapi", "flask", "django under wsgi"])
def test_probes_are_kept_out(server: str, run: Callable[..., Sent]) -> None:
    """By the variable that the pages name; a path that only looks like a probe's is not."""
    source = (BEGINNING + PROGRAMS[server]).replace("broken", "live").replace("items", "delivered")
    sent = run(source, OTEL_PYTHON_EXCLUDED_URLS="/health,/ready$,/live$")
    assert "delivered" in sent.span("SERVER").attributes["http.route"]
