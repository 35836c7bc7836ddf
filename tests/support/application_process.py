"""Programs started as a user would, and what a collector has stored of them."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from collector_process import CollectorProcess, until

_NOT_GIVEN_OUT = (10_000, 32_000)
BIN = Path(sys.executable).parent


@dataclass
class Collected:
    """What a real collector has stored, by service."""

    process: CollectorProcess

    @property
    def endpoint(self) -> str:
        """The base URL to send to."""
        return f"http://{self.process.endpoints()['http']}"

    def spans(self, service: str, *, at_least: int = 1) -> list[str]:
        """Wait for the spans of a service, and return their names."""
        return self._names("otel_traces", "SpanName", service, at_least)

    def logs(self, service: str, *, at_least: int = 1) -> list[str]:
        """Wait for the log records of a service, and return their bodies."""
        return self._names("otel_logs", "Body", service, at_least)

    def histograms(self, service: str, *, at_least: int = 1) -> list[str]:
        """Wait for the histograms of a service, and return their names."""
        return self._names("otel_metrics_histogram", "MetricName", service, at_least)

    def _names(self, table: str, column: str, service: str, at_least: int) -> list[str]:
        query = f"SELECT {column} FROM {table} WHERE ServiceName = '{service}'"
        until(lambda: len(self.process.ask(query)) >= at_least, f"{at_least} of {service} are in {table}")
        return [row[0] for row in self.process.ask(query)]


@dataclass
class Programs:
    """Starts programs as a user would, with what they send going to the collector."""

    folder: Path
    environ: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, name: str, source: str) -> Path:
        """Write a file of the application."""
        path = self.folder / name
        path.write_text(source)
        return path

    def start(self, *command: str, **variables: str) -> subprocess.Popen[str]:
        """Start a program of the environment's scripts folder; its output is one text."""
        process = subprocess.Popen(
            [BIN / command[0], *command[1:]],
            cwd=self.folder,
            env=self.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *command: str, **variables: str) -> tuple[int, str]:
        """Run a program to its end, and return its exit code and what it printed."""
        process = self.start(*command, **variables)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def free_port(self) -> int:
        """Return a port that is free, and that nobody gets who asks the system for any."""
        while True:
            port = random.randint(*_NOT_GIVEN_OUT)
            with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
                return port

    def listens(self, port: int) -> None:
        """Wait until one of the programs listens there, without asking it anything."""

        def connected() -> bool:
            for process in self.started:
                assert process.poll() is None, process.communicate()[0]
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(connected, f"port {port} is listened on")

    def answers(self, url: str) -> str:
        """Wait until a server that was started answers, and return what it says."""

        def asked() -> bool:
            for process in self.started:
                assert process.poll() is None, process.communicate()[0]
            try:
                answer.append(httpx.get(url).raise_for_status().text)
            except httpx.TransportError:
                return False
            return True

        answer: list[str] = []
        until(asked, f"{url} answers")
        return answer[0]

    def end(self) -> None:
        """Kill what still runs, with the processes it has started."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if process.stdout:
                process.stdout.close()
