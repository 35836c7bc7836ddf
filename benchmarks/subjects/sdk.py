"""What the SDK costs an application, beside the plain OpenTelemetry SDK and beside no telemetry.

Each figure comes from a process of its own, the variants in turns (A B A B …). What both send is alike:
OTLP over HTTP with gzip into a listener that takes everything, in batches, by the stable conventions.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from programs import HERE, Failed
from report import Report
from settings import Settings

_WORKS = {
    "log": "a log call",
    "structured_log": "a structured log call",
    "span": "a span",
    "request": "a FastAPI request",
}
_VARIANTS = {"none": "no telemetry", "opentelemetry": "OpenTelemetry", "glasshouse": "Glasshouse"}
_IMPORTS = {
    "import": {"opentelemetry": "import opentelemetry.sdk.trace", "glasshouse": "import glasshouse"},
    "setup": {
        "opentelemetry": f"import sys; sys.path.append({str(HERE)!r}); import sdk_cost; "
        "sdk_cost.set_up_opentelemetry('http://127.0.0.1:9')",
        "glasshouse": "import glasshouse; "
        "glasshouse.configure('benchmark', endpoint='http://127.0.0.1:9', instrument=False)",
    },
}
_TIMED = """
import os, time
began = time.process_time_ns()
{}
print((time.process_time_ns() - began) / 1e6, flush=True)
os._exit(0)
"""
_IMPORT_TURNS = 3
"""A turn of calls takes seconds, one of imports a moment: there are so many times more of these."""
_LIMIT_SECONDS = 300

Times = Mapping[str, list[dict[str, float]]]


@dataclass(frozen=True, slots=True)
class _Applications:
    """Starts the measured processes."""

    endpoint: str
    environ: Mapping[str, str]
    scale: float

    def calls(self, what: str, variant: str) -> dict[str, float]:
        """Return the microseconds of one call: `call` in its thread, `process` in all, export included."""
        script = str(HERE / "sdk_cost.py")
        found: dict[str, float] = json.loads(self._run(script, what, variant, self.endpoint, str(self.scale)))
        return found

    def start(self, what: str, variant: str) -> dict[str, float]:
        """Return the milliseconds that importing, or also setting up, takes."""
        return {"call": float(self._run("-c", _TIMED.format(_IMPORTS[what][variant])))}

    def _run(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                [sys.executable, *arguments],
                env=dict(self.environ),
                capture_output=True,
                check=False,
                text=True,
                timeout=_LIMIT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"{arguments[1]}: no result within {_LIMIT_SECONDS} s") from None
        if done.returncode or done.stderr:
            raise Failed(f"{' '.join(arguments)[:60]}: {done.stderr[-1000:]}")
        return done.stdout


def run(settings: Settings) -> list[Report]:
    """Measure each kind of call, then importing and setting up."""
    turns = 1 if settings.quick else settings.repeats + 2
    calls = Report("sdk", "What telemetry costs an application, CPU time")
    start = Report("sdk", "What it costs at the start, CPU time")
    with _listener() as endpoint, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as spool:
        applications = _Applications(endpoint, _environment(spool), 0.2 if settings.quick else 1.0)
        for what, label in _WORKS.items():
            found = _in_turns(turns, list(_VARIANTS), partial(applications.calls, what))
            for variant, name in _VARIANTS.items():
                calls.add(f"{what}_{variant}", f"{label}: {name}", "µs", *_each(found, variant))
            _compare(calls, what, label, found)
            _compare(calls, f"{what}_exported", f"{label}, exported", found, "process")
        for what, codes in _IMPORTS.items():
            applications.start(what, "glasshouse")  # so that everything is compiled and cached
            found = _in_turns(turns * _IMPORT_TURNS, list(codes), partial(applications.start, what))
            for variant, code in codes.items():
                label = f"`{code}`" if what == "import" else f"imported and set up: {_VARIANTS[variant]}"
                start.add(f"{what}_{variant}", label, "ms", *_each(found, variant))
            _compare(start, what, "importing" if what == "import" else "importing and setting up", found)
    calls.notes.append(
        "exported: all threads of the process, until the listener has it; else the calling one"
    )
    return [calls, start]


def _in_turns(turns: int, variants: list[str], measure: Callable[[str], dict[str, float]]) -> Times:
    found: dict[str, list[dict[str, float]]] = {variant: [] for variant in variants}
    for _ in range(turns):
        for variant in variants:
            found[variant].append(measure(variant))
    return found


def _each(found: Times, variant: str, figure: str = "call") -> list[float]:
    return [turn[figure] for turn in found[variant]]


def _compare(report: Report, key: str, label: str, found: Times, figure: str = "call") -> None:
    pairs = zip(_each(found, "glasshouse", figure), _each(found, "opentelemetry", figure), strict=True)
    ratios = [ours / theirs for ours, theirs in pairs]
    report.add(f"{key}_ratio", f"{label}: Glasshouse / OpenTelemetry", "times", *ratios)


def _environment(spool: str) -> dict[str, str]:
    ours = ("OTEL_", "GLASSHOUSE_", "SENTRY_", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    # Read by both, so that both speak the conventions that Glasshouse speaks by itself.
    return kept | {"GLASSHOUSE_SPOOL_DIR": spool, "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database"}


class _TakesEverything(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def handle(self) -> None:
        # The measured processes end without a goodbye.
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
        """Say nothing."""


@contextmanager
def _listener() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _TakesEverything) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
