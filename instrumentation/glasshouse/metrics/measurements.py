"""What is measured, made fit for the SDK: any number, any attributes."""

import math
from collections.abc import Mapping
from operator import index
from typing import SupportsFloat, SupportsIndex, cast

from opentelemetry.util.types import AttributeValue

from glasshouse.attributes import LONGEST_TEXT, MOST_ATTRIBUTES
from glasshouse.attributes import attributes as safe_attributes

Number = SupportsFloat | SupportsIndex
Given = Mapping[str, object] | None

# Sums of larger integers leave the 64 bits of OTLP, which would refuse the whole batch; floats do not.
_LARGEST_INTEGER = 1 << 53


def number(value: Number) -> int | float:
    """Return an int or float for any number (Decimal, Fraction, numpy, bool …).

    TypeError for what is no number; ValueError where it is infinite, not a number, or too large.
    """
    kind = type(value)
    # Nearly all are one of these; to ask a protocol costs more than a microsecond.
    if (kind is float and math.isfinite(value)) or (kind is int and abs(value) <= _LARGEST_INTEGER):  # type: ignore[arg-type]
        return value  # type: ignore[return-value]
    if isinstance(value, str | bytes | bytearray):
        raise TypeError(f"a measurement should be a number, not {type(value).__name__}")
    if isinstance(value, SupportsIndex):
        whole = index(value)
        if abs(whole) <= _LARGEST_INTEGER:
            return whole
    try:
        real = float(value)
    except OverflowError:
        real = math.inf
    if not math.isfinite(real):
        raise ValueError(f"a measurement should be finite, not {real}")
    return real


def not_negative(value: Number) -> int | float:
    """Return an int or float; as `number`, and ValueError where it is below 0."""
    result = number(value)
    if result < 0:
        raise ValueError(f"a measurement of a counter or histogram should be 0 or more, not {result}")
    return result


def attributes(given: Given, more: Mapping[str, object]) -> Mapping[str, AttributeValue]:
    """Return attributes given by mapping and by keyword as all of the SDK has them (`user_id`: `user.id`)."""
    merged = {**given, **more} if given else more
    # Nearly all are plain; to convert them again costs as much as the measurement itself.
    if len(merged) <= MOST_ATTRIBUTES and all(_plain(name, value) for name, value in merged.items()):
        return cast("Mapping[str, AttributeValue]", merged)
    return safe_attributes(merged)


def _plain(name: str, value: object) -> bool:
    kind = type(value)
    if kind is str:
        right = len(cast("str", value)) <= LONGEST_TEXT and cast("str", value).isascii()
    elif kind is int:
        right = abs(cast("int", value)) <= _LARGEST_INTEGER
    else:
        right = kind is bool or kind is float
    return right and type(name) is str and name.isascii() and not name.endswith("_id")
