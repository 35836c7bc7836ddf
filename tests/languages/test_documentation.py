"""The programs and commands of docs/languages.md do what the page says."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.languages.conftest import Collector, Execute, Needs

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "languages.md"
STORED = {
    "otel_traces": "SELECT SpanName, SpanAttributes['order.id'] FROM otel_traces",
    "otel_logs": "SELECT Body, SeverityNumber FROM otel_logs",
    "otel_metrics_sum": "SELECT MetricName, Value FROM otel_metrics_sum",
}
SENT = {
    "otel_traces": ["checkout", "42"],
    "otel_logs": ["order accepted", 9],
    "otel_metrics_sum": ["shop.orders", 1],
}


def block(section: str, language: str) -> str:
    """Return the first fenced block of a language in a section of the page."""
    text = PAGE.read_text(encoding="utf-8")
    body = re.split(rf"^#+ {re.escape(section)}$", text, flags=re.MULTILINE)[1]
    body = re.split(r"^#+ (?!include)[A-Z]", body, flags=re.MULTILINE)[0]
    found = re.search(rf"^```{language}\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/languages.md, {section}: no block of {language}"
    return found[1]


def assert_stored(collector: "Collector", service: str) -> None:
    """Each program of the page sends the same span, log record and data point."""
    for table, statement in STORED.items():
        where = f"WHERE ServiceName = '{service}' AND ScopeName = 'shop'"
        assert collector.query_until(f"{statement} {where}", 1) == [SENT[table]]
    joined = (
        "SELECT count() FROM otel_logs AS log INNER JOIN otel_traces AS span "
        "ON log.TraceId = span.TraceId AND log.SpanId = span.SpanId "
        f"WHERE log.ServiceName = '{service}' AND span.ServiceName = '{service}'"
    )
    assert collector.query(joined) == [[1]]


def at_ports_of(collector: "Collector", script: str) -> str:
    """Return a script of the page, sent to the test's collector instead of the usual ports."""
    usual = {"localhost:4318": collector.addresses["http"], "localhost:8000": collector.addresses["api"]}
    for address, actual in usual.items():
        script = script.replace(address, actual)
    return script


def test_curl_sends_json_and_finds_it_again(collector: "Collector", needs: "Needs") -> None:
    """The commands with curl send all three signals as JSON, and the last one shows what was sent."""
    needs("curl")
    sending = at_ports_of(collector, block("JSON with curl", "sh"))
    sent = subprocess.run(
        ["sh", "-e", "-c", sending], capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert sent.stdout.replace(" ", "").count("{}") == len(STORED)
    assert_stored(collector, "shop")
    asking = at_ports_of(collector, block("Find it again", "sh"))
    found = subprocess.run(
        ["sh", "-e", "-c", asking], capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "0af7651916cd43dd8448eb211c80319c" in found.stdout


@pytest.mark.languages
def test_the_documented_python_program_sends(
    collector: "Collector", needs: "Needs", execute: "Execute", tmp_path: Path
) -> None:
    """The program of the page runs with what the page installs."""
    needs(HERE / "python/target/bin/python")
    (tmp_path / "app.py").write_text(block("Python, in code", "python"), encoding="utf-8")
    execute([HERE / "python/target/bin/python", "app.py"], tmp_path, collector.environment("docs-python"))
    assert_stored(collector, "docs-python")


@pytest.mark.languages
def test_the_documented_node_program_sends(
    collector: "Collector", needs: "Needs", execute: "Execute", tmp_path: Path
) -> None:
    """The program of the page runs with what the page installs."""
    needs("node", HERE / "node/node_modules")
    (tmp_path / "app.cjs").write_text(block("Node.js, in code", "js"), encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(HERE / "node" / "node_modules")
    variables = {"OTEL_LOGS_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"}
    execute(["node", "app.cjs"], tmp_path, collector.environment("docs-node") | variables)
    assert_stored(collector, "docs-node")


@pytest.mark.languages
def test_the_documented_java_program_sends(
    collector: "Collector", needs: "Needs", execute: "Execute", tmp_path: Path
) -> None:
    """The program of the page runs with the libraries that the page names."""
    needs("java", HERE / "java/target/libraries")
    (tmp_path / "App.java").write_text(block("Java, in code", "java"), encoding="utf-8")
    libraries = f"{HERE / 'java' / 'target' / 'libraries'}/*"
    execute(["java", "-cp", libraries, "App.java"], tmp_path, collector.environment("docs-java"))
    assert_stored(collector, "docs-java")


@pytest.mark.languages
def test_the_documented_go_program_sends(
    collector: "Collector", needs: "Needs", execute: "Execute", tmp_path: Path
) -> None:
    """The program of the page runs with the modules that the senders are locked to."""
    needs("go", HERE / "go/target/send")
    (tmp_path / "main.go").write_text(block("Go, in code", "go"), encoding="utf-8")
    for name in ("go.mod", "go.sum"):
        shutil.copy(HERE / "go" / name, tmp_path)
    execute(["go", "run", "."], tmp_path, collector.environment("docs-go"))
    assert_stored(collector, "docs-go")
