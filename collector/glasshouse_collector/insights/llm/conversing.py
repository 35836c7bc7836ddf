"""Asks a model until it answers: in the form that the server can be held to, with one repair."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.trace import Span, StatusCode

from glasshouse_collector.insights.llm.answering import json_schema
from glasshouse_collector.insights.llm.budget import DailyBudget, budget_for, estimated_tokens
from glasshouse_collector.insights.llm.connecting import BadRequest, Completion, Connection, ToolCall
from glasshouse_collector.insights.llm.failing import NoAnswer, Outcome
from glasshouse_collector.insights.llm.settings import LlmConfig
from glasshouse_collector.insights.llm.telemetry import ModelTelemetry

_FORMS: Final = ("json_schema", "json_object", "none")
_FORM_WORDS: Final = (
    "response_format",
    "json_schema",
    "json_object",
    "structured",
    "schema",
    "grammar",
    "format",
)


@dataclass(slots=True)
class _Dialect:
    """How this server wants to be asked; found out by what it refuses."""

    form: str
    limit: str = "max_tokens"
    temperature: bool = True
    tools: bool = True

    def adapt(self, refused: str, asked: Mapping[str, Any], *, forms: bool) -> bool:
        """Leave out what the server does not take; False where there is nothing to leave out."""
        told = refused.lower()
        if "max_completion_tokens" in told and self.limit == "max_tokens":
            self.limit = "max_completion_tokens"
        elif "temperature" in told and self.temperature:
            self.temperature = False
        elif "tools" in asked and "tool" in told:
            self.tools = False
        elif forms and "response_format" in asked and any(word in told for word in _FORM_WORDS):
            self.form = _FORMS[_FORMS.index(self.form) + 1]
        else:
            return False
        return True


@dataclass(slots=True)
class Reply:
    """What the model said, or what it asked for."""

    content: str
    calls: list[ToolCall]
    model: str


@dataclass(slots=True)
class Conversation:
    """The messages with one model, and what may be spent on them."""

    config: LlmConfig
    connection: Connection
    telemetry: ModelTelemetry
    messages: list[dict[str, Any]] = field(default_factory=list)
    budget: DailyBudget = field(init=False)
    _dialect: _Dialect = field(init=False)

    def __post_init__(self) -> None:
        self.budget = budget_for(self.config)
        chosen = self.config.structured_output
        self._dialect = _Dialect("json_schema" if chosen == "auto" else chosen)

    @property
    def room(self) -> int:
        """Tokens that more messages may have."""
        return self.config.max_input_tokens - estimated_tokens(json.dumps(self.messages, ensure_ascii=False))

    @property
    def takes_tools(self) -> bool:
        """Whether the server has not refused tools."""
        return self._dialect.tools

    def say(self, role: str, content: str, **more: Any) -> None:
        """Add a message."""
        self.messages.append({"role": role, "content": content, **more})

    def ask(self, tools: list[dict[str, Any]] | None = None) -> Reply:
        """Send the messages; with `tools` the model may ask instead of answering. Raises `NoAnswer`."""
        while True:
            asked = self._request(tools)
            try:
                return self._reply(self._call(asked))
            except BadRequest as refused:
                forms = self.config.structured_output == "auto"
                if not self._dialect.adapt(str(refused), asked, forms=forms):
                    raise NoAnswer(Outcome.REFUSED, f"the server refuses the question: {refused}") from None
                if tools and not self._dialect.tools:
                    tools = None

    def _request(self, tools: list[dict[str, Any]] | None) -> dict[str, Any]:
        dialect = self._dialect
        asked: dict[str, Any] = {
            "model": self.config.model,
            "messages": self.messages,
            dialect.limit: self.config.max_output_tokens,
        }
        if dialect.temperature:
            asked["temperature"] = self.config.temperature
        if tools:
            asked["tools"] = tools
        elif dialect.form == "json_schema":
            schema = {"name": "explanation", "strict": True, "schema": json_schema()}
            asked["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif dialect.form == "json_object":
            asked["response_format"] = {"type": "json_object"}
        return asked

    def _call(self, asked: Mapping[str, Any]) -> Completion:
        expected = estimated_tokens(json.dumps(asked, ensure_ascii=False))
        taken = expected + self.config.max_output_tokens
        day = self.budget.take(taken)
        used = expected  # a call that fails may have been worked on
        try:
            with self.telemetry.chat(self.config) as span:
                try:
                    completion = self.connection.complete(asked)
                except BadRequest as refused:
                    used = 0
                    span.set_attribute("error.type", "400")
                    span.set_status(StatusCode.ERROR, "the server does not take the request as it is")
                    raise refused from None
                used = self._note(completion, expected, span)
        finally:
            self.budget.settle(day, taken, used)
        return completion

    def _note(self, completion: Completion, expected: int, span: Span) -> int:
        """Write down what the call used; what the server does not tell is estimated for the budget alone."""
        reasons = [choice.finish_reason for choice in completion.choices if choice.finish_reason]
        span.set_attribute("gen_ai.response.finish_reasons", reasons)
        span.set_attribute("gen_ai.response.id", completion.id)
        span.set_attribute("gen_ai.response.model", completion.model or self.config.model)
        usage = completion.usage
        if usage is None:
            said = "".join(choice.message.content or "" for choice in completion.choices)
            return expected + estimated_tokens(said)
        span.set_attribute("gen_ai.usage.input_tokens", usage.prompt_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", usage.completion_tokens)
        self.telemetry.count_tokens(self.config, usage.prompt_tokens, usage.completion_tokens)
        return max(0, usage.prompt_tokens) + max(0, usage.completion_tokens)

    def _reply(self, completion: Completion) -> Reply:
        if not completion.choices:
            raise NoAnswer(Outcome.MALFORMED, "the model answered nothing")
        choice = completion.choices[0]
        if choice.message.refusal or choice.finish_reason == "content_filter":
            raise NoAnswer(Outcome.REFUSED, "the model declined to answer")
        if choice.finish_reason == "length":
            raise NoAnswer(
                Outcome.MALFORMED,
                f"the model's answer was cut off at llm.max_output_tokens ({self.config.max_output_tokens})",
            )
        model = completion.model or self.config.model
        return Reply(choice.message.content or "", choice.message.tool_calls or [], model)
