"""A collector in a process of its own, to be killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

_PATIENCE = 60.0
_PAUSE, _LONGEST_PAUSE = 0.02, 0.2


def until(condition: Callable[[], bool], what: str, patience: float = _PATIENCE) -> None:
    """Wait for a condition; AssertionError names it where it does not come true in time.

    What takes long to ask is asked less often: it would hold up what is waited for.
    """
    deadline = time.monotonic() + patience
    asked = time.monotonic()
    while not condition():
        answered = time.monotonic()
        assert answered < deadline, f"waited {patience:.0f} s in vain until {what}"
        time.sleep(min(max(_PAUSE, 3 * (answered - asked)), _LONGEST_PAUSE))
        asked = time.monotonic()


class CollectorProcess:
    """`glasshouse serve` on ports of the system's choice."""

    def __init__(self, data_dir: Path, *options: str, env: dict[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self._log = data_dir.parent / f"{data_dir.name}.log"
        program = Path(sys.executable).parent / "glasshouse"
        ports = ("--grpc-port", "0", "--http-port", "0", "--port", "0")
        self._endpoints = data_dir / "endpoints.json"
        self._endpoints.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [program, "serve", "--data-dir", data_dir, *ports, *options],
                stdout=log,
                stderr=log,
                env=os.environ | (env or {}),
            )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def endpoints(self) -> dict[str, str]:
        """Wait until it listens, and return its addresses."""

        def listens() -> bool:
            assert self.alive, f"the collector ended: {self.log()[-2000:]}"
            return self._endpoints.exists()

        until(listens, "the collector listens")
        found: dict[str, str] = json.loads(self._endpoints.read_text())
        return found

    def log(self) -> str:
        """Return what it has printed."""
        return self._log.read_text(errors="replace")

    def resident_bytes(self) -> int:
        """Return the memory it holds, as Linux counts it."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """End it as a power switch would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it as an init system would; returns the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=_PATIENCE)

    def ask(self, query: str) -> list[list[Any]]:
        """Return the rows that the API answers."""
        answer = httpx.post(
            f"http://{self.endpoints()['api']}/api/v1/sql", json={"query": query}, timeout=_PATIENCE
        )
        assert answer.status_code == httpx.codes.OK, answer.text
        rows: list[list[Any]] = answer.json()["rows"]
        return rows

    def drained(self) -> bool:
        """Whether everything in the journal is delivered."""
        metrics = httpx.get(f"http://{self.endpoints()['api']}/metrics", timeout=_PATIENCE).text
        lags = [line for line in metrics.splitlines() if line.startswith("glasshouse_journal_lag_frames{")]
        return bool(lags) and all(float(line.rsplit(" ", 1)[1]) == 0 for line in lags)
