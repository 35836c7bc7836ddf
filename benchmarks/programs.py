"""The programs of a benchmark as child processes: Glasshouse, Rotel, the sink, the load generator."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_DRAIN_SECONDS = 300.0


class Failed(Exception):
    """A program did not start or answer, or lost something: a figure would be worth nothing."""


def until(condition: Callable[[], bool], seconds: float, what: str, pause: float = 0.1) -> None:
    """Wait until the condition holds; raise `Failed` naming `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)


def fetch(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """GET, or POST a body; return the answer's body."""
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}))
    with urllib.request.urlopen(request, timeout=120) as answer:
        content: bytes = answer.read()
    return content


class Program:
    """A child process with a folder of its own; stopped with SIGTERM at the end of the context."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._folder = tempfile.TemporaryDirectory(prefix=f"bench-{name}-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise Failed(f"{self.name} is not running")
        return self._process.pid

    def launch(self, *command: str | Path, environment: Mapping[str, str] | None = None) -> None:
        """Start the process; what it says goes to `<folder>/output`."""
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )

    def alive(self) -> None:
        """Raise `Failed` with the end of its output if the process has ended."""
        if self._process is None or self._process.poll() is not None:
            raise Failed(f"{self.name} ended: {self.output()[-2000:]}")

    def output(self) -> str:
        """Return what the process has said."""
        return (self.folder / "output").read_text(errors="replace")

    def stop(self) -> None:
        """Ask the process to end, and see to it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()


class Sink(Program):
    """The ClickHouse that keeps nothing."""

    def __init__(self) -> None:
        super().__init__("sink")
        self.launch(sys.executable, HERE / "sink.py")
        self.wait_started()

    def wait_started(self) -> None:
        """Wait for the port it prints."""
        until(self._has_port, _START_SECONDS, "the sink starts")
        self.url = f"http://127.0.0.1:{self.output().split()[0]}"

    def _has_port(self) -> bool:
        self.alive()
        return "\n" in self.output()

    def counts(self) -> dict[str, int]:
        """Return what came: inserts, wire_bytes, rows_bytes."""
        counts: dict[str, int] = json.loads(fetch(f"{self.url}/counts"))
        return counts

    def settle(self, quiet: float = 1.0, seconds: float = 120.0) -> dict[str, int]:
        """Wait until nothing came for so long; return the counts."""
        last, since, deadline = self.counts(), time.monotonic(), time.monotonic() + seconds
        while time.monotonic() - since < quiet:
            if time.monotonic() > deadline:
                raise Failed("the sink is not at rest")
            time.sleep(0.1)
            counts = self.counts()
            if counts != last:
                last, since = counts, time.monotonic()
        return last


class Collector(Program):
    """A collector with an OTLP gRPC endpoint."""

    grpc: str


class Rotel(Collector):
    """Rotel from PyPI, with its defaults, into a ClickHouse."""

    def __init__(self, clickhouse: str) -> None:
        super().__init__("rotel")
        ports = free_ports(2)
        self.grpc = f"127.0.0.1:{ports[0]}"
        agent = _installed("rotel") / "rotel-agent"
        self.launch(
            agent,
            "start",
            *("--pid-file", self.folder / "pid", "--log-file", self.folder / "log"),
            *("--otlp-grpc-endpoint", self.grpc, "--otlp-http-endpoint", f"127.0.0.1:{ports[1]}"),
            *("--exporter", "clickhouse", "--clickhouse-exporter-endpoint", clickhouse),
        )
        until(self._listens, _START_SECONDS, "rotel starts")

    def _listens(self) -> bool:
        self.alive()
        return listens(self.grpc)


class Glasshouse(Collector):
    """Ours, as a user starts it: into the embedded store, or into the ClickHouse at `clickhouse`.

    `exporters` names them, without settings, where not all that run by default should. With a `token`
    it asks everyone for a key, and that is the operator's.
    """

    def __init__(
        self, clickhouse: str = "", data: Path | None = None, exporters: Sequence[str] = (), token: str = ""
    ) -> None:
        super().__init__("glasshouse")
        self.data = data or self.folder / "data"
        ports = ("--grpc-port", "0", "--http-port", "0", "--port", "0")
        store = ("--clickhouse", clickhouse) if clickhouse else ()
        (self.data / "endpoints.json").unlink(missing_ok=True)
        chosen = {"GLASSHOUSE_EXPORTERS": json.dumps({name: {} for name in exporters})} if exporters else {}
        if token:
            chosen["GLASSHOUSE_AUTH_TOKEN"] = token
        self.operator = {"Authorization": f"Bearer {token}"} if token else {}
        command = (BIN / "glasshouse", "serve", "--data-dir", self.data, *ports, *store)
        self.launch(*command, environment=chosen)
        until(self._is_ready, _START_SECONDS, "glasshouse starts")
        endpoints = json.loads((self.data / "endpoints.json").read_text())
        self.grpc, self.http, self.api = (_address(endpoints[name]) for name in ("grpc", "http", "api"))

    def _is_ready(self) -> bool:
        self.alive()
        return (self.data / "endpoints.json").exists()

    def metrics(self) -> dict[str, float]:
        """Return the collector's own metrics: sample name with labels → value."""
        text = fetch(f"http://{self.api}/metrics", headers=self.operator).decode()
        samples = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    def exported(self) -> int:
        """Return the spans its ClickHouse exporter delivered so far."""
        wanted = ('exporter="clickhouse"', 'signal="traces"')
        return int(
            sum(
                value
                for name, value in self.metrics().items()
                if name.startswith("glasshouse_exported_records_total")
                and all(part in name for part in wanted)
            )
        )

    def drain(self) -> None:
        """Wait until all that was acknowledged is delivered."""
        until(self._is_drained, _DRAIN_SECONDS, "all that was acknowledged is delivered", pause=0.25)

    def _is_drained(self) -> bool:
        self.alive()
        lags = [v for name, v in self.metrics().items() if name.startswith("glasshouse_journal_lag_frames")]
        return not any(lags)

    def sql(self, query: str, **parameters: str) -> list[list[Any]]:
        """Ask the store, with values for `{name:Type}`; return the rows."""
        body = json.dumps({"query": query, "parameters": parameters}).encode()
        answer = json.loads(
            fetch(f"http://{self.api}/api/v1/sql", body, {"Content-Type": "application/json"})
        )
        rows: list[list[Any]] = answer["rows"]
        return rows


def _installed(package: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise Failed(f"{package} is not installed: pip install -r benchmarks/requirements.txt")
    return Path(found.origin).parent


def _address(endpoint: str) -> str:
    return endpoint.rpartition("://")[2].replace("0.0.0.0", "127.0.0.1")


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def listens(address: str) -> bool:
    """Tell whether someone accepts connections there."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, int(port))) == 0


@dataclass(frozen=True, slots=True)
class Sent:
    """The load generator's account; see `load.py`."""

    sent: int
    acknowledged: dict[str, int]
    requests: int
    refused: dict[str, int]
    refused_records: int
    seconds: float
    answer_p50: float
    answer_p99: float
    cpu_seconds: float

    @property
    def records(self) -> int:
        """Records acknowledged, of any kind."""
        return sum(self.acknowledged.values())


class Load:
    """A running load generator."""

    def __init__(self, target: str, **options: float | str) -> None:
        flags = [
            part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "load.py"), target, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def finish(self) -> Sent:
        """Wait for its end; `Failed` says why there is no account."""
        answer, complaint = self._process.communicate()
        if self._process.returncode:
            raise Failed(complaint.decode()[-2000:].strip())
        return Sent(**json.loads(answer))

    def abandon(self) -> None:
        """End it now."""
        self._process.kill()
        self._process.communicate()


def load(target: str, **options: float | str) -> Sent:
    """Send as `load.py` is told; return its account."""
    return Load(target, **options).finish()
