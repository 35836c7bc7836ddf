"""A collector in a process of its own, and the programs that send to it."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

HERE = Path(__file__).parent
PATIENCE_SECONDS = 60.0
LONGEST_RUN_SECONDS = 120.0
PARENT_SPAN_ID = "b7ad6b7169203331"
BEFORE_NOW_SECONDS = 10
"""How long before the run its fixed times lie."""


@dataclass(frozen=True)
class Sender:
    """A program that sends, and what must be there before it can."""

    language: str
    command: tuple[str, ...]
    folder: Path
    tool: str
    installed: Path
    environment: dict[str, str] = field(default_factory=dict)

    def skip_unless_installed(self) -> None:
        """Skip the test where the toolchain or the installed libraries are missing."""
        if shutil.which(self.tool) is None:
            pytest.skip(f"{self.tool} is not on the PATH: {self.language} cannot be tried here")
        if not self.installed.exists():
            pytest.skip(f"{self.installed} is missing: 'make test-languages' installs what senders need")


_NODE = HERE / "node"
_GO = HERE / "go"
_JAVA = HERE / "java"

SENDERS = {
    "python": Sender("Python", (sys.executable, "send.py"), HERE / "python", sys.executable, HERE),
    "node": Sender(
        "Node.js",
        ("node", "send.mjs"),
        _NODE,
        "node",
        _NODE / "node_modules",
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"},
    ),
    "go": Sender("Go", ("target/send",), _GO, "go", _GO / "target" / "send"),
    "java": Sender(
        "Java",
        ("java", "-cp", "target/classes:target/libraries/*", "Send"),
        _JAVA,
        "java",
        _JAVA / "target" / "libraries",
    ),
}


@dataclass(frozen=True)
class Run:
    """What is known of one run of a sender; times are nanoseconds since the Unix epoch."""

    language: str
    service: str
    trace_id: str
    base: int
    began: int
    ended: int
    temporality: int
    span_ids: dict[str, str]


class Collector:
    """`glasshouse serve` on free ports, with a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._log_path = folder / "collector.log"
        self._log = self._log_path.open("wb")
        self._endpoints = folder / "data" / "endpoints.json"
        ports = ("--grpc-port", "0", "--http-port", "0", "--port", "0")
        program = Path(sys.executable).with_name("glasshouse")
        self._process = subprocess.Popen(
            [program, "serve", "--data-dir", folder / "data", *ports],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )

    def __enter__(self) -> Self:
        until(self._listens, "the collector listens")
        self.addresses: dict[str, str] = json.loads(self._endpoints.read_text())
        self._api = httpx.Client(base_url=f"http://{self.addresses['api']}", timeout=30)
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()
        self._process.terminate()
        self._process.wait(PATIENCE_SECONDS)
        self._log.close()

    def _listens(self) -> bool:
        assert self._process.poll() is None, f"the collector ended:\n{self._log_path.read_text()[-3000:]}"
        return self._endpoints.exists()

    def endpoint(self, protocol: str) -> str:
        """Return what OTEL_EXPORTER_OTLP_ENDPOINT must be for a protocol."""
        return f"http://{self.addresses['grpc' if protocol == 'grpc' else 'http']}"

    def query(self, statement: str) -> list[list[Any]]:
        """Return the rows of the answer to an SQL statement."""
        answer = self._api.post("/api/v1/sql", json={"query": statement})
        assert answer.status_code == httpx.codes.OK, answer.text
        rows: list[list[Any]] = answer.json()["rows"]
        return rows

    def query_until(self, statement: str, enough: int) -> list[list[Any]]:
        """Ask until there are `enough` rows; AssertionError with the last answer where there never are."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(rows := self.query(statement)) < enough:
            assert time.monotonic() < deadline, f"{len(rows)} of {enough} rows came: {statement}\n{rows}"
            time.sleep(0.1)
        return rows


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds; AssertionError says what for, where it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:.0f} s in vain until {what}"
        time.sleep(0.05)


def otlp_environment(collector: Collector, protocol: str, service: str) -> dict[str, str]:
    """Return this process's environment without OpenTelemetry's variables, and with those of one run."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return inherited | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint(protocol),
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_SERVICE_NAME": service,
    }


def execute(command: Sequence[str | Path], folder: Path, environment: dict[str, str]) -> str:
    """Run a program to its end and return what it printed; AssertionError with its errors where it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=LONGEST_RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


Environment = Callable[[str], dict[str, str]]
Execute = Callable[[Sequence[str | Path], Path, dict[str, str]], str]


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One collector for all senders; each has a service name of its own."""
    with Collector(tmp_path_factory.mktemp("collector")) as running:
        yield running


@pytest.fixture
def environment(collector: Collector) -> Environment:
    """Return what makes the environment of a program that sends over HTTP, as a service of a name."""
    return lambda service: otlp_environment(collector, "http/protobuf", service)


@pytest.fixture(name="execute")
def execute_fixture() -> Execute:
    """Return what runs a program to its end."""
    return execute


@pytest.fixture
def run(collector: Collector, request: pytest.FixtureRequest) -> Run:
    """Run a sender, given as language, protocol, compression and preferred temporality."""
    language, protocol, compression, temporality = request.param
    sender = SENDERS[language]
    sender.skip_unless_installed()
    service = f"{language}-{protocol}"
    trace_id = secrets.token_hex(16)
    began = time.time_ns()
    base_seconds = began // 10**9 - BEFORE_NOW_SECONDS
    environment = otlp_environment(collector, protocol, service) | sender.environment
    environment |= {
        "OTEL_EXPORTER_OTLP_COMPRESSION": compression,
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": temporality,
        "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=shop,deployment.environment.name=test",
        "TRACEPARENT": f"00-{trace_id}-{PARENT_SPAN_ID}-01",
        "TRACESTATE": "congo=t61rcWkgMzE",
        "SENDER_BASE_SECONDS": str(base_seconds),
    }
    printed = execute(sender.command, sender.folder, environment)
    return Run(
        language=language,
        service=service,
        trace_id=trace_id,
        base=base_seconds * 10**9,
        began=began,
        ended=time.time_ns(),
        temporality={"delta": 1, "cumulative": 2}[temporality],
        span_ids=json.loads(printed),
    )
