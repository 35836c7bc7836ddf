"""The text of an OTLP AnyValue, as it stands in a column.

Scalars stand as themselves, bytes in base64, arrays and key-value lists as JSON without spaces, an
empty value as the empty text. Numbers are written as the OpenTelemetry Collector writes them.
The native codec writes the same, to the byte.
"""

import base64
import json
import math
from collections.abc import Iterable
from decimal import Decimal

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_LAST_PLAIN_EXPONENT = 21
_FIRST_PLAIN_EXPONENT = -6


def text_of(value: AnyValue) -> str:
    """Return what a column holds for `value`."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "double_value":
            return double_text(value.double_value)
        case None | "string_value_strindex":
            return ""
        case _:
            return _json(value)


def attributes_of(attributes: Iterable[KeyValue]) -> list[tuple[str, str]]:
    """Return keys and texts, sorted by the keys' UTF-8 bytes; of duplicates, the last."""
    texts = {attribute.key: attribute.value for attribute in attributes}
    return [(key, text_of(texts[key])) for key in sorted(texts)]


def double_text(value: float) -> str:
    """Return the fewest digits that read back as `value`, in the form of ECMAScript's Number::toString.

    Unlike there, negative zero keeps its sign. Source: ECMA-262, 6.1.6.1.20.
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    negative, shortest, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101  (a finite number has one)
    digits = "".join(map(str, shortest))
    sign = "-" if negative else ""
    point = len(digits) + exponent
    if len(digits) <= point <= _LAST_PLAIN_EXPONENT:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= _LAST_PLAIN_EXPONENT:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if _FIRST_PLAIN_EXPONENT < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"


def _json(value: AnyValue) -> str:  # noqa: PLR0911  (a case a kind of value)
    """Return `value` as JSON; its depth is bounded by the parser's limit of 100 nested messages."""
    match value.WhichOneof("value"):
        case "string_value":
            return _quoted(value.string_value)
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "int_value":
            return str(value.int_value)
        case "double_value":
            number = double_text(value.double_value)
            return number if math.isfinite(value.double_value) else _quoted(number)
        case "bytes_value":
            return _quoted(base64.b64encode(value.bytes_value).decode())
        case "array_value":
            return f"[{','.join(map(_json, value.array_value.values))}]"
        case "kvlist_value":
            return _json_object(value.kvlist_value.values)
        case _:
            return "null"


def _json_object(members: Iterable[KeyValue]) -> str:
    values = {member.key: member.value for member in members}
    return "{" + ",".join(f"{_quoted(key)}:{_json(values[key])}" for key in sorted(values)) + "}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
