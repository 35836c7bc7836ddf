"""Applications become visible with `glasshouse run` alone; each in the way its users start it."""

import httpx
import pytest

from application_process import Collected, Programs
from collector_process import until

SERVICES = ("front", "stock", "prices")


@pytest.fixture
def requested(applications: Programs, collected: Collected) -> Collected:
    """Start FastAPI, Flask and Django, each asking the next, and ask the first for two items."""
    ports = {service: str(applications.free_port()) for service in SERVICES}
    url = {service: f"http://127.0.0.1:{port}" for service, port in ports.items()}
    commands = {
        "prices": ("python", "manage.py", "runserver", ports["prices"]),
        "stock": ("gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{ports['stock']}", "stock:app"),
        "front": ("uvicorn", "--port", ports["front"], "front:app"),
    }
    for service, command in commands.items():
        applications.start(
            "glasshouse", "run", "--service-name", service, "--environment", "test",
            "--endpoint", collected.endpoint, "--", *command,
            STOCK_URL=url["stock"], PRICES_URL=url["prices"], OTEL_METRIC_EXPORT_INTERVAL="500",
        )  # fmt: skip
    for service in SERVICES:
        applications.listens(int(ports[service]))
    for number in (1, 2):
        answer = httpx.get(f"{url['front']}/items/{number}", timeout=60).raise_for_status()
        assert answer.json() == {"number": number, "left": 2, "price": 10 * number}
    return collected


SPANS = """
    SELECT ServiceName, SpanKind, SpanAttributes['http.route'], SpanId, ParentSpanId, TraceId,
      ResourceAttributes['deployment.environment.name'], SpanAttributes['http.response.status_code']
    FROM otel_traces WHERE ServiceName IN ('front', 'stock', 'prices') AND SpanKind IN ('Server', 'Client')
    ORDER BY TraceId, Timestamp"""
HOPS = [
    ("front", "Server", "/items/{number}"),
    ("front", "Client", ""),
    ("stock", "Server", "/stock/<int:number>"),
    ("stock", "Client", ""),
    ("prices", "Server", "prices/<int:number>"),
]
LOGS = """
    SELECT ServiceName, Body, SeverityText, logs.TraceId, spans.SpanKind FROM otel_logs AS logs
    INNER JOIN otel_traces AS spans ON logs.SpanId = spans.SpanId AND logs.TraceId = spans.TraceId
      AND logs.ServiceName = spans.ServiceName
    WHERE logs.ScopeName IN ('front', 'stock', 'prices')
    ORDER BY logs.Timestamp"""
DURATIONS = """
    SELECT ServiceName, max(Count) FROM otel_metrics_histogram
    WHERE MetricName = 'http.server.request.duration' AND Attributes['http.response.status_code'] = '200'
    GROUP BY ServiceName, Attributes['http.route']"""


def test_each_is_visible_and_all_are_joined(requested: Collected) -> None:
    """One trace a request through the three, each log record in it, and a histogram of each."""
    ask = requested.process.ask
    until(lambda: len(ask(SPANS)) == 2 * len(HOPS), "the spans of both requests are in the store")
    spans = ask(SPANS)
    for trace in (spans[: len(HOPS)], spans[len(HOPS) :]):
        assert [(service, kind, route) for service, kind, route, *_ in trace] == HOPS
        assert [parent for _, _, _, _, parent, *_ in trace] == ["", *(row[3] for row in trace[:-1])]
        assert len({row[5] for row in trace}) == 1
        assert {row[6] for row in trace} == {"test"}
        assert {row[7] for row in trace} == {"200"}

    until(lambda: len(ask(LOGS)) == 6, "the log records of both requests are in the store, in their spans")
    traces = {row[5] for row in spans}
    for trace_id in traces:
        assert [tuple(row[:3]) for row in ask(LOGS) if row[3] == trace_id] in EXPECTED_LOGS

    until(lambda: len(ask(DURATIONS)) == len(SERVICES), "each has told how long its requests took")


EXPECTED_LOGS = [
    [
        ("front", f"item {number} is asked for", "INFO"),
        ("stock", f"few are left of {number}", "WARN"),
        ("prices", f"the price of {number} is made up", "ERROR"),
    ]
    for number in (1, 2)
]
