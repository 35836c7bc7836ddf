"""A model's server, a store with an incident, and an explanation by rules to be worded."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.insights.explaining import Explanation, explain
from glasshouse_collector.insights.findings import Analysis
from glasshouse_collector.insights.llm.asking import ask_model
from glasshouse_collector.insights.llm.budget import budget_of
from glasshouse_collector.insights.llm.settings import LlmConfig
from glasshouse_collector.insights.llm.telemetry import ModelTelemetry
from glasshouse_collector.insights.windows import SECOND
from glasshouse_collector.store import QueryLimits, Store
from migrated_store import migrated_store
from model_server import Asked, ModelServer, Said, model_server
from told_incident import ANALYSIS, NOON, LogRow, SpanRow, keep_logs, keep_spans

PROJECT = "shop"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Lend an embedded store with an incident in it, and another project beside it."""
    opened = migrated_store(tmp_path_factory, "llm")
    spans = []
    for n in range(12):
        at = NOON + (3 + n) * SECOND
        spans += [
            SpanRow("gateway", "POST /checkout", at, n + 1, "500"),
            SpanRow("payment", "POST /pay", at, n + 1, "declined", ("ValueError", "card of bob@example.com")),
            SpanRow("inventory-service", "GET /stock", at, n + 100),
        ]
    keep_spans(opened, "llm-spans", spans, PROJECT)
    keep_logs(
        opened,
        "llm-logs",
        [
            LogRow("payment", f"key=sk-{'a' * 30} of order {n} refused", NOON + n * SECOND, n + 1)
            for n in range(40)
        ],
        PROJECT,
    )
    keep_spans(opened, "llm-other", [SpanRow("secret-service", "GET /s", NOON + SECOND, 900)], "other")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def explanation(store: Store) -> Explanation:
    """Return what the rules say."""
    return explain(store.of_project(PROJECT), ANALYSIS, [], QueryLimits())


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Asked], Said]], ModelServer]]:
    """Start servers for the time of a test."""
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(model_server(answer))


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """Return where the spans of a test go."""
    return InMemorySpanExporter()


@pytest.fixture
def telemetry(spans: InMemorySpanExporter) -> ModelTelemetry:
    """Return telemetry with a tracer and metrics of its own."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return ModelTelemetry(provider.get_tracer("test"), Metrics())


@pytest.fixture
def ask(
    store: Store, explanation: Explanation, telemetry: ModelTelemetry
) -> Iterator[Callable[..., Explanation]]:
    """Ask a server to word the incident."""

    def asking(
        server: ModelServer | str,
        *,
        deep: bool = False,
        analysis: Analysis = ANALYSIS,
        given: Explanation = explanation,
        corrections: tuple[str, ...] = (),
        **settings: Any,
    ) -> Explanation:
        url = server if isinstance(server, str) else server.url
        config = LlmConfig(base_url=url, model="tiny", **{"timeout_seconds": 60, **settings})
        of_project = store.of_project(PROJECT)
        return ask_model(
            config, analysis, given, corrections, of_project, QueryLimits(), deep, telemetry=telemetry
        )

    yield asking
    budget_of.cache_clear()
