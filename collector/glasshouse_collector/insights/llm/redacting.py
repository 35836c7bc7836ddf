"""Hides what must not leave this machine: by the rules of the redact processor, and stricter ones."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from glasshouse_collector.core.redaction import (
    EMAIL,
    NAMES_OF_SECRETS,
    REDACTED,
    RULES,
    Rule,
    without_cards,
)

_STRICTER: Final = (
    EMAIL,
    Rule(r"(https?://[^\s\"'<>?]*)\?[^\s\"'<>]*", rf"\1?{REDACTED}", ()),  # queries of addresses
    Rule(r"\b[A-Za-z0-9_\-+/]{40,}={0,2}", REDACTED, ()),  # tokens of no known form; ids of traces have 32
    Rule(r"(?i)\b(set-)?cookie:[^\r\n]*", f"cookie: {REDACTED}", ()),
    Rule(r"(?i)\b(x-api-key|authorization):[^\r\n]*", rf"\1: {REDACTED}", ()),
)


def redacted(value: Any, own: Sequence[str] = ()) -> Any:
    """Return a value of JSON with secrets hidden, in keys of objects as little as anywhere.

    Values of keys that name secrets are hidden whole. `own` are RE2 patterns of the user's.
    """
    texts: dict[str, str] = {}
    _gather(value, texts)
    if not texts:
        return value
    hidden = _hidden(pa.array(list(texts), pa.string()), own)
    named = pc.match_substring_regex(pa.array(list(texts), pa.string()), NAMES_OF_SECRETS).to_pylist()
    replaced = dict(zip(texts, hidden, strict=True))
    secret = {text for text, is_secret in zip(texts, named, strict=True) if is_secret}
    return _rebuilt(value, replaced, secret)


def _gather(value: Any, into: dict[str, str]) -> None:
    if isinstance(value, str):
        into[value] = value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            into[key] = key
            _gather(each, into)
    elif isinstance(value, Sequence):
        for each in value:
            _gather(each, into)


def _hidden(texts: Any, own: Sequence[str]) -> list[str]:
    rules = [*((rule.pattern, rule.replacement) for rule in (*RULES.values(), *_STRICTER))]
    for pattern, replacement in [*rules, *((pattern, REDACTED) for pattern in own)]:
        texts = pc.replace_substring_regex(texts, pattern, replacement)
    return [without_cards(text) for text in texts.to_pylist()]


def _rebuilt(value: Any, replaced: Mapping[str, str], secret: set[str]) -> Any:
    if isinstance(value, str):
        return replaced[value]
    if isinstance(value, Mapping):
        return {
            replaced[key]: REDACTED if key in secret and each else _rebuilt(each, replaced, secret)
            for key, each in value.items()
        }
    if isinstance(value, Sequence):
        return [_rebuilt(each, replaced, secret) for each in value]
    return value
