"""A meter provider of the SDK that is read in memory, set for one test."""

import os
from collections.abc import Iterator

import pytest

import glasshouse
from glasshouse.metrics import instruments
from metric_reading import Reading, reading


@pytest.fixture(autouse=True)
def clean_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take away the variables of the developer's shell, and undo what a test has configured."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "GLASSHOUSE_", "SENTRY_")):
            monkeypatch.delenv(name)
    # As in a process in which nothing was configured yet.
    monkeypatch.setattr(instruments, "_ever_configured", False)
    yield
    glasshouse.shutdown()


@pytest.fixture
def measured() -> Iterator[Reading]:
    """Set a meter provider as `configure` would."""
    with reading() as set_up:
        yield set_up
