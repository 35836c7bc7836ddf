"""What a model is asked to answer: a strict JSON schema, and reading what came back."""

import json
import re
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from glasshouse_collector.insights.llm.failing import NoAnswer, Outcome

MOST_TEXT: Final = 4000
_MOST_NAMES: Final = 100
_THOUGHTS: Final = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)


class ModelAnswer(BaseModel):
    """What the model says; each name it uses is told apart, to be checked."""

    model_config = ConfigDict(extra="forbid", strict=True)

    incident_summary: str = Field(
        min_length=1, max_length=MOST_TEXT, description="What happened, when, and whom it reached."
    )
    root_cause: str = Field(
        max_length=MOST_TEXT, description="The cause and why, with numbers; it names the service."
    )
    suggestion: str = Field(
        min_length=1, max_length=MOST_TEXT, description="What to do, one step a line, the most urgent first."
    )
    service: str = Field(
        max_length=500, description="Service of the cause, from root_causes; empty where there is none."
    )
    operation: str = Field(
        max_length=1000, description="Operation of the cause, from the same root cause; may be empty."
    )
    services: list[str] = Field(max_length=_MOST_NAMES, description="Every service that the texts name.")
    operations: list[str] = Field(max_length=_MOST_NAMES, description="Every operation that the texts name.")
    trace_ids: list[str] = Field(max_length=_MOST_NAMES, description="Every trace id that the texts name.")


def json_schema() -> dict[str, Any]:
    """Return the schema as strict structured outputs take it: every field required, no others, no lengths."""
    written = ModelAnswer.model_json_schema()
    properties: dict[str, Any] = {}
    for name, each in written["properties"].items():
        kind = {key: each[key] for key in ("type", "description")}
        properties[name] = kind | ({"items": {"type": "string"}} if kind["type"] == "array" else {})
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_answer(content: str) -> ModelAnswer:
    """Return the answer in a message; `NoAnswer` says what is wrong with it.

    Servers that cannot be held to a schema let models think aloud, fence JSON, or talk around it.
    """
    if not content.strip():
        raise NoAnswer(Outcome.MALFORMED, "the model answered nothing")
    said = _THOUGHTS.sub("", content)
    begin, end = said.find("{"), said.rfind("}")
    if begin < 0 or end < begin:
        raise NoAnswer(Outcome.MALFORMED, "the model's answer is no JSON object")
    try:
        return ModelAnswer.model_validate(json.loads(said[begin : end + 1]))
    except (ValueError, RecursionError) as wrong:
        raise NoAnswer(
            Outcome.MALFORMED, f"the model's answer is not what was asked for: {_told(wrong)}"
        ) from None


def _told(wrong: Exception) -> str:
    if isinstance(wrong, ValidationError):
        errors = wrong.errors(include_url=False, include_input=False)[:3]
        return "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in errors)
    return "it cannot be read as JSON" if isinstance(wrong, ValueError) else "it is nested too deeply"
