"""Providers in memory, for each test anew, and programs that really run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from application_process import BIN, Programs
from memory_telemetry import MemoryTelemetry, memory_telemetry


@pytest.fixture
def telemetry() -> Iterator[MemoryTelemetry]:
    """Return what the test records."""
    with memory_telemetry() as kept:
        yield kept


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Start programs with a spool of their own."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    environ = {"GLASSHOUSE_SPOOL_DIR": str(tmp_path / "spool"), "PATH": path}
    starting = Programs(tmp_path, environ)
    yield starting
    starting.end()
