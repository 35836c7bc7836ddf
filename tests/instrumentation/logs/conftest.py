"""Providers in memory, logs installed for one test, and a root logger as a fresh process has it."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from application_process import BIN, Programs
from glasshouse import logs
from glasshouse.settings import load
from memory_telemetry import MemoryTelemetry, memory_telemetry

Install = Callable[..., Callable[[], None]]


@pytest.fixture(autouse=True)
def clean_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take away the developer's variables and pytest's handlers, and what a test has done to loggers."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "GLASSHOUSE_")):
            monkeypatch.delenv(name)
    root = logging.getLogger()
    handlers, root.handlers, level = root.handlers, [], root.level
    root.setLevel(logging.WARNING)
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def telemetry() -> Iterator[MemoryTelemetry]:
    """Return what the test records."""
    with memory_telemetry() as kept:
        yield kept


@pytest.fixture
def install(telemetry: MemoryTelemetry) -> Iterator[Install]:
    """Install logs with these settings, by default without a console; undone with the test."""
    undos: list[Callable[[], None]] = []

    def with_settings(**given: Any) -> Callable[[], None]:
        undos.append(logs.install(load({"log_format": "off"} | given)))
        return undos[-1]

    yield with_settings
    for undo in reversed(undos):
        undo()


@pytest.fixture
def application() -> Iterator[logging.Logger]:
    """Return a logger of the application, without handlers and with no level of its own after the test."""
    logger = logging.getLogger("shop.cart")
    yield logger
    logger.handlers, logger.propagate, logger.disabled = [], True, False
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Start programs with a spool of their own."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environ |= {"GLASSHOUSE_SPOOL_DIR": str(tmp_path / "spool"), "GLASSHOUSE_SHUTDOWN_SECONDS": "0.5"}
    environ["PATH"] = f"{BIN}{os.pathsep}{environ['PATH']}"
    starting = Programs(tmp_path, environ)
    yield starting
    starting.end()
