"""A collector and an application under `glasshouse run`, to be killed, and what of its telemetry is where."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

import application_process
from application_process import BIN
from collector_process import CollectorProcess, until
from glasshouse.delivery.letter import in_folders
from glasshouse.delivery.process_folder import folders
from scripted_endpoint import free_port

_APPLICATIONS = Path(application_process.__file__).parent / "uninstrumented"
_QUERIES = {
    "traces": """SELECT groupUniqArray(toUInt32OrNull(extract(SpanAttributes['url.path'], '/items/([0-9]+)')))
      FROM otel_traces WHERE ServiceName = 'front' AND SpanKind = 'Server'""",
    "logs": """SELECT groupUniqArray(toUInt32OrNull(extract(Body, 'item ([0-9]+) is asked for')))
      FROM otel_logs WHERE ServiceName = 'front' AND ScopeName = 'front'""",
}
_DOUBLED = "SELECT count() - uniqExact(TraceId, SpanId) FROM otel_traces WHERE ServiceName = 'front'"

SIGNALS = tuple(_QUERIES)
Numbers = dict[str, set[int]]  # of requests, by signal


class Stage:
    """A collector and an application under `glasshouse run`, each of which comes back where it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.collector_port, self.port = free_port(), free_port()
        self.spool_dir = folder / "spool"
        self.collector: CollectorProcess | None = None
        self.application: subprocess.Popen[bytes] | None = None

    def start_collector(self) -> None:
        """Start it, with what it had, and wait until it listens."""
        port = str(self.collector_port)
        self.collector = CollectorProcess(self.folder / "data", "--http-port", port)
        self.collector.endpoints()

    def kill_collector(self) -> None:
        """End it as a power switch would."""
        if self.collector is not None:
            self.collector.kill()

    def start_application(self) -> None:
        """Start it, and wait until it answers."""
        telemetry = ("PYTEST", "OTEL_", "GLASSHOUSE_", "SENTRY_")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(telemetry)}
        # What the SDK has not handed to an exporter yet is in no spool; the defaults are 5 s and 1 s.
        environ |= {"OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_BLRP_SCHEDULE_DELAY": "200"}
        environ |= {"GLASSHOUSE_SPOOL_DIR": str(self.spool_dir), "GLASSHOUSE_LOG_FORMAT": "off"}
        endpoint = f"http://127.0.0.1:{self.collector_port}"
        run = ["run", "--service-name", "front", "--endpoint", endpoint, "--"]
        serve = ["uvicorn", "--no-access-log", "--port", str(self.port), "front:app"]
        with (self.folder / "application.log").open("ab") as log:
            self.application = subprocess.Popen(
                [BIN / "glasshouse", *run, *serve], cwd=_APPLICATIONS, env=environ, stdout=log, stderr=log
            )
        until(self._answers, "the application answers")

    def kill_application(self) -> None:
        """End it as a power switch would."""
        if self.application is not None:
            self.application.kill()
            self.application.wait()

    def _answers(self) -> bool:
        assert self.application is not None
        assert self.application.poll() is None, (self.folder / "application.log").read_text()[-2000:]
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/openapi.json").is_success
        except httpx.TransportError:
            return False

    def stored(self) -> Numbers:
        """Return the numbers that the collector has in its store."""
        assert self.collector is not None
        return {signal: set(self.collector.ask(query)[0][0]) for signal, query in _QUERIES.items()}

    def doubled(self) -> int:
        """Return how many spans it has twice: a batch arrives at least once."""
        assert self.collector is not None
        return int(self.collector.ask(_DOUBLED)[0][0])

    def spooled(self) -> Numbers:
        """Return the numbers that are on the application's disk."""
        found: Numbers = {signal: set() for signal in SIGNALS}
        for letter in (letter for folder in folders(self.spool_dir) for letter in in_folders(folder)):
            if letter.signal == "traces":
                found["traces"] |= set(_of_spans(letter.request()))
            elif letter.signal == "logs":
                found["logs"] |= set(_of_records(letter.request()))
        return found


def _of_spans(request: Any) -> Iterator[int]:
    for spans in (scope.spans for each in request.resource_spans for scope in each.scope_spans):
        for span in spans:
            path = next((pair.value.string_value for pair in span.attributes if pair.key == "url.path"), "")
            if number := re.fullmatch(r"/items/(\d+)", path):
                yield int(number[1])


def _of_records(request: Any) -> Iterator[int]:
    for records in (scope.log_records for each in request.resource_logs for scope in each.scope_logs):
        for record in records:
            if number := re.fullmatch(r"item (\d+) is asked for", record.body.string_value):
                yield int(number[1])
