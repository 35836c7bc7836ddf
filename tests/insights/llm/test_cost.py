"""What asking a model costs: counted, shown as spans and metrics, and limited by the day."""

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from glasshouse_collector.core.components import Services
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.insights.explaining import Explanation
from glasshouse_collector.insights.llm.budget import DailyBudget, estimated_tokens
from glasshouse_collector.insights.llm.failing import NoAnswer
from glasshouse_collector.insights.llm.settings import LlmConfig
from glasshouse_collector.insights.llm.telemetry import ModelTelemetry, provider
from model_answers import answer
from model_server import Asked, ModelServer, Said, completion, error, in_turn

Serve = Callable[[Callable[[Asked], Said]], ModelServer]
Ask = Callable[..., Explanation]
DAY = 86_400


def test_a_call_is_a_span_by_the_conventions(
    ask: Ask, serve: Serve, spans: InMemorySpanExporter, telemetry: ModelTelemetry
) -> None:
    """With what was used; neither with the evidence nor with the answer. The tokens are a metric too."""
    server = serve(in_turn(completion(answer())))
    ask(server)
    [span] = spans.get_finished_spans()
    assert (span.name, span.kind, span.status.status_code) == ("chat tiny", SpanKind.CLIENT, StatusCode.UNSET)
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "tiny",
        "gen_ai.request.max_tokens": 2000,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "tiny-1",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 50,
        "server.address": "127.0.0.1",
        "server.port": int(server.url.split(":")[2].removesuffix("/v1")),
    }
    assert telemetry.metrics is not None
    shown = {
        (each.labels["gen_ai_token_type"], each.value)
        for family in telemetry.metrics.model_tokens.collect()
        for each in family.samples
        if each.name == "glasshouse_insights_model_tokens_sum"
    }
    assert shown == {("input", 1000.0), ("output", 50.0)}


def test_a_call_that_fails_is_a_failed_span(ask: Ask, serve: Serve, spans: InMemorySpanExporter) -> None:
    """With the kind of failure."""
    ask(serve(in_turn(error(500, "it broke"))))
    [span] = spans.get_finished_spans()
    assert span.status.status_code == StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "failed"
    assert not span.events


def test_the_budget_of_a_day_is_kept(ask: Ask, serve: Serve) -> None:
    """What the server counts is taken from it, and above it the rules answer without asking."""
    server = serve(in_turn(completion(answer())))
    for _ in range(2):
        assert ask(server, max_tokens_per_day=9000).source == "llm"
    used = 2 * 1050
    # What is left is less than what a question may need.
    told = ask(server, max_tokens_per_day=9000, max_output_tokens=7000)
    assert told.fallback_reason.startswith(
        f"{used:,} of the day's 9,000 tokens (llm.max_tokens_per_day) are used"
    )
    assert len(server.asked) == 2
    assert "tokens" in ask(server, max_tokens_per_day=0).fallback_reason


def test_what_a_call_does_not_need_is_given_back_and_a_day_begins_anew() -> None:
    """Of yesterday nothing is settled today."""
    now = [10.5 * DAY]
    budget = DailyBudget(100, lambda: now[0])
    day = budget.take(80)
    with pytest.raises(NoAnswer, match="80 of the day's 100 tokens"):
        budget.take(21)
    budget.settle(day, 80, 30)
    assert budget.used == 30
    late = budget.take(70)
    now[0] += DAY
    budget.take(100)
    budget.settle(late, 70, 0)
    assert budget.used == 100


def test_calls_at_the_same_time_do_not_use_more_than_there_is() -> None:
    """Each takes what it may need before it asks."""
    budget = DailyBudget(1000)
    taken: list[int] = []

    def take() -> None:
        for _ in range(50):
            try:
                taken.append(budget.take(10))
            except NoAnswer:
                return

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 100


@pytest.mark.parametrize("text", ["", "a", "hello world " * 100, "größer", "漢字" * 50, "\ud800"])
def test_tokens_are_rather_overestimated(text: str) -> None:
    """Three bytes a token, rounded up."""
    assert estimated_tokens(text) == -(-len(text.encode("utf-8", "replace")) // 3)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("http://localhost:11434/v1", "openai"),
        ("https://api.mistral.ai/v1", "mistral_ai"),
        ("https://mine.openai.azure.com/openai/v1", "azure.ai.openai"),
    ],
)
def test_the_provider_is_told_by_the_address(url: str, expected: str) -> None:
    """Of servers that speak its protocol it is OpenAI's."""
    assert provider(LlmConfig(base_url=url, model="m")) == expected


def test_a_collector_that_does_not_watch_itself_counts_all_the_same() -> None:
    """Without a tracer there are no spans."""
    services = Services()
    metrics = Metrics()
    services.provide(Metrics, metrics)
    telemetry = ModelTelemetry.of(services)
    assert telemetry.metrics is metrics
    with telemetry.chat(LlmConfig(model="m")) as span:
        assert not span.is_recording()


def test_without_the_library_it_is_said_what_to_install() -> None:
    """And nothing of it is imported before a model is asked."""
    program = """
import sys
from glasshouse_collector.insights.llm.asking import ask_model
from glasshouse_collector.insights.llm.connecting import Connection
from glasshouse_collector.insights.llm.failing import NoAnswer
from glasshouse_collector.insights.llm.settings import LlmConfig
assert not {"openai", "httpx2"} & set(sys.modules)
sys.modules["openai"] = None
try:
    with Connection.open(LlmConfig(model="m")):
        pass
except NoAnswer as missing:
    print(missing)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == (
        "the library openai is not installed; pip install 'glasshouse[collector,llm]' brings it"
    )
