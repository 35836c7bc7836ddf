"""Providers in memory, and programs that really run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from application_process import BIN, Programs
from glasshouse import context
from memory_telemetry import MemoryTelemetry, memory_telemetry


@pytest.fixture(autouse=True)
def clean_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take away the developer's variables, and what a test has bound."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "GLASSHOUSE_")):
            monkeypatch.delenv(name)
    context._bound.set({})
    yield
    context._bound.set({})


@pytest.fixture
def telemetry() -> Iterator[MemoryTelemetry]:
    """Return what the test records."""
    with memory_telemetry() as kept:
        yield kept


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Start programs with a spool of their own."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environ |= {"GLASSHOUSE_SPOOL_DIR": str(tmp_path / "spool"), "GLASSHOUSE_SHUTDOWN_SECONDS": "0.5"}
    environ["PATH"] = f"{BIN}{os.pathsep}{environ['PATH']}"
    starting = Programs(tmp_path, environ)
    yield starting
    starting.end()
