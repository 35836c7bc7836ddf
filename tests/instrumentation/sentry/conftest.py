"""A small server that takes real envelopes, and the providers of OpenTelemetry in memory."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from application_process import BIN, Programs
from memory_telemetry import MemoryTelemetry, memory_telemetry
from otlp_listener import listen
from sentry_server import SentryServer


@pytest.fixture
def sentry() -> Iterator[SentryServer]:
    """Run the server."""
    with listen() as listener:
        yield SentryServer(listener)


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryTelemetry]:
    """Return what the test records, without the variables of the developer's shell."""
    for name in list(os.environ):
        if name.startswith("SENTRY_"):
            monkeypatch.delenv(name)
    with memory_telemetry() as kept:
        yield kept


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Start programs with a spool of their own."""
    environ = {
        "GLASSHOUSE_SPOOL_DIR": str(tmp_path / "spool"),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }
    starting = Programs(tmp_path, environ)
    yield starting
    starting.end()
