"""Checks of real databases, caches, services and workers: up, away, hanging, and never telling secrets."""

import asyncio
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from celery import Celery, signals
from celery.contrib.testing.worker import start_worker
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from glasshouse import health as checks
from glasshouse.health import Health, Outcome
from glasshouse.health.endpoint import answer

PASSWORD = "hunter2"


def _outcome(health: Health, check: checks.Call, timeout: float = 20) -> Outcome:
    """Run one check, and make sure that the answer at /health/detailed has no password."""
    health.register("it", check, timeout=timeout)
    detailed = answer(health, "/health/detailed").body.decode()
    assert PASSWORD not in detailed
    return Outcome(**{name: json.loads(detailed)["checks"]["it"].get(name) for name in ("status", "detail")})


@pytest.fixture
def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Listen, and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_sqlalchemy_up(health: Health, tmp_path: Path) -> None:
    """An engine that answers is healthy."""
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    assert _outcome(health, checks.sqlalchemy(engine)).status == "healthy"
    engine.dispose()


def test_sqlalchemy_away(health: Health, closed_port: int) -> None:
    """A database that is away is unhealthy, and its DSN is not shown."""
    engine = create_engine(f"postgresql+psycopg://shop:{PASSWORD}@127.0.0.1:{closed_port}/shop")
    outcome = _outcome(health, checks.sqlalchemy(engine))
    assert (outcome.status, outcome.detail) == ("unhealthy", "OperationalError, caused by OperationalError")


def test_sqlalchemy_hangs(health: Health, silent_port: int) -> None:
    """A database that takes connections and says nothing is unhealthy in time."""
    engine = create_engine(
        f"postgresql+psycopg://shop:{PASSWORD}@127.0.0.1:{silent_port}/shop?connect_timeout=2"
    )
    outcome = _outcome(health, checks.sqlalchemy(engine), timeout=0.1)
    assert (outcome.status, outcome.detail) == ("unhealthy", "no answer within 0.1 s")


def test_an_exhausted_pool_is_unhealthy(health: Health, tmp_path: Path) -> None:
    """Where all connections are taken, the check fails as a request would."""
    engine = create_engine(
        f"sqlite:///{tmp_path / 'shop.db'}", pool_size=1, max_overflow=0, pool_timeout=0.05
    )
    with engine.connect():
        assert _outcome(health, checks.sqlalchemy(engine)).detail == "TimeoutError"
    assert _outcome(health, checks.sqlalchemy(engine)).status == "healthy"
    engine.dispose()


def test_sqlalchemy_asynchronous(health: Health, tmp_path: Path, closed_port: int) -> None:
    """An asynchronous engine is asked in the application's loop; one that cannot connect is unhealthy."""
    up = f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}"
    away = f"postgresql+psycopg://shop:{PASSWORD}@127.0.0.1:{closed_port}/shop"

    async def ask(url: str) -> Outcome:
        engine = create_async_engine(url)
        health.register("it", checks.sqlalchemy(engine), timeout=20)
        outcome = (await health.report_async()).outcomes["it"]
        await engine.dispose()
        return outcome

    assert asyncio.run(ask(up)).status == "healthy"
    outcome = asyncio.run(ask(away))
    assert outcome.status == "unhealthy"
    assert PASSWORD not in str(outcome)


@pytest.fixture
def redis_port(closed_port: int, tmp_path: Path) -> Iterator[int]:
    """Run a real Redis with a password."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    command = [program, "--port", str(closed_port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(
        [*command, "--requirepass", PASSWORD, "--dir", str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Ready to accept connections" in line:
                break
        yield closed_port
        process.terminate()


def test_redis(health: Health, redis_port: int) -> None:
    """A Redis that answers is healthy; a wrong password is unhealthy, and not shown."""
    right = redis.Redis(port=redis_port, password=PASSWORD)
    assert _outcome(health, checks.redis(right)).status == "healthy"
    wrong = redis.Redis(port=redis_port, password=f"{PASSWORD}!")
    outcome = _outcome(health, checks.redis(wrong))
    assert outcome.status == "unhealthy"
    assert outcome.detail is not None
    assert outcome.detail.startswith("AuthenticationError")
    for client in (right, wrong):
        client.close()


def test_redis_asynchronous(health: Health, redis_port: int, closed_port: int) -> None:
    """An asynchronous client is asked in the application's loop."""

    async def ask() -> str:
        async with redis.asyncio.Redis(port=redis_port, password=PASSWORD) as client:
            health.register("it", checks.redis(client), timeout=20)
            return (await health.report_async()).outcomes["it"].status

    assert asyncio.run(ask()) == "healthy"


def test_redis_away(health: Health, closed_port: int) -> None:
    """A Redis that is away is unhealthy."""
    client = redis.Redis.from_url(f"redis://:{PASSWORD}@127.0.0.1:{closed_port}/0")
    outcome = _outcome(health, checks.redis(client))
    assert outcome.status == "unhealthy"
    assert outcome.detail is not None
    assert "Connection refused" in outcome.detail
    client.close()


class _Service(BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path[1:4]))
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[str]:
    """Run an HTTP service."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://monitor:{PASSWORD}@127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, ("healthy", None)),
        (204, ("healthy", None)),
        (302, ("healthy", None)),
        (404, ("unhealthy", "127.0.0.1 answered 404")),
        (503, ("unhealthy", "127.0.0.1 answered 503")),
    ],
)
def test_http(health: Health, service: str, status: int, expected: tuple[str, str | None]) -> None:
    """A status below 400 is healthy; no redirection is followed, and of the URL only the host is shown."""
    outcome = _outcome(health, checks.http(f"{service}/{status}?key={PASSWORD}"))
    assert (outcome.status, outcome.detail) == expected


def test_http_away(health: Health, closed_port: int) -> None:
    """A service that is away is unhealthy."""
    outcome = _outcome(health, checks.http(f"http://u:{PASSWORD}@127.0.0.1:{closed_port}/?key={PASSWORD}"))
    assert outcome.status == "unhealthy"
    assert outcome.detail is not None
    assert outcome.detail.startswith("ConnectionError")


def test_http_silent(health: Health, silent_port: int) -> None:
    """A service that takes connections and says nothing is unhealthy in time."""
    check = checks.http(f"http://127.0.0.1:{silent_port}/", timeout=0.05)
    outcome = _outcome(health, check)
    assert outcome.status == "unhealthy"
    assert outcome.detail is not None
    assert outcome.detail.startswith("ReadTimeout")


@pytest.mark.parametrize("url", ["example.com", "ftp://example.com/", "", "http://"])
def test_http_needs_a_url(url: str) -> None:
    """What is no URL is refused where it is registered."""
    with pytest.raises(ValueError, match="url: should be a URL"):
        checks.http(url)


@pytest.fixture
def logging_left_alone() -> Iterator[None]:
    """Keep Celery from setting up logging for the whole process, as a worker of its own may."""

    def leave(**_options: object) -> None: ...

    signals.setup_logging.connect(leave)
    yield
    signals.setup_logging.disconnect(leave)


def test_celery(health: Health, logging_left_alone: None) -> None:
    """Workers that answer are counted; too few are unhealthy."""
    app = Celery("shop", broker="memory://", backend="cache+memory://")
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        outcome = _outcome(health, checks.celery(app))
        assert (outcome.status, outcome.detail) == ("healthy", "workers answering: 1")
        few = _outcome(health, checks.celery(app, workers=2, timeout=3))
        assert (few.status, few.detail) == ("unhealthy", "workers answering: 1, wanted: 2")


def test_celery_without_workers(health: Health) -> None:
    """A broker that nobody works for is unhealthy."""
    app = Celery("idle", broker="memory://idle")
    outcome = _outcome(health, checks.celery(app, timeout=0.1))
    assert (outcome.status, outcome.detail) == ("unhealthy", "workers answering: 0, wanted: 1")


def test_celery_broker_away(health: Health, closed_port: int) -> None:
    """A broker that is away is unhealthy, and its URL is not shown."""
    app = Celery("away", broker=f"redis://:{PASSWORD}@127.0.0.1:{closed_port}/0")
    outcome = _outcome(health, checks.celery(app))
    assert outcome.status == "unhealthy"
    assert outcome.detail is not None
    assert "Connection refused" in outcome.detail
