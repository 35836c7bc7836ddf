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
from typing import Any

import httpx
import pytest

from collector_process import CollectorProcess, until

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
    """A running `glasshouse serve`, as its senders and askers see it."""

    def __init__(self, process: CollectorProcess) -> None:
        self.addresses = process.endpoints()
        self._sql = f"http://{self.addresses['api']}/api/v1/sql"

    def endpoint(self, protocol: str) -> str:
        """Return what OTEL_EXPORTER_OTLP_ENDPOINT must be for a protocol."""
        return f"http://{self.addresses['grpc' if protocol == 'grpc' else 'http']}"

    def query(self, statement: str) -> list[list[Any]]:
        """Return the rows of the answer to an SQL statement."""
        answer = httpx.post(self._sql, json={"query": statement}, timeout=PATIENCE_SECONDS)
        assert answer.status_code == httpx.codes.OK, answer.text
        kinds = [column["type"] for column in answer.json()["columns"]]
        return [
            [plain(value, kind) for value, kind in zip(row, kinds, strict=True)]
            for row in answer.json()["rows"]
        ]

    def query_until(self, statement: str, enough: int) -> list[list[Any]]:
        """Ask until there are `enough` rows; AssertionError where there never are."""
        rows: list[list[Any]] = []

        def enough_rows() -> bool:
            rows[:] = self.query(statement)
            return len(rows) >= enough

        until(enough_rows, f"there are {enough} rows: {statement}", PATIENCE_SECONDS)
        return rows


def plain(value: Any, kind: str) -> Any:
    """Return a value of an answer with 64-bit integers, which JSON carries as text, as numbers."""
    if isinstance(value, list) and kind.startswith("Array("):
        return [plain(one, kind.removeprefix("Array(")[:-1]) for one in value]
    return int(value) if kind in {"Int64", "UInt64"} else value


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
    process = CollectorProcess(tmp_path_factory.mktemp("languages") / "data")
    yield Collector(process)
    assert process.stop() == 0, process.log()


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
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": temporality,
        "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=shop,deployment.environment.name=test",
        "TRACEPARENT": f"00-{trace_id}-{PARENT_SPAN_ID}-01",
        "TRACESTATE": "congo=t61rcWkgMzE",
        "SENDER_BASE_SECONDS": str(base_seconds),
    }
    if compression != "none":  # the SDK for Python refuses the word where it sends over gRPC
        environment["OTEL_EXPORTER_OTLP_COMPRESSION"] = compression
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
