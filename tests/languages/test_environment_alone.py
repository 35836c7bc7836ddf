"""Applications that know nothing of OpenTelemetry send, told by environment variables alone."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.languages.conftest import Collector, Execute, Needs

HERE = Path(__file__).parent
pytestmark = pytest.mark.languages


def spans_of(collector: "Collector", service: str, enough: int) -> list[list[str]]:
    """Return kind, name, trace id and parent of the service's spans, callers first."""
    statement = (
        f"SELECT SpanKind, SpanName, TraceId, SpanId, ParentSpanId FROM otel_traces "
        f"WHERE ServiceName = '{service}' ORDER BY SpanKind"
    )
    return collector.query_until(statement, enough)


def assert_caller_and_called(spans: list[list[str]], name_of_called: str) -> None:
    """Check for a client span and the server span that it caused, of one trace."""
    (client_kind, _, trace_id, client_id, no_parent), (server_kind, name, same_trace, _, parent) = spans
    assert (client_kind, no_parent) == ("Client", "")
    assert (server_kind, name, same_trace, parent) == ("Server", name_of_called, trace_id, client_id)


def assert_durations_counted(collector: "Collector", service: str) -> None:
    """Check for the durations of one call, at the caller and at the called."""
    counts = (
        f"SELECT DISTINCT MetricName, Count FROM otel_metrics_histogram WHERE ServiceName = '{service}' "
        "AND MetricName LIKE 'http.%' ORDER BY MetricName"
    )
    assert collector.query_until(counts, 2) == [
        ["http.client.request.duration", 1],
        ["http.server.request.duration", 1],
    ]


def test_a_java_application_sends_through_the_agent(
    collector: "Collector", needs: "Needs", execute: "Execute"
) -> None:
    """The agent sends both sides of a call, the log record written within it, and their durations."""
    needs("java", HERE / "java" / "target" / "agent")
    agent = "-javaagent:target/agent/opentelemetry-javaagent.jar"
    command = ["java", agent, "-cp", "target/classes", "Shop"]
    execute(command, HERE / "java", collector.environment("java-alone"))
    spans = spans_of(collector, "java-alone", 2)
    assert_caller_and_called(spans, "GET /orders")
    of_service = "WHERE ServiceName = 'java-alone'"
    records = collector.query_until(
        f"SELECT Body, SeverityText, SeverityNumber, TraceId FROM otel_logs {of_service}", 1
    )
    assert records == [["an order came in", "INFO", 9, spans[1][2]]]
    assert_durations_counted(collector, "java-alone")


def test_a_node_application_sends_through_its_instrumentation(
    collector: "Collector", needs: "Needs", execute: "Execute"
) -> None:
    """The instrumentation sends both sides of a call and their durations."""
    needs("node", HERE / "node" / "node_modules" / "@opentelemetry" / "auto-instrumentations-node")
    variables = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_NODE_RESOURCE_DETECTORS": "env,host,os,process"}
    command = ["node", "--require", "@opentelemetry/auto-instrumentations-node/register", "shop.cjs"]
    execute(command, HERE / "node", collector.environment("node-alone") | variables)
    assert_caller_and_called(spans_of(collector, "node-alone", 2), "GET")
    assert_durations_counted(collector, "node-alone")


def test_a_python_application_sends_through_its_instrumentation(
    collector: "Collector", needs: "Needs", execute: "Execute"
) -> None:
    """The instrumentation sends the call that was made and what was logged of it."""
    program = HERE / "python" / "target" / "bin" / "opentelemetry-instrument"
    needs(program)
    command: list[str | Path] = [program, program.with_name("python"), "shop.py"]
    execute(command, HERE / "python", collector.environment("python-alone"))
    ((kind, name, _, _, parent),) = spans_of(collector, "python-alone", 1)
    assert (kind, name, parent) == ("Client", "GET", "")
    records = collector.query_until(
        "SELECT Body, SeverityText, SeverityNumber FROM otel_logs WHERE ServiceName = 'python-alone'", 1
    )
    assert records == [["an order was answered with 204", "INFO", 9]]
