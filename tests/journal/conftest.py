"""A journal in a folder of the test's own, and frames to put in."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal import Journal, JournalSettings


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the journal lies."""
    return tmp_path / "journal"


@pytest.fixture
def metrics() -> Metrics:
    """Have what the journal counts."""
    return Metrics()


@pytest.fixture
def open_journal(directory: Path, metrics: Metrics) -> Callable[..., Journal]:
    """Open the test's journal, with these settings changed."""

    def open_with(**changed: Any) -> Journal:
        settings = {
            "directory": directory,
            "durability": "fsync",
            "max_bytes": 1 << 30,
            "segment_bytes": 1 << 20,
            **changed,
        }
        return Journal.open(JournalSettings(**settings), metrics, SystemClock())

    return open_with


@pytest.fixture
def frame() -> Callable[..., Frame]:
    """Make the frame of a number: incompressible, of `size` bytes, the same each time."""

    def numbered(number: int, size: int = 100) -> Frame:
        kinds = list(RequestKind)
        payload = random.Random(number).randbytes(size)
        return Frame(kinds[number % len(kinds)], f"project {number % 5}", 1, 1_000_000 + number, payload)

    return numbered
