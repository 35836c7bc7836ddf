"""The demo in a process of its own, and a visitor that does as it is told."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from collector_process import until

PROGRAM = Path(sys.executable).parent / "glasshouse"
_ENDED = "ZX"


class ShopProcess:
    """`glasshouse demo` with its files in `folder`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.printed = folder.parent / f"{folder.name}.out"
        with self.printed.open("ab") as printed:
            self.process = subprocess.Popen(
                [PROGRAM, "demo", "--data-dir", folder, *options], stdout=printed, stderr=printed
            )

    def says(self) -> str:
        """Return what it has printed."""
        return self.printed.read_text()

    def opened(self) -> str:
        """Wait until visitors are in it, and return the gateway's URL."""

        def is_open() -> bool:
            assert self.process.poll() is None, f"the demo ended: {self.says()}"
            return "Ctrl-C stops everything." in self.says()

        until(is_open, "the shop is open")
        return next(line.split()[1].removesuffix("/products") for line in self.lines("  shop "))

    def lines(self, start: str) -> list[str]:
        """Return the lines it has printed that begin so."""
        return [line for line in self.says().splitlines() if line.startswith(start)]

    def truth(self) -> dict[str, Any]:
        """Return the ground truth so far."""
        written: dict[str, Any] = json.loads((self.folder / "truth.json").read_text())
        return written

    def processes(self) -> set[int]:
        """Return the ids of the processes that belong to it, whoever their parent is by now."""
        return {int(each.name) for each in Path("/proc").glob("[0-9]*") if self._owns(each)}

    def _owns(self, process: Path) -> bool:
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            files = (process / "fd" / "1").readlink(), (process / "fd" / "2").readlink()
        except OSError:
            return False
        names = tuple(map(str, (self.folder.resolve() / "logs", self.printed.resolve())))
        return state not in _ENDED and any(str(file).startswith(names) for file in files)

    def interrupt(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def stop(self) -> None:
        """End it, if it runs."""
        if self.process.poll() is None:
            self.interrupt()


def buys(gateway: str, session_id: str, user_id: str = "u-test") -> httpx.Response:
    """Put something into the cart and buy it; return the answer to that, or what failed before."""
    headers = {"X-Session-Id": session_id, "X-User-Id": user_id}
    with httpx.Client(base_url=gateway, headers=headers, timeout=30) as client:
        added = client.post(f"/carts/{session_id}/items", json={"product_id": 7, "quantity": 2})
        return client.post("/orders", json={"session_id": session_id}) if added.is_success else added
