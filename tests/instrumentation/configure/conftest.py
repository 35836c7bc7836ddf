"""A collector to send to, a plain listener to look at requests, and a clean process around each test."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import glasshouse
from application_process import BIN, Collected, Programs
from collector_process import CollectorProcess
from otlp_listener import Listener, listen


@pytest.fixture(autouse=True)
def clean_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Take away the variables of the developer's shell, and undo what a test has configured."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "GLASSHOUSE_", "SENTRY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GLASSHOUSE_SPOOL_DIR", str(tmp_path / "spool"))
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    yield
    glasshouse.shutdown()
    logging.getLogger().handlers = handlers
    logging.getLogger().setLevel(level)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Listen for OTLP/HTTP on a port of the system's choice."""
    with listen() as listening:
        yield listening


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collected]:
    """Run a collector for the tests that start processes."""
    collector = CollectorProcess(tmp_path_factory.mktemp("collector") / "data")
    yield Collected(collector)
    collector.stop()


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Start programs in a folder of their own; they are ended with the test."""
    folder = tmp_path / "application"
    folder.mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environ["PATH"] = f"{BIN}{os.pathsep}{environ['PATH']}"
    starting = Programs(folder, environ)
    yield starting
    starting.end()
