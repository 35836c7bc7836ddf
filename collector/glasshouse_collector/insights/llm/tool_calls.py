"""Answers what a model asks in a deep analysis: a few questions, checked, cut to size, without secrets."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError

from glasshouse_collector.insights.llm.connecting import ToolCall
from glasshouse_collector.insights.llm.evidence import Names
from glasshouse_collector.insights.llm.looking import TOOLS, Sight, Tool
from glasshouse_collector.insights.llm.redacting import redacted
from glasshouse_collector.insights.llm.telemetry import ModelTelemetry
from glasshouse_collector.store.engine import EngineFailure

_MOST_BYTES: Final = 8000
_MOST_SECONDS: Final = 10.0
_MOST_MEMORY: Final = 1 << 30
_MOST_ARGUMENTS: Final = 4000


def described() -> list[dict[str, Any]]:
    """Return the tools as chat completions take them."""
    return [{"type": "function", "function": _function(name, tool)} for name, tool in TOOLS.items()]


def _function(name: str, tool: type[Tool]) -> dict[str, Any]:
    schema = tool.model_json_schema()
    schema.pop("title", None)
    description = " ".join(schema.pop("description", "").split())
    for each in schema["properties"].values():
        each.pop("title", None)
    return {"name": name, "description": description, "parameters": schema}


def repeated(call: ToolCall) -> dict[str, Any]:
    """Return a call as it stands among the messages; arguments that are no JSON some servers refuse there."""
    arguments = call.function.arguments
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        arguments = "{}"
    if len(arguments) > _MOST_ARGUMENTS:
        arguments = "{}"
    function = {"name": call.function.name[:100], "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


@dataclass(slots=True)
class ToolAnswers:
    """Answers calls until there were `left` of them, or the time is over (`deadline`, monotonic seconds)."""

    sight: Sight
    names: Names
    telemetry: ModelTelemetry
    own: Sequence[str]
    left: int
    deadline: float

    def answer(self, call: ToolCall, room: int) -> str:
        """Return the answer as JSON, in at most `room` tokens; what goes wrong is an answer too."""
        name = call.function.name[:100]
        with self.telemetry.tool(name, call.id[:100]) as span:
            given, failed = self._looked(name, call.function.arguments)
            if failed:
                span.set_attribute("error.type", failed)
        given = redacted(given, self.own)
        written, kept = _cut(given, min(_MOST_BYTES, room * 2))
        if kept is not None:
            self.names.learn(kept)
        return written

    def _looked(self, name: str, arguments: str) -> tuple[dict[str, Any], str]:
        if self.left <= 0:
            return {"error": "no more questions; answer now with what you have"}, "no_more_questions"
        self.left -= 1
        if name not in TOOLS:
            return {"error": f"there is no such tool; there are {', '.join(TOOLS)}"}, "unknown_tool"
        try:
            asked = TOOLS[name].model_validate_json((arguments or "{}")[:_MOST_ARGUMENTS])
        except ValidationError as wrong:
            told = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in wrong.errors()[:5]]
            return {"error": f"wrong arguments: {'; '.join(told)}"}, "wrong_arguments"
        seconds = min(_MOST_SECONDS, self.deadline - time.monotonic())
        if seconds <= 0:
            return {"error": "the time is over; answer now with what you have"}, "timed_out"
        limits = self.sight.limits
        bounded = replace(
            limits, seconds=min(limits.seconds, seconds), memory=min(limits.memory, _MOST_MEMORY)
        )
        try:
            return asked.look(replace(self.sight, limits=bounded)), ""
        except EngineFailure:
            return {"error": "that is too much to look at; ask for less"}, "too_much"


def _cut(given: dict[str, Any], most: int) -> tuple[str, Any]:
    """Return it as JSON of at most so many bytes, without the last items of its list, and what is kept."""
    rows = next((name for name, value in given.items() if isinstance(value, list)), None)
    kept = given
    while True:
        written = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
        if len(written.encode()) <= most:
            return written, kept
        if rows is None or not kept[rows]:
            return '{"error":"there is no room for the answer; answer now with what you have"}', None
        kept = {**kept, rows: kept[rows][: len(kept[rows]) * 3 // 4], "cut": True}
