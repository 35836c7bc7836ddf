"""Programs that know nothing of telemetry, run by `glasshouse run`, and what they have sent."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from application_process import BIN, Programs
from otlp_listener import Listener, listen
from sent_telemetry import Sent


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Listen for OTLP/HTTP."""
    with listen() as listening:
        yield listening


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


@pytest.fixture
def run(programs: Programs, listener: Listener) -> Callable[..., Sent]:
    """Return what runs a program to its end and gives back what it has sent; it has to succeed."""

    def ran(source: str, arguments: tuple[str, ...] = (), **variables: str) -> Sent:
        returned, output = programs.run(
            "glasshouse", "run", "--service-name", "library", "--endpoint", listener.url, "--",
            "python", str(programs.write("program.py", source)), *arguments, **variables,
        )  # fmt: skip
        assert returned == 0, output
        assert '"logger":"glasshouse"' not in output, output  # what it says when it is in trouble
        return Sent(listener)

    return ran
