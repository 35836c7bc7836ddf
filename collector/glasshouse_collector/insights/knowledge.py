"""What is known of incidents: patterns and what to do about them, read from `knowledge.yaml`.

A pattern is data: what it is told by, and what to do. `docs/insights-patterns.md` says how to add one.
Regular expressions are RE2's, which take time linear in the text: what they are held against is what
strangers log.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.redaction import Re2Pattern
from glasshouse_collector.insights.findings import FaultKind

BUILT_IN: Final = Path(__file__).with_name("knowledge.yaml")
_MOST_FILE: Final = 1 << 20
_MOST_TEXTS: Final = 1000
_MOST_TEXT: Final = 2000
_BY_KIND, _BY_CAUSE, _BY_VAGUE_KIND, _BY_OTHERS, _BY_COUNT = 4.0, 3.0, 2.0, 1.0, 0.5
"""What the cause itself shows counts more than what else went wrong, and a number alone least."""
_VAGUE: Final = frozenset({FaultKind.EXCEPTION, FaultKind.DEPENDENCY_ERROR, FaultKind.UNKNOWN})
"""Kinds that say that something fails, but not how: there messages say more."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class When(_Section):
    """What tells a pattern: any of these; `count_over` alone, or besides one of the others."""

    messages: tuple[Re2Pattern, ...] = Field(
        (), description="in messages of errors, and templates of log records"
    )
    exceptions: tuple[Re2Pattern, ...] = Field((), description="in types of exceptions")
    kinds: tuple[FaultKind, ...] = Field((), description="what the analysis takes the fault for")
    metrics: tuple[Re2Pattern, ...] = Field((), description="in names of metrics among the evidence")
    count_over: int | None = Field(None, ge=0, description="one error came more often than this")

    @model_validator(mode="after")
    def _tells_something(self) -> Self:
        if not (
            self.messages or self.exceptions or self.kinds or self.metrics or self.count_over is not None
        ):
            raise ValueError("messages, exceptions, kinds, metrics or count_over is needed")
        return self


class KnownPattern(_Section):
    """One kind of incident, as it shows, and what to do about it."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{1,40}$")
    title: str = Field(min_length=3, max_length=120)
    when: When
    suggestion: Annotated[
        tuple[Annotated[str, Field(min_length=3, max_length=500)], ...], Field(min_length=1)
    ]
    attributes: tuple[str, ...] = Field((), description="attributes of OpenTelemetry that say more")
    links: tuple[Annotated[str, Field(pattern=r"^https://\S+$")], ...] = Field(
        (), description="what explains these"
    )


class _KnowledgeFile(_Section):
    patterns: tuple[KnownPattern, ...]

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if not self.patterns:
            raise ValueError("at least one pattern is expected below patterns:")
        twice = [name for name, count in Counter(each.id for each in self.patterns).items() if count > 1]
        if twice:
            raise ValueError(f"the id {twice[0]} is there twice; each needs one of its own")
        return self


@dataclass(frozen=True, slots=True)
class Symptoms:
    """What an incident shows, of the cause itself and of others: what patterns are held against.

    `most_frequent` is how often the most frequent error came.
    """

    kinds: Sequence[FaultKind] = ()
    messages: Sequence[str] = ()
    exceptions: Sequence[str] = ()
    metrics: Sequence[str] = ()
    other_messages: Sequence[str] = ()
    other_exceptions: Sequence[str] = ()
    most_frequent: int = 0


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Patterns, in the order of their file."""

    patterns: tuple[KnownPattern, ...] = field(default_factory=tuple)

    def fitting(self, symptoms: Symptoms) -> list[KnownPattern]:
        """Return the patterns that fit, the best first; of equals the one that stands first."""
        scored = [(self._score(pattern.when, symptoms), pattern) for pattern in self.patterns]
        return [pattern for score, pattern in sorted(scored, key=lambda each: -each[0]) if score > 0]

    @staticmethod
    def _score(when: When, symptoms: Symptoms) -> float:
        fitting = set(when.kinds) & set(symptoms.kinds)
        # A metric that rose beside slow code is no reason to go by what helps where memory leaks.
        metrics = symptoms.metrics if fitting or not (when.kinds and symptoms.kinds) else ()
        by_text = (
            _BY_CAUSE * _any(when.messages, symptoms.messages)
            + _BY_CAUSE * _any(when.exceptions, symptoms.exceptions)
            + _BY_CAUSE * _any(when.metrics, metrics)
            + _BY_OTHERS * _any(when.messages, symptoms.other_messages)
            + _BY_OTHERS * _any(when.exceptions, symptoms.other_exceptions)
        )
        by_kind = (_BY_KIND if fitting - _VAGUE else _BY_VAGUE_KIND) if fitting else 0.0
        score = by_text + by_kind
        if when.count_over is None:
            return score
        if symptoms.most_frequent <= when.count_over:
            return 0.0
        alone = not (when.messages or when.exceptions or when.kinds or when.metrics)
        return score + _BY_COUNT if score or alone else 0.0


def _any(patterns: Sequence[str], texts: Iterable[str]) -> bool:
    """Tell whether one of the patterns is found in one of the texts."""
    looked_at = list(dict.fromkeys(text[:_MOST_TEXT] for text in texts if text))[:_MOST_TEXTS]
    if not patterns or not looked_at:
        return False
    array = pa.array(looked_at, pa.string())
    return any(bool(pc.any(pc.match_substring_regex(array, pattern)).as_py()) for pattern in patterns)


@cache
def load_knowledge(own: Path | None = None) -> Knowledge:
    """Return what is built in, and what the user's own file adds.

    A pattern of the user's takes the place of a built-in one of the same id, and stands before the
    others. Files are read once. `ConfigurationError` says what is wrong with one, a line each.
    """
    built_in = _read(BUILT_IN)
    if own is None:
        return Knowledge(built_in)
    users = _read(own)
    replaced = {pattern.id for pattern in users}
    return Knowledge(users + tuple(pattern for pattern in built_in if pattern.id not in replaced))


def _read(path: Path) -> tuple[KnownPattern, ...]:
    try:
        if path.stat().st_size > _MOST_FILE:
            raise ConfigurationError(f"knowledge_file: {path}: larger than {_MOST_FILE} bytes")
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as unreadable:
        raise ConfigurationError(f"knowledge_file: {path}: {unreadable.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as unreadable:
        raise ConfigurationError(f"knowledge_file: {path}: {' '.join(str(unreadable).split())}") from None
    if not isinstance(written, dict):
        raise ConfigurationError(f"knowledge_file: {path}: patterns: is expected, with a list below it")
    try:
        return _KnowledgeFile.model_validate(written).patterns
    except ValidationError as invalid:
        told = (_mistake(dict(error), written) for error in invalid.errors())
        raise ConfigurationError("\n".join(f"knowledge_file: {path}: {line}" for line in told)) from None


def _mistake(error: dict[str, Any], written: dict[str, Any]) -> str:
    """Return one mistake in words, at its pattern: `pattern 1 (own): titel: no such setting`."""
    where = [str(part) for part in error["loc"]]
    if where[:1] == ["patterns"] and len(where) > 1:
        pattern = written["patterns"][error["loc"][1]]
        name = f" ({pattern['id']})" if isinstance(pattern, dict) and "id" in pattern else ""
        where = [f"pattern {error['loc'][1] + 1}{name}", ".".join(where[2:])]
    elif where == ["patterns"] and error["type"] == "missing":
        return "patterns: is expected, with a list below it"
    return ": ".join(filter(None, [*where, _expected(error)]))


def _expected(error: dict[str, Any]) -> str:
    """Return what is wrong with a value, and what would be right."""
    bounds, given = error.get("ctx", {}), repr(error["input"])
    expected = {
        "extra_forbidden": "no such setting",
        "missing": "a value is needed",
        "string_too_short": f"{given}: at least {bounds.get('min_length')} characters are expected",
        "string_too_long": f"at most {bounds.get('max_length')} characters are expected",
        "string_pattern_mismatch": f"{given}: a text that matches {bounds.get('pattern')} is expected",
        "string_type": f"{given}: a text is expected",
        "enum": f"{given}: {bounds.get('expected')} is expected",
        "too_short": "at least one line is expected",
        "tuple_type": "a list is expected",
        "model_type": "settings with their values are expected",
    }
    if error["type"] in expected:
        return expected[error["type"]]
    told = str(error["msg"])
    if error["type"] != "value_error":
        return f"{given}: {told.replace('Input should be ', '').replace('valid ', '')} is expected"
    told = told.removeprefix("Value error, ")
    return told if isinstance(error["input"], dict) else f"{told} (got {given})"
