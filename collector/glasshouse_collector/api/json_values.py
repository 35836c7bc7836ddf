"""Columns of an answer as values that JSON can carry without loss.

| ClickHouse | JSON |
|---|---|
| Bool, integers of up to 32 bits, finite floats | as they are |
| integers of 64 bits and more, Interval | text of digits (JavaScript is exact to 2^53 only) |
| NaN and the infinities | "NaN", "Infinity", "-Infinity", as in protobuf's JSON |
| Decimal | text |
| Date, DateTime, DateTime64 | RFC 3339 in UTC, with the column's digits of a second |
| Enum, UUID, IPv4, IPv6 | text |
| String, FixedString | text; bytes that are no UTF-8 become U+FFFD |
| Array, unnamed Tuple | array |
| Map, named Tuple | object |

The ClickHouse type leads, for in Arrow a DateTime, an IPv4 and an Enum are mere integers.
"""

import ipaddress
import math
import re
import struct
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa

_WRAPPERS: Final = frozenset({"Nullable", "LowCardinality"})
_LARGE_INTEGER: Final = re.compile(r"U?Int(64|128|256)|Interval\w+")
_ENUM_VALUE: Final = re.compile(r"'((?:[^'\\]|\\.)*)'\s*=\s*(-?\d+)")
_TUPLE_NAME: Final = re.compile(r"(?:`((?:[^`\\]|\\.)+)`|(\w+))\s+(?=\S)", re.DOTALL)


def json_values(column: pa.ChunkedArray, clickhouse_type: str) -> list[Any]:
    """Return a column's values, one a row."""
    return [value for chunk in column.chunks for value in _values(chunk, clickhouse_type)]


def _values(array: pa.Array, written: str) -> list[Any]:  # noqa: PLR0911  (one each shape)
    name, arguments = _parse(written)
    if name in _WRAPPERS:
        return _values(array, arguments[0])
    if name == "SimpleAggregateFunction":
        return _values(array, arguments[-1])
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if name == "Array" and pa.types.is_list(array.type):
        return _lists(array, arguments[0])
    if name == "Map" and pa.types.is_map(array.type):
        return _maps(array, *arguments)
    if name == "Tuple" and pa.types.is_struct(array.type):
        return _tuples(array, arguments)
    if name.startswith("DateTime64") and pa.types.is_timestamp(array.type):
        return _timestamps(array.cast(pa.int64()), array.type.unit)
    if name == "DateTime" and pa.types.is_integer(array.type):
        return _timestamps(array.cast(pa.int64()), "s")
    return _scalars(array, name, arguments)


def _scalars(array: pa.Array, name: str, arguments: list[str]) -> list[Any]:
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return _texts(array)
    convert = _SCALARS.get(name)
    if name.startswith("Enum"):
        names = {
            int(number): _unescaped(label) for label, number in _ENUM_VALUE.findall(", ".join(arguments))
        }
        convert = names.get
    elif _LARGE_INTEGER.fullmatch(name):
        convert = _large_integer(signed=not name.startswith("U"))
    convert = convert or _plain
    return [None if value is None else convert(value) for value in array.to_pylist()]


def _texts(array: pa.Array) -> list[Any]:
    try:
        texts: list[Any] = array.to_pylist()
    except UnicodeDecodeError:
        binary = pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary()
        texts = [None if it is None else it.decode(errors="replace") for it in array.view(binary).to_pylist()]
    return texts


def _timestamps(ticks: pa.Array, unit: str) -> list[Any]:
    times = np.asarray(ticks.fill_null(0)).astype(f"datetime64[{unit}]")
    texts = np.char.add(np.datetime_as_string(times), "Z").tolist()
    missing = ticks.is_null().to_pylist() if ticks.null_count else None
    return (
        texts if missing is None else [None if gone else it for it, gone in zip(texts, missing, strict=True)]
    )


def _lists(array: pa.Array, item: str) -> list[Any]:
    if not len(array):
        return []
    bounds = array.offsets.to_pylist()
    values = _values(array.values.slice(bounds[0], bounds[-1] - bounds[0]), item)
    return [values[first - bounds[0] : last - bounds[0]] for first, last in pairwise(bounds)]


def _maps(array: pa.Array, key: str, item: str) -> list[Any]:
    if not len(array):
        return []
    bounds = array.offsets.to_pylist()
    start, length = bounds[0], bounds[-1] - bounds[0]
    keys = [str(it) for it in _values(array.keys.slice(start, length), key)]
    items = _values(array.items.slice(start, length), item)
    return [
        dict(zip(keys[first - start : last - start], items[first - start : last - start], strict=True))
        for first, last in pairwise(bounds)
    ]


def _tuples(array: pa.Array, elements: list[str]) -> list[Any]:
    named = [_TUPLE_NAME.match(element) for element in elements]
    types = [
        element[match.end() :] if match else element for element, match in zip(elements, named, strict=True)
    ]
    columns = [_values(column, kind) for column, kind in zip(array.flatten(), types, strict=True)]
    rows = list(zip(*columns, strict=True))
    if all(named):
        names = [match[1] or match[2] for match in named if match]
        return [dict(zip(names, row, strict=True)) for row in rows]
    return [list(row) for row in rows]


def _large_integer(*, signed: bool) -> Callable[[Any], str]:
    def text(value: Any) -> str:
        return str(int.from_bytes(value, "little", signed=signed) if isinstance(value, bytes) else value)

    return text


def _plain(value: Any) -> Any:  # noqa: PLR0911  (one each type)
    """Return what JSON can carry, for types that need nothing special or that are not known here."""
    match value:
        case bool() | str() | None:
            return value
        case int():
            return value if -(2**53) < value < 2**53 else str(value)
        case float():
            return value if math.isfinite(value) else _not_finite(value)
        case bytes():
            return value.decode(errors="replace")
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _bfloat16(value: bytes) -> Any:
    return _plain(struct.unpack("<f", b"\0\0" + value)[0])


_SCALARS: Final[dict[str, Callable[[Any], Any]]] = {
    "BFloat16": _bfloat16,
    "IPv4": lambda value: str(ipaddress.IPv4Address(value)),
    "IPv6": lambda value: str(ipaddress.IPv6Address(value)),
}


def _parse(written: str) -> tuple[str, list[str]]:
    """Split `Name(argument, …)` at the commas that stand outside of brackets and quotes."""
    name, bracket, rest = written.strip().partition("(")
    if not bracket:
        return name, []
    inner, depth, quote, start = rest.rstrip()[:-1], 0, "", 0
    arguments = []
    position = 0
    while position < len(inner):
        character = inner[position]
        if quote:
            if character == "\\":
                position += 1
            elif character == quote:
                quote = ""
        elif character in "'`":
            quote = character
        elif character == ",":
            if not depth:
                arguments.append(inner[start:position].strip())
                start = position + 1
        else:
            depth += (character == "(") - (character == ")")
        position += 1
    return name, [*arguments, inner[start:].strip()]


def _unescaped(label: str) -> str:
    return re.sub(r"\\(.)", r"\1", label)
