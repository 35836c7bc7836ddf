"""`glasshouse logs --follow` goes on when the collector is started again."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from collector_process import CollectorProcess, until

PROGRAM = Path(sys.executable).parent / "glasshouse"


class Follower:
    """The command, as somebody leaves it running in a terminal."""

    def __init__(self, folder: Path, url: str) -> None:
        self._out, self._err = folder / "out", folder / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            command = [str(PROGRAM), "logs", "--service", "shop", "--follow", "--url", url]
            self.process = subprocess.Popen(command, stdout=out, stderr=err)

    def shown(self) -> list[str]:
        """Return the bodies of the records it has shown."""
        return [line.split()[-1] for line in self._out.read_text().splitlines()]

    def said(self) -> str:
        """Return what it has said beside them."""
        return self._err.read_text()


@pytest.fixture
def collectors(tmp_path: Path) -> Iterator[list[CollectorProcess]]:
    """Note the collectors that a test starts, and leave none."""
    started: list[CollectorProcess] = []
    yield started
    for each in started:
        if each.alive:
            each.kill()


def _send(collector: CollectorProcess, body: str) -> None:
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": body}}
    name = {"key": "service.name", "value": {"stringValue": "shop"}}
    request = {
        "resourceLogs": [{"resource": {"attributes": [name]}, "scopeLogs": [{"logRecords": [record]}]}]
    }
    answer = httpx.post(f"http://{collector.endpoints()['http']}/v1/logs", json=request, timeout=60)
    assert answer.status_code == httpx.codes.OK, answer.text


def test_following_survives_a_restart(tmp_path: Path, collectors: list[CollectorProcess]) -> None:
    """It says that it lost the connection, then shows what came since: each record once, none left out."""
    quiet = {"GLASSHOUSE_SELF_WATCH": "false"}
    collectors.append(CollectorProcess(tmp_path / "data", env=quiet))
    api = collectors[0].endpoints()["api"]
    _send(collectors[0], "first")
    following = Follower(tmp_path, f"http://{api}")
    try:
        until(lambda: following.shown() == ["first"], "the first is shown")
        collectors[0].kill()
        until(lambda: "the connection is lost" in following.said(), "the loss is said")
        port = api.rpartition(":")[2]
        collectors.append(CollectorProcess(tmp_path / "data", "--port", port, env=quiet))
        _send(collectors[1], "second")
        until(lambda: len(following.shown()) > 1, "the second is shown")
        _send(collectors[1], "third")
        until(lambda: len(following.shown()) > 2, "the third is shown")
        assert following.shown() == ["first", "second", "third"]
    finally:
        following.process.kill()
        following.process.wait()
