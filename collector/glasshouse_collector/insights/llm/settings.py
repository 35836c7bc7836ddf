"""Which language model is asked, how, and how much of it."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from glasshouse_collector.core.components import ComponentConfig
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.redaction import Re2Pattern

MOST_TOOL_CALLS = 6

StructuredOutput = Literal["auto", "json_schema", "json_object", "none"]


class LlmConfig(ComponentConfig):
    """A server that speaks OpenAI's chat completions. Without a key it is asked without one."""

    base_url: str = Field(
        "https://api.openai.com/v1", description="the server; Ollama's is http://localhost:11434/v1"
    )
    model: str = Field(min_length=1, max_length=200, description="as the server names it")
    api_key: SecretStr | None = Field(None, description="the server's key")
    api_key_file: Path | None = Field(None, description="a file that holds it alone, read at each question")
    timeout_seconds: float = Field(60, gt=0, le=600, description="for the whole answer, tools included")
    max_input_tokens: int = Field(12_000, ge=1000, le=1_000_000, description="of one question, estimated")
    max_output_tokens: int = Field(2000, ge=200, le=100_000, description="of one answer")
    max_tokens_per_day: int = Field(
        500_000, ge=0, description="in and out, of this collector, by UTC day; above it rules answer alone"
    )
    temperature: float = Field(0, ge=0, le=2, description="0: the same evidence, the same words")
    structured_output: StructuredOutput = Field(
        "auto", description="what the server can be held to; auto: tried from json_schema downwards"
    )
    tool_calls: int = Field(
        MOST_TOOL_CALLS, ge=0, le=MOST_TOOL_CALLS, description="questions it may ask in a deep analysis"
    )
    redact: tuple[Re2Pattern, ...] = Field(
        (), description="more texts that must not leave this machine (RE2)"
    )

    @field_validator("base_url")
    @classmethod
    def _is_a_server(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("an http or https address is expected, such as http://localhost:11434/v1")
        if parts.username or parts.password:
            raise ValueError("no user or password in it; the key goes into api_key or api_key_file")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.api_key is not None and self.api_key_file is not None:
            raise ValueError("api_key and api_key_file are both set; one of them is enough")
        return self

    def key(self) -> str:
        """Return the key, empty where none is set; `ConfigurationError` where its file is of no use."""
        if self.api_key is not None:
            return self.api_key.get_secret_value().strip()
        if self.api_key_file is None:
            return ""
        try:
            key = self.api_key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as unreadable:
            reason = unreadable.strerror if isinstance(unreadable, OSError) else "no text"
            raise ConfigurationError(f"llm.api_key_file: {self.api_key_file}: {reason}") from None
        if not key or "\n" in key:
            raise ConfigurationError(
                f"llm.api_key_file: {self.api_key_file}: one line with the key is expected"
            )
        return key
