"""A real collector and real applications, killed: what was on disk arrives, whoever dies."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector_process import CollectorProcess, until
from numbered_application import Application
from scripted_endpoint import free_port

Start = Callable[..., Application]
_SPANS = "SELECT DISTINCT SpanName FROM otel_traces WHERE ServiceName = 'numbered'"


class _Collector:
    """A collector that comes back at the same address, with the same data."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.process: CollectorProcess | None = None

    def start(self) -> None:
        self.process = CollectorProcess(self._data_dir, "--http-port", str(self._port))
        self.process.endpoints()

    def kill(self) -> None:
        if self.process is not None and self.process.alive:
            self.process.kill()

    def has(self, *ranges: range) -> bool:
        """Whether the numbered spans of these ranges are in the store, and no others."""
        assert self.process is not None
        expected = {f"number {number}" for numbers in ranges for number in numbers}
        return {row[0] for row in self.process.ask(_SPANS)} == expected


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[_Collector]:
    """Have a collector that is not started yet."""
    collector = _Collector(tmp_path / "data")
    yield collector
    collector.kill()


@pytest.fixture
def start(collector: _Collector, spool_dir: Path) -> Iterator[Start]:
    """Start applications; they are killed with the test."""
    applications: list[Application] = []

    def application(**options: object) -> Application:
        applications.append(Application(collector.url, spool_dir, **options))  # type: ignore[arg-type]
        return applications[-1]

    yield application
    for each in applications:
        if each.process.poll() is None:
            each.kill()


def _files(spool_dir: Path) -> list[Path]:
    return [path for path in spool_dir.rglob("*.traces") if not path.name.startswith(".")]


def test_a_killed_collector_gets_everything(collector: _Collector, start: Start, spool_dir: Path) -> None:
    """What an application sends before, while and after the collector is dead arrives."""
    collector.start()
    application = start()
    application.tell("emit", 0, 200)
    until(lambda: application.counts().sent == 10, "the first are delivered")
    collector.kill()
    application.tell("emit", 200, 400)
    until(lambda: application.counts().spooled == 20, "the next are on disk")
    collector.start()
    application.tell("emit", 600, 200)
    until(lambda: application.counts().sent == 40, "all are delivered")
    until(lambda: collector.has(range(800)), "all are in the store")
    assert application.counts().replayed >= 20
    assert application.counts().dropped == 0
    application.exit()
    assert _files(spool_dir) == []


def test_a_killed_application_loses_nothing_that_was_spooled(
    collector: _Collector, start: Start, spool_dir: Path
) -> None:
    """Its next start delivers it, before it sends anything itself."""
    killed = start()
    killed.tell("emit", 0, 200)
    until(lambda: killed.counts().spooled == 10, "all are on disk")
    killed.kill()
    collector.start()
    restarted = start()
    until(lambda: restarted.counts().replayed == 10, "all are delivered")
    until(lambda: collector.has(range(200)), "all are in the store")
    restarted.exit()
    assert _files(spool_dir) == []


def test_an_application_that_ends_meanwhile_leaves_everything(
    collector: _Collector, start: Start, spool_dir: Path
) -> None:
    """What was still in memory is on disk when the process is gone."""
    ended = start()
    ended.tell("emit", 0, 200)
    ended.exit()
    assert len(_files(spool_dir)) == 10
    collector.start()
    start()
    until(lambda: collector.has(range(200)), "all are in the store")


def test_forked_workers_have_a_sender_of_their_own(collector: _Collector, start: Start) -> None:
    """Workers of a pre-forking server deliver, and nothing is sent by two of them."""
    collector.start()
    application = start()
    application.tell("emit", 0, 200)
    workers = application.tell("fork")
    until(lambda: collector.has(range(200), *_OF_WORKERS), "all are in the store")
    assert collector.process is not None
    assert collector.process.ask("SELECT count() FROM otel_traces") == [["500"]]
    for worker in workers:
        os.kill(worker, signal.SIGKILL)


def test_killed_workers_lose_nothing_that_was_spooled(
    collector: _Collector, start: Start, spool_dir: Path
) -> None:
    """Whoever of the family is left delivers what the dead have on disk."""
    application = start()
    workers = application.tell("fork")
    assert len(_files(spool_dir)) == 15
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    collector.start()
    until(lambda: collector.has(*_OF_WORKERS), "all are in the store")
    assert application.counts().replayed == 15


_OF_WORKERS = [range(first, first + 100) for first in (1000, 2000, 3000)]


def test_processes_keep_one_bound(start: Start, spool_dir: Path) -> None:
    """However many processes spool, together they keep to the bound, and each keeps its newest."""
    bound = 60 * 4096
    applications = [start(spool_bytes=bound) for _ in range(3)]
    for index, application in enumerate(applications):
        application.tell("emit", index * 1000, 1000)
    until(lambda: all(each.counts().spooled == 50 for each in applications), "all have written")
    until(lambda: len(_files(spool_dir)) <= 60, "the bound is kept")
    assert sum(each.counts().dropped for each in applications) == 150 - len(_files(spool_dir))
    assert all(each.counts().dropped <= 31 for each in applications)


def _tmpfs(folder: Path) -> tuple[str, ...]:
    """Return what runs a program with a disk of 64 KiB at a folder that nobody else sees."""
    script = f'mount -t tmpfs -o size=64k tmpfs {folder} && exec "$@"'
    return ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh")


def _can_mount(folder: Path) -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*_tmpfs(folder), "true"], check=False, capture_output=True).returncode == 0


def test_a_full_disk_loses_nothing_that_memory_holds(
    collector: _Collector, start: Start, spool_dir: Path
) -> None:
    """What the disk has no room for waits in memory, and arrives with the rest."""
    spool_dir.mkdir()
    if not _can_mount(spool_dir):
        pytest.skip("no disk can be made full here")
    application = start(inside=_tmpfs(spool_dir))
    application.tell("emit", 0, 1000)
    until(lambda: application.counts().spooled > 0, "the disk has taken some")
    collector.start()
    until(lambda: application.counts().sent == 50, "all are delivered")
    assert application.counts().spooled < 50
    until(lambda: collector.has(range(1000)), "all are in the store")
