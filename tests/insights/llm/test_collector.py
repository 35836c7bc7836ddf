"""A collector with a model set by variables: asked as a user would, answered by a real server."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector_process import CollectorProcess, until
from model_server import Asked, ModelServer, Said, completion, model_server

_VARIABLES = "GLASSHOUSE_EXTENSIONS__INSIGHTS__LLM__"


def _copying(asked: Asked) -> Said:
    """Be a model that tells the first root cause of its evidence, whatever it is."""
    evidence = json.loads(asked["messages"][1]["content"])
    causes = evidence["root_causes"]
    cause = causes[0] if causes else {"service": "", "operation": ""}
    words = f"{cause['service']} fails, says the model." if causes else "No cause was found."
    return completion(
        json.dumps(
            {
                "incident_summary": "Orders fail, says the model.",
                "root_cause": words,
                "suggestion": "Look there.",
                "service": cause["service"],
                "operation": cause.get("operation", ""),
                "services": [cause["service"]] if causes else [],
                "operations": [],
                "trace_ids": [],
            }
        )
    )


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """Serve the model."""
    with model_server(_copying) as server:
        yield server


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory, model: ModelServer) -> Iterator[CollectorProcess]:
    """Run a collector that knows the model, with some failing requests of just now."""
    variables = {
        f"{_VARIABLES}BASE_URL": model.url,
        f"{_VARIABLES}MODEL": "tiny",
        f"{_VARIABLES}API_KEY": "k-1",
    }
    folder = tmp_path_factory.mktemp("model")
    own = "patterns: [{id: own, title: Mine, when: {exceptions: [ValueError]}, suggestion: [Call the bank.]}]"
    (folder / "own.yaml").write_text(own)
    variables["GLASSHOUSE_EXTENSIONS__INSIGHTS__KNOWLEDGE_FILE"] = str(folder / "own.yaml")
    running = CollectorProcess(folder / "data", env=variables)
    try:
        httpx.post(
            f"http://{running.endpoints()['http']}/v1/traces",
            content=_failing(time.time_ns()).SerializeToString(),
            headers={"content-type": "application/x-protobuf"},
            timeout=30,
        ).raise_for_status()
        kept = "SELECT count() FROM otel_traces WHERE ServiceName = 'pay'"
        until(lambda: [int(row[0]) for row in running.ask(kept)] == [60], "the spans are kept")
        yield running
    finally:
        assert running.stop() == 0


def _failing(now: int) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "pay"
    scope = group.scope_spans.add()
    for number in range(60):
        start = now - (60 - number) * 10**9
        span = scope.spans.add(
            trace_id=(number + 1).to_bytes(16),
            span_id=(number + 1).to_bytes(8),
            name="POST /pay",
            kind=2,
            start_time_unix_nano=start,
            end_time_unix_nano=start + 10**7,
        )
        span.status.code = span.status.STATUS_CODE_ERROR
        event = span.events.add(name="exception", time_unix_nano=start)
        event.attributes.add(key="exception.type").value.string_value = "ValueError"
        event.attributes.add(key="exception.message").value.string_value = "password=hunter2hunter2"
    return request


def _insights(collector: CollectorProcess, **asked: Any) -> dict[str, Any]:
    url = f"http://{collector.endpoints()['api']}/api/v1/insights"
    answer = httpx.get(url, params={"lookback_minutes": 5, **asked}, timeout=60)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.parametrize("deep", ["false", "true"])
def test_the_model_words_what_a_real_collector_found(
    collector: CollectorProcess, model: ModelServer, deep: str
) -> None:
    """Its words in the answer, no secret in what it was sent, its tokens on the page of metrics."""
    told = _insights(collector, deep_analysis=deep)
    assert told["fallback_reason"] in {"", None}
    assert (told["source"], told["incident_summary"]) == ("llm", "Orders fail, says the model.")
    assert told["error_groups"][0]["type"] == "ValueError"
    assert "hunter2" not in model.sent()
    assert "[redacted]" in model.sent()
    assert all(headers["authorization"] == "Bearer k-1" for headers in model.headers)
    assert ("tools" in model.asked[-1]) == (deep == "true")
    page = httpx.get(f"http://{collector.endpoints()['api']}/metrics", timeout=30).text
    assert 'glasshouse_insights_model_answers_total{result="used"}' in page
    assert 'gen_ai_request_model="tiny",gen_ai_token_type="input"' in page


def test_when_the_model_fails_the_rules_answer(collector: CollectorProcess, model: ModelServer) -> None:
    """Through the API as well: with the reason, and with what a user's own patterns advise."""
    model.answer = lambda _asked: Said(500, b"{}")
    told = _insights(collector)
    model.answer = _copying
    assert told["source"] == "rules"
    assert told["fallback_reason"].startswith("the server failed (500)")
    assert "says the model" not in told["root_cause"]
    assert "- Call the bank." in told["suggestion"]
