"""What the SDK's benchmark measures is what it says: each call is exported, by both, and none is dropped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import sdk_cost
from otlp_listener import Listener, listen

BLOCKS = 10 + 5  # to warm up, and the fewest that are timed
EXPECTED = {"log": 256, "structured_log": 256, "span": 256, "request": 64}


def measure(what: str, variant: str, endpoint: str, folder: Path) -> dict[str, float]:
    """Run the measured application, as short as can be."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTEST"))}
    environ["GLASSHOUSE_SPOOL_DIR"] = str(folder)
    command = [sys.executable, sdk_cost.__file__, what, variant, endpoint, "0"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
    found: dict[str, float] = json.loads(done.stdout)
    return found


def exported(what: str, listening: Listener) -> int:
    """Return how many records came."""
    if what.endswith("log"):
        requests = [
            ExportLogsServiceRequest.FromString(each.payload) for each in listening.by_path("/v1/logs")
        ]
        return sum(len(s.log_records) for each in requests for r in each.resource_logs for s in r.scope_logs)
    traces = [ExportTraceServiceRequest.FromString(each.payload) for each in listening.by_path("/v1/traces")]
    return sum(len(s.spans) for each in traces for r in each.resource_spans for s in r.scope_spans)


@pytest.mark.parametrize("variant", ["opentelemetry", "glasshouse"])
@pytest.mark.parametrize("what", EXPECTED)
def test_each_call_is_exported(what: str, variant: str, tmp_path: Path) -> None:
    """One record a call, so the two variants do the same work."""
    with listen() as listening:
        times = measure(what, variant, listening.url, tmp_path)
        assert exported(what, listening) == BLOCKS * EXPECTED[what]
    assert times["process"] > times["call"] > 0


def test_nothing_is_exported_without_telemetry(tmp_path: Path) -> None:
    """Of the third variant."""
    with listen() as listening:
        assert measure("request", "none", listening.url, tmp_path)["call"] > 0
        assert listening.requests == []
