"""Hides secrets: by the attribute's key, and by what a value looks like."""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from glasshouse_collector.core.batch import Batch
from glasshouse_collector.core.components import ComponentConfig, Services
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.redaction import (
    CARD,
    EMAIL,
    NAMES_OF_SECRETS,
    REDACTED,
    RULES,
    Re2Pattern,
    Rule,
    without_cards,
)
from glasshouse_collector.pipeline.columns import change_texts, change_values, on_distinct
from glasshouse_collector.pipeline.processors.screening import Indices, best_screen

_CARD_CHARACTERS, _SHORTEST_CARD = b"0123456789 -", 13


class RedactConfig(ComponentConfig):
    """What is hidden besides the built-in rules."""

    keys: tuple[Re2Pattern, ...] = Field((), description="more attribute keys whose values are hidden (RE2)")
    patterns: tuple[Re2Pattern, ...] = Field((), description="more texts to hide wherever they stand (RE2)")
    allow_keys: tuple[str, ...] = Field((), description="exact attribute keys that are never hidden by name")
    secrets: bool = Field(True, description="hide passwords, tokens, keys and authorization headers")
    cards: bool = Field(True, description="hide payment card numbers (checked by the Luhn digit)")
    emails: bool = Field(False, description="hide e-mail addresses")


class RedactProcessor:
    """Replaces secrets in attribute values, log bodies, messages and names.

    A pure function of the batch; counts `glasshouse_redacted_values_total` by rule. Patterns are
    RE2, which takes time linear in the text whatever the pattern.
    """

    Config: ClassVar[type[ComponentConfig]] = RedactConfig

    def __init__(self, config: RedactConfig, services: Services) -> None:
        self._config = config
        self._redacted = services.get(Metrics).redacted_values
        self._keys = "|".join(f"(?:{key})" for key in self._key_patterns())
        self._rules = self._value_rules()
        exact = [rule.pattern for rule in self._rules.values()] + ([CARD] if config.cards else [])
        self._exact = "|".join(f"(?:{pattern})" for pattern in exact)
        # What a user's own pattern holds is not known, so with one every value is looked at closely.
        hints = [hint for rule in self._rules.values() for hint in rule.hints]
        run = _SHORTEST_CARD if config.cards else 0
        self._screen = None if config.patterns else best_screen(hints, _CARD_CHARACTERS, run)

    def _key_patterns(self) -> tuple[str, ...]:
        return ((NAMES_OF_SECRETS,) if self._config.secrets else ()) + self._config.keys

    def _value_rules(self) -> dict[str, Rule]:
        rules = dict(RULES) if self._config.secrets else {}
        if self._config.emails:
            rules["email"] = EMAIL
        return rules | {
            f"pattern_{i}": Rule(own, REDACTED, ()) for i, own in enumerate(self._config.patterns)
        }

    def process(self, batch: Batch) -> Batch:
        """Return the batch without the secrets."""
        records = change_values(
            batch.records,
            lambda keys, values: self._by_value(batch.signal, self._by_key(batch.signal, keys, values)),
        )
        texts = ("Body", "StatusMessage", "SpanName", "EventName")
        return batch.with_records(
            change_texts(records, texts, lambda _name, column: self._by_value(batch.signal, column))
        )

    def _by_key(self, signal: str, keys: Any, values: Any) -> Any:
        if not self._keys or not len(keys):
            return values
        names = keys.dictionary
        secret = pc.match_substring_regex(names, self._keys)
        if self._config.allow_keys:
            secret = pc.and_not(secret, pc.is_in(names, pa.array(self._config.allow_keys, pa.string())))
        if not pc.any(secret).as_py():
            return values
        hidden = secret.take(keys.indices)
        count = pc.sum(hidden).as_py() or 0
        if not count:
            return values
        self._redacted.labels(signal, "key").inc(count)
        replaced = pc.if_else(hidden, REDACTED, values.cast(pa.string()))
        return replaced.dictionary_encode() if pa.types.is_dictionary(values.type) else replaced

    def _by_value(self, signal: str, values: Any) -> Any:
        return on_distinct(values, lambda texts: self._replaced(signal, texts)) if self._exact else values

    def _replaced(self, signal: str, texts: Any) -> Any:
        suspects = self._suspects(texts)
        if not len(suspects):
            return texts
        found = texts.take(pa.array(suspects))
        replaced = found
        for name, rule in self._rules.items():
            after = pc.replace_substring_regex(replaced, rule.pattern, rule.replacement)
            self._count(signal, name, replaced, after)
            replaced = after
        if self._config.cards:
            after = pa.array([without_cards(text) for text in replaced.to_pylist()], pa.string())
            self._count(signal, "card", replaced, after)
            replaced = after
        if replaced.equals(found):
            return texts
        mask = np.zeros(len(texts), dtype=bool)
        mask[suspects] = True
        return pc.replace_with_mask(texts, pa.array(mask), replaced)

    def _count(self, signal: str, rule: str, before: Any, after: Any) -> None:
        changed = pc.sum(pc.not_equal(before, after)).as_py()
        if changed:
            self._redacted.labels(signal, rule).inc(changed)

    def _suspects(self, texts: Any) -> Indices:
        """Return the indices of the values that some rule matches."""
        if self._screen is None:
            return np.flatnonzero(np.asarray(pc.match_substring_regex(texts, self._exact)))
        found = self._screen.suspects(texts)
        if not len(found):
            return found
        closer: Indices = np.flatnonzero(
            np.asarray(pc.match_substring_regex(texts.take(pa.array(found)), self._exact))
        )
        return found.take(closer)
