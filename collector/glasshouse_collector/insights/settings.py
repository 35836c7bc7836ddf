"""What a user may set of insights."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import ByteSize, Field, SecretStr, field_validator

from glasshouse_collector.core.components import ComponentConfig
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.insights.knowledge import Knowledge, load_knowledge
from glasshouse_collector.insights.llm.settings import LlmConfig
from glasshouse_collector.store import QueryLimits

_ROWS: Final = 5_000_000
_BACKGROUND: Final = 10
"""Priority of the job's queries; what people ask has 1."""


class InsightsConfig(ComponentConfig):
    """The job that finds incidents, and the model that may put them into words."""

    enabled: bool = Field(True, description="look for incidents; questions are answered either way")
    interval_seconds: float = Field(60, ge=1, le=3600, description="how often to look")
    settle_seconds: float = Field(
        20, ge=0, le=600, description="how long a minute's records are waited for before it is judged"
    )
    projects: tuple[str, ...] = Field(
        (), max_length=1000, description="which to look at; unset: all but _self, the collector's own"
    )
    alertmanager_url: str = Field("", description="where alerts go, such as http://alertmanager:9093")
    alertmanager_token: SecretStr | None = Field(
        None, description="sent to Alertmanager as Authorization: Bearer"
    )
    query_seconds: float = Field(30, gt=0, le=600, description="time of one query of the job")
    query_memory: ByteSize = Field(ByteSize(1 << 30), ge=1 << 26, description="memory of one query")
    knowledge_file: Path | None = Field(
        None, description="patterns of your own and what to do about them, beside those that are built in"
    )
    llm: LlmConfig | None = Field(None, description="a language model for GET /api/v1/insights; unset: none")

    @field_validator("alertmanager_url")
    @classmethod
    def _is_a_server(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("an http or https address is expected, such as http://alertmanager:9093")
        if parts.username or parts.password:
            raise ValueError("no user or password in it; a token goes into alertmanager_token")
        return url.rstrip("/")

    @field_validator("knowledge_file")
    @classmethod
    def _holds_patterns(cls, path: Path | None) -> Path | None:
        try:
            load_knowledge(path)
        except ConfigurationError as wrong:  # no ValueError: each of its lines names the file and the field
            lines = (f"extensions.insights.{line}" for line in str(wrong).splitlines())
            raise ConfigurationError("\n".join(lines)) from None
        return path

    @field_validator("llm")
    @classmethod
    def _key_is_there(cls, llm: LlmConfig | None) -> LlmConfig | None:
        if llm is not None and llm.api_key_file is not None and not llm.api_key_file.is_file():
            raise ConfigurationError(
                f"extensions.insights.llm.api_key_file: {llm.api_key_file}: there is no such file; "
                "one that holds the key alone is expected"
            )
        return llm

    @property
    def knowledge(self) -> Knowledge:
        """What is known to help: of the user's file and built in."""
        return load_knowledge(self.knowledge_file)

    @property
    def limits(self) -> QueryLimits:
        """What one query of the job may use: a thread, behind whatever people ask."""
        return QueryLimits(
            seconds=self.query_seconds,
            rows=_ROWS,
            memory=int(self.query_memory),
            threads=1,
            priority=_BACKGROUND,
        )
