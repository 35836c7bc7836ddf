"""A real Alertmanager that sends to nobody, for one test; skipped where it is not installed."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector_process import until
from scripted_endpoint import free_port

_CONFIGURATION = "route: {receiver: nobody, group_wait: 1s}\nreceivers: [{name: nobody}]\n"


class AlertmanagerServer:
    """The server at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def alerts(self, **which: bool) -> list[dict[str, Any]]:
        """Return the alerts it has that are firing."""
        answer = httpx.get(f"{self.url}/api/v2/alerts", params=which, timeout=30).raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found


@contextmanager
def alertmanager_server(folder: Path) -> Iterator[AlertmanagerServer]:
    """Run Alertmanager in a folder."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("Alertmanager is not installed: make servers")
    configuration, address = folder / "alertmanager.yml", f"127.0.0.1:{free_port()}"
    configuration.write_text(_CONFIGURATION)
    command = [program, f"--config.file={configuration}", f"--storage.path={folder / 'alertmanager'}"]
    command += [f"--web.listen-address={address}", "--cluster.listen-address="]
    with (
        (folder / "alertmanager.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            until(lambda: _ready(address, process), f"Alertmanager is ready; see {log.name}")
            yield AlertmanagerServer(f"http://{address}")
        finally:
            process.terminate()


def _ready(address: str, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "Alertmanager ended"
    try:
        return httpx.get(f"http://{address}/-/ready", timeout=5).is_success
    except httpx.TransportError:
        return False
