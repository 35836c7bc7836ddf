"""Settings of the model: a wrong one says which, and what would be right."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.registry import describe
from glasshouse_collector.insights.knowledge import load_knowledge
from glasshouse_collector.insights.llm.settings import LlmConfig
from glasshouse_collector.insights.settings import InsightsConfig


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({}, "llm.model: a value is needed"),
        ({"model": ""}, "llm.model: String should have at least 1 character"),
        ({"base_url": "localhost:11434"}, "llm.base_url: an http or https address is expected"),
        ({"base_url": "ftp://x/v1"}, "llm.base_url: an http or https address is expected"),
        ({"base_url": "https://a:b@x/v1"}, "llm.base_url: no user or password in it"),
        ({"api_key": "a", "api_key_file": "b"}, "llm: api_key and api_key_file are both set"),
        ({"timeout_seconds": 0}, "llm.timeout_seconds: Input should be greater than 0"),
        ({"tool_calls": 7}, "llm.tool_calls: Input should be less than or equal to 6"),
        ({"structured_output": "xml"}, "llm.structured_output: Input should be 'auto', 'json_schema'"),
        ({"redact": ["(a"]}, "llm.redact.0: no RE2 pattern"),
        ({"redact": ["(?=a)"]}, "llm.redact.0: no RE2 pattern"),
        ({"temprature": 1}, "llm.temprature: no such setting"),
    ],
)
def test_a_wrong_setting_is_named(written: dict[str, Any], said: str) -> None:
    """On one line, without secrets."""
    with pytest.raises(ValidationError) as wrong:
        LlmConfig.model_validate({} if not written else {"model": "m", **written})
    told = describe(wrong.value, "llm")
    assert told.startswith(said)
    assert "\n" not in told
    assert "a:b@" not in told


def test_variables_write_numbers_as_text() -> None:
    """As `GLASSHOUSE_EXTENSIONS__INSIGHTS__LLM__…` gives them."""
    config = LlmConfig.model_validate(
        {"model": "m", "timeout_seconds": "5", "tool_calls": "2", "base_url": "http://x:1/v1/"}
    )
    assert (config.timeout_seconds, config.tool_calls, config.base_url) == (5, 2, "http://x:1/v1")


def test_a_key_is_masked_wherever_settings_are_shown() -> None:
    """As every secret is."""
    config = LlmConfig.model_validate({"model": "m", "api_key": "sk-mine"})
    assert "sk-mine" not in repr(config) + str(config.model_dump(mode="json"))
    assert config.key() == "sk-mine"


def test_a_key_of_a_file_is_read_at_each_question(tmp_path: Path) -> None:
    """So that it can be changed."""
    file = tmp_path / "key"
    config = LlmConfig(model="m", api_key_file=file)
    for key in ("one", "two"):
        file.write_text(f"{key}\n")
        assert config.key() == key
    assert LlmConfig(model="m").key() == ""


def test_patterns_of_ones_own_are_checked_with_the_settings(tmp_path: Path) -> None:
    """So that a wrong file ends the start, with its field; a good one is what explanations go by."""
    own = tmp_path / "own.yaml"
    own.write_text("patterns: [{id: own, when: {messages: ['(a']}, suggestion: [Wait.]}]")
    with pytest.raises(ConfigurationError) as wrong:
        InsightsConfig(knowledge_file=own)
    at = f"extensions.insights.knowledge_file: {own}: pattern 1 (own): "
    title, messages = str(wrong.value).splitlines()
    assert messages.startswith(f"{at}when.messages.0: no RE2 pattern")
    assert title == f"{at}title: a value is needed"
    good = tmp_path / "good.yaml"
    good.write_text("patterns: [{id: own, title: Mine, when: {messages: [a]}, suggestion: [Wait.]}]")
    assert InsightsConfig(knowledge_file=good).knowledge.patterns[0].id == "own"
    assert InsightsConfig().knowledge == load_knowledge()


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """At the start, not at the first question."""
    missing = tmp_path / "none"
    with pytest.raises(ConfigurationError, match=f"llm.api_key_file: {missing}: there is no such file"):
        InsightsConfig.model_validate({"llm": {"model": "m", "api_key_file": missing}})
