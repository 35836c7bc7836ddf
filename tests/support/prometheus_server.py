"""A real Prometheus in a folder of its own, on a port of the system's choice."""

import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from collector_process import until


class RunningPrometheus:
    """Asks a Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """Return the vector of an instant query; `at` in seconds since the Unix epoch."""
        asked = {"query": expression} | ({} if at is None else {"time": str(at)})
        answer = httpx.get(f"{self.url}/api/v1/query", params=asked, timeout=30).json()
        assert answer["status"] == "success", answer
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def value(self, expression: str) -> float | None:
        """Return the only value of an instant query, None where there is none."""
        result = self.query(expression)
        assert len(result) < 2, result
        return float(result[0]["value"][1]) if result else None


@contextmanager
def prometheus_server(folder: Path, *options: str, scrape: Sequence[str] = ()) -> Iterator[RunningPrometheus]:
    """Run a Prometheus that scrapes `scrape` (host:port) ten times a second; skips where there is none."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (make servers)")
    folder.mkdir(parents=True, exist_ok=True)
    job = {
        "job_name": "glasshouse",
        "honor_labels": True,
        "scrape_interval": "100ms",
        "scrape_timeout": "100ms",
        "static_configs": [{"targets": list(scrape)}],
    }
    configuration = folder / "prometheus.yml"
    configuration.write_text(yaml.safe_dump({"scrape_configs": [job] if scrape else []}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        program,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        *options,
    ]
    with (folder / "prometheus.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            until(lambda: _is_ready(process, f"http://{address}"), "Prometheus is ready")
            yield RunningPrometheus(f"http://{address}")
        finally:
            process.terminate()
            process.wait(timeout=30)


def _is_ready(process: subprocess.Popen[bytes], url: str) -> bool:
    assert process.poll() is None, "Prometheus has ended; see prometheus.log"
    try:
        return httpx.get(f"{url}/-/ready", timeout=5).is_success
    except httpx.TransportError:
        return False
