"""What asking a model costs, as spans and metrics of the collector's own.

Names are those of OpenTelemetry's conventions for generative AI
(https://github.com/open-telemetry/semantic-conventions-genai): spans `chat MODEL` and
`execute_tool NAME`. What is asked and answered is in none of them. On `/metrics` the tokens have a
name of our own: `gen_ai_client_token_usage` there is what applications tell.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

from opentelemetry.trace import NoOpTracer, Span, SpanKind, StatusCode, Tracer

from glasshouse_collector.core.components import Services
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.insights.llm.failing import NoAnswer, Outcome
from glasshouse_collector.insights.llm.settings import LlmConfig

_PROVIDERS: Final = {
    "api.anthropic.com": "anthropic",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
    "generativelanguage.googleapis.com": "gcp.gemini",
}


@dataclass(frozen=True, slots=True)
class ModelTelemetry:
    """Where spans and counts go; nowhere without the collector's services."""

    tracer: Tracer = field(default_factory=NoOpTracer)
    metrics: Metrics | None = None

    @classmethod
    def of(cls, services: Services) -> Self:
        """Return that of a collector; without spans where it does not watch itself."""
        try:
            tracer: Tracer = services.get(Tracer)  # type: ignore[type-abstract]
        except LookupError:
            tracer = NoOpTracer()
        return cls(tracer, services.get(Metrics))

    @contextmanager
    def chat(self, config: LlmConfig) -> Iterator[Span]:
        """Make a span of one call; a failure is its status."""
        parts = urlsplit(config.base_url)
        attributes: dict[str, str | int | float] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider(config),
            "gen_ai.request.model": config.model,
            "gen_ai.request.max_tokens": config.max_output_tokens,
            "gen_ai.request.temperature": float(config.temperature),
            "server.address": parts.hostname or "",
            "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        }
        with self._span(f"chat {config.model}", SpanKind.CLIENT, attributes) as span:
            yield span

    @contextmanager
    def tool(self, name: str, call: str) -> Iterator[Span]:
        """Make a span of one question that the model asked."""
        attributes: dict[str, str | int | float] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.call.id": call,
            "gen_ai.tool.type": "function",
        }
        with self._span(f"execute_tool {name}", SpanKind.INTERNAL, attributes) as span:
            yield span

    def count_tokens(self, config: LlmConfig, tokens_in: int, tokens_out: int) -> None:
        """Count what a call used, as the server told it."""
        if self.metrics is not None:
            usage = self.metrics.model_tokens
            usage.labels("chat", provider(config), config.model, "input").observe(tokens_in)
            usage.labels("chat", provider(config), config.model, "output").observe(tokens_out)

    def count_answer(self, outcome: Outcome) -> None:
        """Count what became of a question."""
        if self.metrics is not None:
            self.metrics.model_answers.labels(outcome.value).inc()

    @contextmanager
    def _span(self, name: str, kind: SpanKind, attributes: dict[str, str | int | float]) -> Iterator[Span]:
        with self.tracer.start_as_current_span(
            name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except NoAnswer as failure:
                span.set_attribute("error.type", failure.outcome.value)
                span.set_status(StatusCode.ERROR, str(failure))
                raise


def provider(config: LlmConfig) -> str:
    """Return whose protocol is spoken, as well as the address tells."""
    host = urlsplit(config.base_url).hostname or ""
    if host.endswith(".openai.azure.com"):
        return "azure.ai.openai"
    return _PROVIDERS.get(host, "openai")
