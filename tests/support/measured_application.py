"""An application that measures all that the SDK has ready-made metrics for, until it is told to end.

Beside the shop it sends what no shop does: exports, credits, websockets, a cache, a pool of its own, calls to
two language models, and things that a collector cuts, hides, rejects or does not show.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

import glasshouse
from glasshouse.metrics import business, cache, database, http

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

SERVICE = "reports"
FEATURE = "monthly summary"
_ROUNDS_A_SECOND = 5.0
_LONG = 100_000
_MODELS: dict[str, dict[str, float]] = {"priced-model": {"gen_ai.usage.cost": 0.02}, "unknown-model": {}}


class MeasuredApplication:
    """The process, as a test sees it."""

    def __init__(self, endpoint: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTEST"))}
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=kept
            | {
                "OTEL_SERVICE_NAME": SERVICE,
                "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
                "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
                "OTEL_METRIC_EXPORT_INTERVAL": "1000",
                "OTEL_BSP_SCHEDULE_DELAY": "500",
            },
        )

    def stop(self) -> None:
        """Tell it to end, and wait for that."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _measured() -> Callable[[], None]:
    """Return what does one round of everything."""
    engine = create_engine("sqlite:///:memory:", poolclass=QueuePool)
    database.watch_engine(engine, "main")
    sessions = cache.Cache("sessions")
    held = {"user-7": "here"}
    sessions.watch(items=lambda: len(held), size_bytes=lambda: 4096)
    reserved = glasshouse.counter("glasshouse.received_records", "{record}", "Not the application's name.")

    def once() -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        with contextlib.suppress(OperationalError), engine.connect() as connection:
            connection.execute(text("SELECT * FROM absent"))
        for key in ("user-7", "user-8"):
            with sessions.time("get"):
                sessions.looked_up(held.get(key))
        _business()
        reserved.add(1)
        with http.ServerRequest("GET", "/reports/{id}") as served:
            served.status_code = 500
        _spans()

    return once


def _business() -> None:
    business.active_users(12, workspace_id="w1")
    business.credits_consumed(2.5, workspace_id="w1")
    business.query("funnel")
    with contextlib.suppress(ValueError), business.background_job("mail"):
        raise ValueError("no such address")
    with business.background_job("mail"), business.export("csv"), business.websocket():
        pass
    with contextlib.suppress(ValueError), business.export("csv"):
        raise ValueError("no such report")


def _spans() -> None:
    """Fail a probe and a connection; call models with a price of their own and without any."""
    tracer = trace.get_tracer(SERVICE)
    for name, kind in (("GET /health", SpanKind.SERVER), ("connect", SpanKind.CLIENT)):
        with tracer.start_as_current_span(name, kind=kind) as span:
            span.set_status(StatusCode.ERROR)
    about: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 900,
        "feature": FEATURE,
    }
    with tracer.start_as_current_span("summary", kind=SpanKind.SERVER, attributes={"note": "x" * _LONG}):
        for model, cost in _MODELS.items():
            given: Mapping[str, AttributeValue] = {**about, "gen_ai.request.model": model, **cost}
            with tracer.start_as_current_span(f"chat {model}", kind=SpanKind.CLIENT, attributes=given):
                pass
        with tracer.start_as_current_span("login", attributes={"header": "Bearer " + "abcdefgh" * 4}):
            pass


def _main() -> None:
    import select  # noqa: PLC0415 - of the process alone

    glasshouse.configure()
    once = _measured()
    while not select.select([sys.stdin], [], [], 1 / _ROUNDS_A_SECOND)[0]:
        once()
    glasshouse.shutdown()


if __name__ == "__main__":
    _main()
