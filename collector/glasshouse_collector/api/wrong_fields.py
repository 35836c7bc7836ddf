"""What is wrong with a request's fields, in words: what was sent, and what would be right."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_ASKED: Final[dict[str, str]] = {}
"""What each pattern asks for, in words."""
_TYPES: Final = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "an object",
    "model_attributes": "an object",
    "model": "an object",
}
_BOUNDS: Final = {
    "greater_than_equal": ("ge", "{} or more"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "{} or less"),
    "less_than": ("lt", "less than {}"),
    "string_too_short": ("min_length", "at least {} characters"),
    "string_too_long": ("max_length", "at most {} characters"),
    "too_short": ("min_length", "at least {} of them"),
    "too_long": ("max_length", "at most {} of them"),
}
_OF_NUMBERS: Final = frozenset({"ge", "gt", "le", "lt"})
_FIXED: Final = {
    "missing": "a value is needed",
    "extra_forbidden": "there is no such field",
    "finite_number": "a number is expected, neither NaN nor an infinity",
}
_MOMENT: Final = "a time in RFC 3339 with its zone, such as 2026-11-21T12:00:00Z,"
_OF_A_UNION: Final = frozenset({"str", "int", "float", "bool"})
_SHOWN: Final = 40


def asks_for(words: str, pattern: str) -> str:
    """Return the pattern; who does not fit it is told, in these words, what is expected."""
    _ASKED[pattern] = words
    return pattern


def wrong_fields(errors: Sequence[Any]) -> list[str]:
    """Return a line for each wrong field of a request, from pydantic's errors."""
    told: dict[str, list[Any]] = {}
    for wrong in errors:
        told.setdefault(_field(wrong["loc"]), []).append(wrong)
    return [_line(field, wrong) for field, wrong in told.items()]


def _field(loc: Sequence[str | int]) -> str:
    """Return the field's name, without where it was sent and which kind of value was tried."""
    parts = list(loc[1:])
    if len(parts) > 1 and parts[-1] in _OF_A_UNION:
        parts.pop()
    return ".".join(str(part) for part in parts) or str(loc[0])


def _line(field: str, errors: Sequence[Mapping[str, Any]]) -> str:
    wrong = errors[0]
    if wrong["type"] == "json_invalid":
        return f"the body is no JSON: {wrong['ctx']['error']}"
    if wrong["type"] == "model_attributes_type" and wrong["loc"] == ("body",):
        return "the body should be a JSON object, sent with Content-Type: application/json"
    if len(errors) > 1 and all(each["loc"][-1] in _OF_A_UNION for each in errors):
        return f"{field}: {_one_of(_kinds(errors))} is expected{_instead(wrong)}"
    return f"{field}: {_why(wrong)}"


def _why(wrong: Mapping[str, Any]) -> str:
    kind, context = wrong["type"], wrong.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _FIXED:
        return _FIXED[kind]
    if kind in _BOUNDS:
        return _bound(wrong)
    if kind in {"enum", "literal_error"}:  # pydantic lists them as 'a', 'b' or 'c'
        expected = f"one of {context['expected'].replace(chr(39), '')}"
    elif kind == "string_pattern_mismatch":
        return f"{_ASKED.get(context['pattern'], 'another form')} is expected"  # what was sent may be a key
    elif kind.startswith(("datetime", "timezone")):
        expected = _MOMENT
    else:
        expected = _TYPES.get(kind.rpartition("_")[0], "")
    return f"{expected} is expected{_instead(wrong)}" if expected else str(wrong["msg"])


def _bound(wrong: Mapping[str, Any]) -> str:
    name, words = _BOUNDS[wrong["type"]]
    most = wrong["ctx"][name]
    words = words.format(f"{most:g}" if isinstance(most, float) else most).removesuffix(
        "s" if most == 1 and "character" in words else ""
    )
    return f"{words} {'is' if name in _OF_NUMBERS else 'are'} expected{_instead(wrong)}"


def _kinds(errors: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(_TYPES.get(each["type"].rpartition("_")[0], "") for each in errors))


def _one_of(words: Sequence[str]) -> str:
    found = [word for word in words if word]
    return f"{', '.join(found[:-1])} or {found[-1]}" if len(found) > 1 else "".join(found)


def _instead(wrong: Mapping[str, Any]) -> str:
    """Return what was sent, where it is short; never what could be a key."""
    shown = repr(wrong.get("input"))
    return f", not {shown}" if len(shown) <= _SHOWN else ""
