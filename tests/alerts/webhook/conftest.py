"""Collectors with the extension `alerts`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from alert_notifications import collecting
from collector_process import CollectorProcess

Start = Callable[..., tuple[CollectorProcess, httpx.Client]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CollectorProcess, httpx.Client]]:
    """Lend one collector to a module's tests."""
    with collecting(tmp_path_factory.mktemp("alerts"), {}) as both:
        yield both


@pytest.fixture
def api(running: tuple[CollectorProcess, httpx.Client]) -> httpx.Client:
    """Return a client of its API."""
    return running[1]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return what runs a collector for the test's time."""
    with ExitStack() as stack:
        yield lambda alerts, *options, env=None: stack.enter_context(
            collecting(tmp_path, alerts, *options, env=env)
        )
