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

    command: tuple[str, ...]
    folder: Path
    installed: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def program(self) -> Path | str:
        """What is started: a program on the PATH, or one of the sender's folder."""
        name = self.command[0]
        return self.folder / name if "/" in name else name


def needs(*wanted: str | Path) -> None:
    """Skip the test where a program or an installed file is missing."""
    for each in wanted:
        if shutil.which(each) is None and not Path(each).exists():
            pytest.skip(
                f"{each} is missing; 'make test-languages' installs what senders need, toolchains aside"
            )


_NODE = HERE / "node"
_GO = HERE / "go"
_JAVA = HERE / "java"

SENDERS = {
    "python": Sender((sys.executable, "send.py"), HERE / "python", HERE / "python" / "send.py"),
    "node": Sender(
        ("node", "send.mjs"),
        _NODE,
        _NODE / "node_modules",
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"},
    ),
    "go": Sender(("target/send",), _GO, _GO / "target" / "send"),
    "java": Sender(
        ("java", "-cp", "target/classes:target/libraries/*", "Send"), _JAVA, _JAVA / "target" / "libraries"
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

    def __init__(self, process: CollectorProcess, key: str = "") -> None:
        self.addresses = process.endpoints()
        self._key = key
        self._sql = f"http://{self.addresses['api']}/api/v1/sql"

    def environment(self, service: str, protocol: str = "http/protobuf") -> dict[str, str]:
        """Return this process's environment with the variables of docs/languages.md put in."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        address = self.addresses["grpc" if protocol == "grpc" else "http"]
        told = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_SERVICE_NAME": service,
        }
        if self._key:
            told["OTEL_EXPORTER_OTLP_HEADERS"] = f"Authorization=Bearer%20{self._key}"
        return inherited | told

    def query(self, statement: str) -> list[list[Any]]:
        """Return the rows of the answer to an SQL statement."""
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        answer = httpx.post(self._sql, json={"query": statement}, headers=headers, timeout=PATIENCE_SECONDS)
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


def send(collector: Collector, language: str, protocol: str, compression: str, temporality: str) -> Run:
    """Run a sender to its end."""
    sender = SENDERS[language]
    needs(sender.program, sender.installed)
    service = f"{language}-{protocol}"
    trace_id = secrets.token_hex(16)
    began = time.time_ns()
    base_seconds = began // 10**9 - BEFORE_NOW_SECONDS
    environment = collector.environment(service, protocol) | sender.environment
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


Needs = Callable[..., None]
Execute = Callable[[Sequence[str | Path], Path, dict[str, str]], str]


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One collector for all senders; each has a service name of its own."""
    process = CollectorProcess(tmp_path_factory.mktemp("languages") / "data")
    yield Collector(process)
    assert process.stop() == 0, process.log()


@pytest.fixture(scope="session")
def guarded_collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One more collector, which wants a key."""
    key = secrets.token_urlsafe()
    folder = tmp_path_factory.mktemp("guarded") / "data"
    process = CollectorProcess(folder, env={"GLASSHOUSE_AUTH_TOKEN": key})
    yield Collector(process, key)
    assert process.stop() == 0, process.log()


@pytest.fixture(name="needs")
def needs_fixture() -> Needs:
    """Return what skips the test where a program or an installed file is missing."""
    return needs


@pytest.fixture(name="execute")
def execute_fixture() -> Execute:
    """Return what runs a program to its end."""
    return execute


@pytest.fixture
def run(collector: Collector, request: pytest.FixtureRequest) -> Run:
    """Run a sender, given as language, protocol, compression and preferred temporality."""
    return send(collector, *request.param)


@pytest.fixture
def guarded_run(guarded_collector: Collector, request: pytest.FixtureRequest) -> Run:
    """Run a sender, given likewise, to the collector that wants a key."""
    return send(guarded_collector, *request.param)
