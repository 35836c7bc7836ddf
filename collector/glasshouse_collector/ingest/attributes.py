"""JSON values as OTLP attributes."""

import json
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_MOST_LEVELS: Final = 16
"""Levels of nesting kept as they are; what lies deeper is JSON text. Protobuf decoders take some 30."""
_LEAST_INTEGER, _MOST_INTEGER = -(1 << 63), (1 << 63) - 1


def attributes(fields: Mapping[str, Any]) -> list[KeyValue]:
    """Return the fields that say something: neither None nor the empty text."""
    return [
        KeyValue(key=key, value=any_value(value))
        for key, value in fields.items()
        if key and value is not None and value != ""
    ]


def beside(own: Mapping[str, Any], given: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return an item's own fields and what its sender added; of the same name, that gets the prefix."""
    said = {key: value for key, value in own.items() if value != ""}
    return {key if key not in said else f"{prefix}.{key}": value for key, value in given.items()} | said


def any_value(value: object, level: int = 0) -> AnyValue:  # noqa: PLR0911  (a case a kind of value)
    """Return a JSON value; an integer beyond 64 bits is text."""
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int() if _LEAST_INTEGER <= value <= _MOST_INTEGER:
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case list() | dict() if level < _MOST_LEVELS:
            return _nested(value, level + 1)
        case str():
            return AnyValue(string_value=value)
    return AnyValue(string_value=json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _nested(value: list[Any] | dict[str, Any], level: int) -> AnyValue:
    found = AnyValue()
    if isinstance(value, list):
        found.array_value.SetInParent()
        found.array_value.values.extend(any_value(each, level) for each in value)
    else:
        found.kvlist_value.SetInParent()
        found.kvlist_value.values.extend(
            KeyValue(key=key, value=any_value(each, level)) for key, each in value.items()
        )
    return found
