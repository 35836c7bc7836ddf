"""What applications pass as attributes, made into what every exporter accepts."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any

from opentelemetry.util.types import AttributeValue

LONGEST_TEXT = 16_384
MOST_ATTRIBUTES = 64
_MOST_ELEMENTS = 256
_DEEPEST = 4
_PLAIN = frozenset({bool, float})
_SCALAR = frozenset({str, int, bool, float})


def attribute_name(name: str) -> str:
    """Return the attribute that a Python name stands for: a trailing `_id` becomes `.id`, as in `user.id`."""
    if name.endswith("_id") and len(name) > len("_id"):
        return f"{name[:-3]}.id"
    return name


def attributes(given: Mapping[str, object]) -> dict[str, AttributeValue]:
    """Return what was given under attribute names, at most 64 of them.

    None is left out, mappings are flattened (`{"card": {"kind": "visa"}}` gives `card.kind`), and what is
    neither a plain value nor a sequence of such becomes text. `glasshouse.dropped_attributes` says how many
    more there were.
    """
    converted: dict[str, AttributeValue] = {}
    dropped = _add(given, converted, "", 0)
    if dropped:
        converted["glasshouse.dropped_attributes"] = dropped
    return converted


def attribute_value(value: Any) -> AttributeValue:
    """Return a value that can be encoded: text of up to 16,384 characters, integers of up to 64 bits."""
    kind = type(value)
    if kind is str:
        return text(value)
    if kind in _PLAIN:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return value if -(1 << 63) <= value < 1 << 63 else text(value)
    if isinstance(value, Enum):
        return attribute_value(value.value)
    if isinstance(value, list | tuple | set | frozenset):
        return _sequence(list(value)[:_MOST_ELEMENTS])
    return text(value)


def text(value: object, longest: int = LONGEST_TEXT) -> str:
    """Return a value as text that is valid UTF-8 and at most so many characters long; never raises."""
    if type(value) is str and len(value) <= longest and value.isascii():
        return value
    try:
        written = value if isinstance(value, str) else _written(value)
        written = written[:longest]
        written.encode()
    except UnicodeEncodeError:
        return written.encode("utf-8", "replace").decode()
    except Exception:  # noqa: BLE001 - an application's __str__ may raise anything
        return f"<{type(value).__name__} that cannot be shown>"
    return str(written)


def _written(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return bytes(value[:LONGEST_TEXT]).decode("utf-8", "backslashreplace")
    return str(value)


def _sequence(elements: Sequence[object]) -> AttributeValue:
    # Arrays hold one type; OpenTelemetry would drop a mixed one.
    converted = [attribute_value(each) for each in elements if each is not None]
    kinds = {type(each) for each in converted}
    if len(kinds) == 1 and kinds <= {bool, int, float, str}:
        return converted
    return [text(each) for each in converted]


def _add(given: Mapping[str, object], converted: dict[str, AttributeValue], prefix: str, depth: int) -> int:
    dropped = 0
    for name, value in given.items():
        if value is None:
            continue
        if type(value) not in _SCALAR and isinstance(value, Mapping) and depth < _DEEPEST:
            dropped += _add(value, converted, f"{prefix}{text(name)}.", depth + 1)
        elif len(converted) < MOST_ATTRIBUTES:
            converted[attribute_name(prefix + text(name))] = attribute_value(value)
        else:
            dropped += 1
    return dropped
