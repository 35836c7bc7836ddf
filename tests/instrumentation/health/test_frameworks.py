"""The four endpoints, the same in each framework and behind real servers."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest
from fastapi import FastAPI
from flask import Flask
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from glasshouse.health import Degraded, Health
from glasshouse.health import asgi as asgi_health
from glasshouse.health import django as django_health
from glasshouse.health import fastapi as fastapi_health
from glasshouse.health import flask as flask_health
from glasshouse.health import wsgi as wsgi_health

Ask = Callable[..., httpx.Response]
Made = Callable[[Health], Ask]


def _ask_asgi(app: Any) -> Ask:
    def ask(path: str, method: str = "GET") -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                return await client.request(method, path)

        return asyncio.run(send())

    return ask


def _ask_wsgi(app: Any) -> Ask:
    def ask(path: str, method: str = "GET") -> httpx.Response:
        with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://shop") as client:
            return client.request(method, path)

    return ask


def _fastapi(health: Health) -> Ask:
    app = FastAPI()
    app.include_router(fastapi_health.router(health))
    app.add_api_route("/own", lambda: "own")
    return _ask_asgi(app)


def _flask(health: Health) -> Ask:
    app = Flask("shop")
    app.register_blueprint(flask_health.blueprint(health))
    app.add_url_rule("/own", view_func=lambda: "own", endpoint="own")
    return _ask_wsgi(app)


def _django(health: Health, *, asynchronous: bool = False) -> Ask:
    import django  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415
    from django.core.asgi import get_asgi_application  # noqa: PLC0415
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415
    from django.http import HttpResponse  # noqa: PLC0415
    from django.test import override_settings  # noqa: PLC0415
    from django.urls import path  # noqa: PLC0415

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="test", ROOT_URLCONF=__name__)
        django.setup()
    own = path("own", lambda _: HttpResponse("own"))
    urls = type("Urls", (), {"urlpatterns": [*django_health.urls(health, asynchronous=asynchronous), own]})
    asked = _ask_asgi(get_asgi_application()) if asynchronous else _ask_wsgi(get_wsgi_application())

    def ask(*args: Any, **more: Any) -> httpx.Response:
        with override_settings(ROOT_URLCONF=urls):
            return asked(*args, **more)

    return ask


async def _own_asgi(scope: Any, receive: Any, send: Any) -> None:
    status = 200 if scope["path"] == "/own" else 404
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"own"})


def _own_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK" if environ["PATH_INFO"] == "/own" else "404 Not Found", [])
    return [b"own"]


FRAMEWORKS: dict[str, Made] = {
    "fastapi": _fastapi,
    "flask": _flask,
    "django": _django,
    "django on asgi": lambda health: _django(health, asynchronous=True),
    "asgi": lambda health: _ask_asgi(asgi_health.with_health(_own_asgi, health)),
    "wsgi": lambda health: _ask_wsgi(wsgi_health.with_health(_own_wsgi, health)),
}
each_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


async def _replica() -> None:
    raise Degraded("30 s behind")


@each_framework
def test_healthy(health: Health, framework: str) -> None:
    """With all well each endpoint answers 200, and the application's own routes are left alone."""
    health.register("database", lambda: "1 ms")
    health.register("replica", _replica, critical=False)
    ask = FRAMEWORKS[framework](health)
    for path in ("/health", "/live"):
        answer = ask(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "healthy", "version": "1.2.3"})
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
    assert ask("/ready").json() == {
        "status": "healthy",
        "version": "1.2.3",
        "checks": {"database": "healthy"},
    }
    detailed = ask("/health/detailed")
    assert detailed.status_code == 200
    body = detailed.json()
    assert body["status"] == "degraded"
    for check in body["checks"].values():
        assert check.pop("duration_seconds") >= 0
    assert body["checks"] == {
        "database": {"status": "healthy", "critical": True, "detail": "1 ms"},
        "replica": {"status": "degraded", "critical": False, "detail": "30 s behind"},
    }
    assert ask("/own").status_code == 200
    assert "own" in ask("/own").text


@each_framework
def test_unhealthy(health: Health, framework: str) -> None:
    """With a critical dependency away the application is not ready, and still alive."""
    health.register("database", lambda: False)
    ask = FRAMEWORKS[framework](health)
    assert [ask(path).status_code for path in ("/health", "/live", "/ready", "/health/detailed")] == [
        200,
        200,
        503,
        503,
    ]
    assert ask("/ready").json()["checks"] == {"database": "unhealthy"}


@each_framework
def test_hanging(health: Health, released: threading.Event, framework: str) -> None:
    """A check that hangs, plain or asynchronous, leaves every endpoint with an answer."""

    async def hang() -> None:
        await asyncio.Event().wait()

    health.register("plain", released.wait, timeout=0.05)
    health.register("asynchronous", hang, timeout=0.05)
    ask = FRAMEWORKS[framework](health)
    assert [ask(path).status_code for path in ("/health", "/ready", "/health/detailed")] == [200, 503, 503]


@each_framework
def test_methods(health: Health, framework: str) -> None:
    """HEAD has no body, and what changes something is refused."""
    ask = FRAMEWORKS[framework](health)
    head = ask("/ready", "HEAD")
    assert head.status_code == 200
    assert ask("/ready", "POST").status_code == 405
    assert ask("/health/other").status_code == 404


@pytest.mark.parametrize("framework", ["fastapi", "django on asgi", "asgi"])
def test_asynchronous_checks_run_in_the_loop_of_the_application(health: Health, framework: str) -> None:
    """Where the application has a loop, its asynchronous clients are used there."""
    threads: list[int] = []

    async def check() -> None:
        threads.append(threading.get_ident())

    health.register("client", check)
    assert FRAMEWORKS[framework](health)("/ready").status_code == 200
    assert threads == [threading.get_ident()]


def test_service_and_version_are_those_of_the_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless told otherwise, the answers name what `configure` was told."""
    resource = Resource({"service.name": "shop", "service.version": "7"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
    answer = _ask_wsgi(wsgi_health.with_health(health=Health()))("/health")
    assert answer.json() == {"status": "healthy", "service": "shop", "version": "7"}


def test_mounted_below_a_path(health: Health) -> None:
    """The ASGI and WSGI applications can be mounted, and answer 404 to what is not theirs."""
    app = FastAPI()
    app.mount("/internal", asgi_health.with_health(health=health))
    ask = _ask_asgi(app)
    assert ask("/internal/ready").status_code == 200
    assert ask("/internal/nothing").status_code == 404
    assert ask("/ready").status_code == 404
    assert _ask_wsgi(wsgi_health.with_health(health=health))("/nothing").status_code == 404


def test_wsgi_by_the_letter(health: Health) -> None:
    """The WSGI application holds to the standard, as wsgiref's validator sees it."""
    app: Any = validator(wsgi_health.with_health(health=health))
    environ: dict[str, Any] = {"SCRIPT_NAME": "", "PATH_INFO": "/ready", "QUERY_STRING": ""}
    setup_testing_defaults(environ)

    def start(_status: str, _headers: Any, _info: Any = None) -> Callable[[bytes], object]:
        return bytes.hex

    result = app(environ, start)
    assert json.loads(b"".join(result))["status"] == "healthy"
    result.close()


SERVED = """
import asyncio, threading
from glasshouse import health
from glasshouse.health import asgi, wsgi

async def hang():
    await asyncio.Event().wait()

health.register("plain", threading.Event().wait, timeout=0.2)
health.register("asynchronous", hang, timeout=0.2)
asgi_app, wsgi_app = asgi.with_health(), wsgi.with_health()
"""
SERVERS = {
    "uvicorn": ["uvicorn", "--port", "{port}", "served:asgi_app"],
    "gunicorn": ["gunicorn", "--bind", "127.0.0.1:{port}", "--threads", "2", "served:wsgi_app"],
}


@contextlib.contextmanager
def _serving(server: str, folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "served.py").write_text(SERVED)
    command = [str(Path(sys.executable).parent / SERVERS[server][0]), *SERVERS[server][1:]]
    process = subprocess.Popen([part.format(port=port) for part in command], cwd=folder)
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("server", SERVERS)
def test_behind_a_real_server(server: str, tmp_path: Path) -> None:
    """With checks that hang for good a real server answers, and ends when it is told to."""
    with _serving(server, tmp_path) as (url, process):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/live").status_code == 200:
                    break
        for _ in range(3):
            detailed = httpx.get(f"{url}/health/detailed", timeout=30)
            assert detailed.status_code == 503
            assert {check["status"] for check in detailed.json()["checks"].values()} == {"unhealthy"}
        assert httpx.get(f"{url}/health").json()["status"] == "healthy"
        process.send_signal(signal.SIGTERM)
        process.wait(60)
