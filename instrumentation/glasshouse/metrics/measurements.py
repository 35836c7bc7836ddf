"""What is measured, made fit for the SDK: any number, any attributes."""

import math
from collections.abc import Mapping, Sequence
from operator import index
from typing import SupportsFloat, SupportsIndex

from opentelemetry.util.types import AttributeValue

Number = SupportsFloat | SupportsIndex
Given = Mapping[str, object] | None

# Sums of larger integers leave the 64 bits of OTLP, which would refuse the whole batch; floats do not.
_LARGEST_INTEGER = 1 << 53
_LONGEST_TEXT = 1024


def number(value: Number) -> int | float:
    """Return an int or float for any number (Decimal, Fraction, numpy, bool …).

    TypeError for what is no number; ValueError where it is infinite, not a number, or too large.
    """
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


def attributes(given: Given, more: Mapping[str, object]) -> dict[str, AttributeValue]:
    """Return attributes as OpenTelemetry has them; None is left out, other objects become their text.

    Texts are cut after 1024 characters.
    """
    merged = {**given, **more} if given else more
    return {str(name): _attribute(value) for name, value in merged.items() if value is not None}


def _attribute(value: object) -> AttributeValue:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return tuple(str(each)[:_LONGEST_TEXT] for each in value)
    return str(value)[:_LONGEST_TEXT]
