"""A client of a language model, traced and measured by the semantic conventions of generative AI."""

import os
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import HTTPException
from opentelemetry import trace
from opentelemetry.trace import SpanKind

import glasshouse

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

MODEL = "shop-small"
_TEMPERATURE = 0.2
_MOST_TOKENS = 200
# What the conventions advise for token counts.
_TOKEN_BUCKETS = [4**exponent for exponent in range(14)]

_tokens = glasshouse.histogram(
    "gen_ai.client.token.usage", "{token}", "Tokens used, by type.", _TOKEN_BUCKETS
)
_duration = glasshouse.histogram("gen_ai.client.operation.duration", "s", "Duration of calls to a model.")
_tracer = trace.get_tracer("glasshouse_shop")
_log = glasshouse.get_logger("shop.language_model")


class LanguageModel:
    """Speaks the chat completions API at the URL of the variable `SHOP_MODEL_URL`."""

    def __init__(self) -> None:
        self._client = httpx.Client(base_url=os.environ["SHOP_MODEL_URL"], timeout=10.0)
        self._about = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "shop",
            "gen_ai.request.model": MODEL,
        }

    def chat(self, instructions: str, question: str) -> str:
        """Return the model's answer; HTTPException 502 where it fails."""
        asked: dict[str, AttributeValue] = {**self._about, "gen_ai.request.temperature": _TEMPERATURE}
        with (
            _duration.time(self._about),
            _tracer.start_as_current_span(f"chat {MODEL}", kind=SpanKind.CLIENT, attributes=asked) as span,
        ):
            try:
                answer = self._complete(instructions, question)
            except httpx.HTTPError as failed:
                _log.error("the model failed", reason=str(failed))
                raise HTTPException(502, "the model failed") from failed
            usage = answer["usage"]
            span.set_attributes(
                {
                    "gen_ai.response.id": answer["id"],
                    "gen_ai.response.model": answer["model"],
                    "gen_ai.response.finish_reasons": [each["finish_reason"] for each in answer["choices"]],
                    "gen_ai.usage.input_tokens": usage["prompt_tokens"],
                    "gen_ai.usage.output_tokens": usage["completion_tokens"],
                }
            )
        _tokens.record(usage["prompt_tokens"], {**self._about, "gen_ai.token.type": "input"})
        _tokens.record(usage["completion_tokens"], {**self._about, "gen_ai.token.type": "output"})
        return str(answer["choices"][0]["message"]["content"])

    def _complete(self, instructions: str, question: str) -> Any:
        messages = [{"role": "system", "content": instructions}, {"role": "user", "content": question}]
        wanted = {"model": MODEL, "temperature": _TEMPERATURE, "max_tokens": _MOST_TOKENS}
        return (
            self._client.post("/v1/chat/completions", json={**wanted, "messages": messages})
            .raise_for_status()
            .json()
        )
