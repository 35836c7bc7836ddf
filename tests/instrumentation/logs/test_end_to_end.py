"""An application that knows nothing of this, under `glasshouse run`."""

import json
import signal
from collections import Counter

import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from application_process import Programs
from otlp_listener import Listener, listen

APPLICATION = """
import logging
import structlog
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
def index():
    logging.getLogger("shop").warning("by logging", extra={"order_id": 42})
    structlog.get_logger().info("by structlog", order_id=43)
    return {}

@app.get("/broken")
def broken():
    raise RuntimeError("broken")
"""


def _records(listening: Listener) -> list[tuple[str, str, str, str]]:
    requests = [ExportLogsServiceRequest.FromString(each.payload) for each in listening.by_path("/v1/logs")]
    return [
        (
            scope.scope.name,
            record.body.string_value.splitlines()[0],
            record.severity_text,
            record.trace_id.hex(),
        )
        for request in requests
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def test_an_application_under_uvicorn(programs: Programs) -> None:
    """Each record once, uvicorn's too, those of a request in its trace; the console is one format."""
    programs.write("shop_app.py", APPLICATION)
    port = programs.free_port()
    with listen() as listening:
        server = programs.start(
            *("glasshouse", "run", "--", "uvicorn", "shop_app:app", "--port", str(port)),
            OTEL_SERVICE_NAME="shop",
            OTEL_EXPORTER_OTLP_ENDPOINT=listening.url,
            GLASSHOUSE_SHUTDOWN_SECONDS="10",
            GLASSHOUSE_LOG_FORMAT="json",
        )
        programs.answers(f"http://127.0.0.1:{port}/")
        assert httpx.get(f"http://127.0.0.1:{port}/broken").status_code == 500
        server.send_signal(signal.SIGINT)
        output, _ = server.communicate(timeout=60)
        records = _records(listening)
    bodies = Counter(body for _, body, _, _ in records)
    for body in (
        "by logging",
        "by structlog",
        "Application startup complete.",
        "Exception in ASGI application",
    ):
        assert bodies[body] == 1, records
    (by_logging,) = [each for each in records if each[1] == "by logging"]
    (by_structlog,) = [each for each in records if each[1] == "by structlog"]
    assert by_logging[0] == "shop"
    assert int(by_logging[3], 16)
    assert by_logging[3] == by_structlog[3]
    shown = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert Counter(line["message"] for line in shown)["Application startup complete."] == 1
    assert "INFO:     Application startup complete." not in output
