"""The items of a body, as older clients send them."""

import json
from collections.abc import Sequence
from typing import Any, Final

import orjson

from glasshouse_collector.core.errors import GlasshouseError

MOST_ITEMS: Final = 1000
"""Items of one request."""
_TOLD: Final = 200


class Malformed(GlasshouseError):
    """A body that holds no items: says what is wrong with it, and what would be right."""


class TooMany(GlasshouseError):
    """A body of more items than one request may have."""


def read_items(body: bytes, *, lines: bool = False) -> Sequence[Any]:
    """Return the items of a JSON list, of the list `logs` in an object, or with `lines` of JSON lines.

    Raises `Malformed`, `TooMany`.
    """
    if lines:
        written = [line for line in body.split(b"\n") if line.strip()]
        _check_count(len(written))
        return [_parsed(line, f"line {number}") for number, line in enumerate(written, 1)]
    parsed = _parsed(body, "the body")
    items = parsed.get("logs") if isinstance(parsed, dict) else parsed
    if not isinstance(items, list):
        raise Malformed('the body should be a JSON list of log items, or an object {"logs": [...]}')
    _check_count(len(items))
    return items


def _check_count(count: int) -> None:
    if count > MOST_ITEMS:
        raise TooMany(f"logs: {count:,} items in one request; send up to {MOST_ITEMS:,} at once")


def _parsed(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _parsed_as_python_writes(text, what)


def _parsed_as_python_writes(text: bytes, what: str) -> Any:
    """Read what Python's own `json` makes of NaN, of infinities and of text that is no Unicode."""
    try:
        return _without_surrogates(json.loads(text))
    except RecursionError:
        raise Malformed(f"{what} is JSON too deep to read") from None
    except ValueError as wrong:
        raise Malformed(f"{what} is no JSON: {str(wrong)[:_TOLD]}") from None


def _without_surrogates(value: Any) -> Any:
    """Return the value with half characters (surrogates), which UTF-8 has no bytes for, as U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value
