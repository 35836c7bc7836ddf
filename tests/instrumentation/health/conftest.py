"""Checks of the test's own, and a clean process around each test."""

import os
import threading
from collections.abc import Iterator

import pytest

from glasshouse.health import Health


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the variables of the developer's shell."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "GLASSHOUSE_", "SENTRY_")):
            monkeypatch.delenv(name)


@pytest.fixture
def health() -> Health:
    """Return checks of this test alone."""
    return Health(version="1.2.3")


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Return what a hanging check waits for; it is set when the test is over."""
    event = threading.Event()
    yield event
    event.set()
