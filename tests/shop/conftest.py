"""One collector and one shop for all tests here, each started as a user would."""

import contextlib
import os
import signal
from collections.abc import Iterator

import pytest

from collector_process import CollectorProcess
from shop_process import ShopProcess


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """Run a collector."""
    running = CollectorProcess(tmp_path_factory.mktemp("collector") / "data")
    running.endpoints()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def shop(collector: CollectorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopProcess]:
    """Run the shop with hardly a visitor, so that a test knows what it sees."""
    folder = tmp_path_factory.mktemp("shop") / "demo"
    endpoint = f"http://{collector.endpoints()['http']}"
    running = ShopProcess(folder, "--endpoint", endpoint, "--sessions-per-second", "0.2", "--seed", "1")
    running.opened()
    yield running
    # Ctrl-C in an open shop: every service says good-bye, and none is left.
    assert running.interrupt() == 0, running.says()
    assert not running.processes()
    assert "Finished server process" in (folder / "logs" / "payment.log").read_text()


@pytest.fixture
def started() -> Iterator[list[ShopProcess]]:
    """Note what a test starts, and leave nothing of it."""
    shops: list[ShopProcess] = []
    yield shops
    for each in shops:
        each.stop()
        for pid in each.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
