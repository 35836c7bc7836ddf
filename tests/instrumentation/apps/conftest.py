"""A collector, and applications that know nothing of telemetry, started by `glasshouse run`."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import application_process
from application_process import BIN, Collected, Programs
from collector_process import CollectorProcess

APPLICATIONS = Path(application_process.__file__).parent / "uninstrumented"


@pytest.fixture
def collected(tmp_path: Path) -> Iterator[Collected]:
    """Run a collector."""
    collector = CollectorProcess(tmp_path / "data")
    yield Collected(collector)
    collector.stop()


@pytest.fixture
def applications(programs: Programs) -> Programs:
    """Start the applications that know nothing of telemetry, from their own folder."""
    programs.folder = APPLICATIONS
    return programs


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Start programs without what a developer's shell says of telemetry; they end with the test."""
    folder = tmp_path / "application"
    folder.mkdir()
    telemetry = ("PYTEST", "OTEL_", "GLASSHOUSE_", "SENTRY_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(telemetry)}
    environ["PATH"] = f"{BIN}{os.pathsep}{environ['PATH']}"
    environ["GLASSHOUSE_SPOOL_DIR"] = str(tmp_path / "spool")
    starting = Programs(folder, environ)
    yield starting
    starting.end()
