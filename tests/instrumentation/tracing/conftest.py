"""Providers in memory, for each test anew."""

from collections.abc import Iterator

import pytest

from memory_telemetry import MemoryTelemetry, memory_telemetry


@pytest.fixture
def telemetry() -> Iterator[MemoryTelemetry]:
    """Return what the test records."""
    with memory_telemetry() as kept:
        yield kept
