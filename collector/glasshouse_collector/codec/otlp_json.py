"""OTLP/JSON to OTLP protobuf.

OTLP/JSON is not protobuf's own JSON: ids are hex, enumerations are integers only, and keys are
lowerCamelCase only. Source: the OTLP 1.11 specification, "JSON Protobuf Encoding"; where it is
silent, protobuf's own JSON mapping holds (64-bit integers as text or number, `null` as unset,
"NaN" and "Infinity", bytes in base64 of either alphabet).
"""

import binascii
import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.errors import TooLarge, Undecodable

_MESSAGES_DEEP = 100
"""Levels of nested messages; protobuf decoders refuse more."""

_VALUES = 6_000_000
"""Objects, arrays and their items (or the same signs within texts) of one body: one for each eleven
bytes of the largest request there is by default. Parsed, an empty object takes fifty times its bytes."""

_REQUESTS: Final[dict[RequestKind, type[Message]]] = {
    RequestKind.TRACES: ExportTraceServiceRequest,
    RequestKind.LOGS: ExportLogsServiceRequest,
    RequestKind.METRICS: ExportMetricsServiceRequest,
}
_HEX_FIELDS = frozenset({"trace_id", "span_id", "parent_span_id"})
_INTEGER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_URL_SAFE = str.maketrans("-_", "+/")

_Scalar: TypeAlias = Callable[[Any], Any]
_Setter: TypeAlias = Callable[[Any, Any, int], None]
"""Puts a JSON value into a message, at a depth of nested messages."""


class _Malformed(Exception):
    """What is wrong, and where: the path grows from the innermost key outwards."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.path = ""

    def within(self, part: str) -> "_Malformed":
        """Return this, seen from one level further out."""
        joint = "" if not self.path or self.path.startswith("[") else "."
        self.path = f"{part}{joint}{self.path}"
        return self


class _Shape(NamedTuple):
    """How one message type is read: by the key in JSON."""

    setters: dict[str, _Setter]
    oneof_of: dict[str, str]
    misspelled: dict[str, str]
    """Field names as the .proto files spell them, which JSON must not, and what JSON says instead."""


def to_protobuf(kind: RequestKind, body: bytes) -> bytes:
    """Return the request in protobuf.

    Raises `Undecodable` naming the JSON path of what is wrong, and `TooLarge` for what is too much
    when parsed.
    """
    if len(body) > _VALUES and sum(map(body.count, (b"{", b"[", b","))) > _VALUES:
        raise TooLarge(f"the JSON has more than {_VALUES} values; send less at once, or protobuf")
    try:
        written = orjson.loads(body)
    except orjson.JSONDecodeError as broken:
        raise Undecodable(f"the body is no JSON: {broken}") from None
    request = _REQUESTS[kind]()
    try:
        _fill(request, _shape_of(request.DESCRIPTOR), written, 0)
    except _Malformed as malformed:
        raise Undecodable(f"{_short(malformed.path, 200) or 'the body'}: {malformed}") from None
    return request.SerializeToString()


def _fill(message: Any, shape: _Shape, written: Any, depth: int) -> None:
    if type(written) is not dict:
        raise _Malformed(f"must be an object, is {_name(written)}")
    if depth > _MESSAGES_DEEP:
        raise _Malformed(f"is nested deeper than {_MESSAGES_DEEP} messages")
    if shape.oneof_of and len(written) > 1:
        _refuse_two_of_one(shape, written)
    setters = shape.setters
    for key, value in written.items():
        setter = setters.get(key)
        if setter is None:
            if key in shape.misspelled:
                raise _Malformed(f"is spelled {shape.misspelled[key]} in OTLP/JSON").within(key)
        elif value is not None:
            try:
                setter(message, value, depth)
            except _Malformed as malformed:
                raise malformed.within(key) from None


def _refuse_two_of_one(shape: _Shape, written: dict[str, Any]) -> None:
    seen: dict[str, str] = {}
    for key, value in written.items():
        oneof = shape.oneof_of.get(key)
        if oneof is None or value is None:
            continue
        if oneof in seen:
            raise _Malformed(f"has both {seen[oneof]} and {key}, of which there can be only one")
        seen[oneof] = key


@cache
def _shape_of(descriptor: Descriptor) -> _Shape:
    fields = descriptor.fields
    return _Shape(
        setters={field.json_name: _setter_of(field) for field in fields},
        oneof_of={field.json_name: field.containing_oneof.name for field in fields if field.containing_oneof},
        misspelled={field.name: field.json_name for field in fields if field.name != field.json_name},
    )


def _setter_of(field: FieldDescriptor) -> _Setter:
    if field.message_type is not None:
        return _messages(field) if field.is_repeated else _message(field)
    scalar = _scalar_of(field)
    return _scalars(field.name, scalar) if field.is_repeated else _one(field.name, scalar)


def _message(field: FieldDescriptor) -> _Setter:
    name, descriptor = field.name, field.message_type

    def put(message: Any, written: Any, depth: int) -> None:
        inner = getattr(message, name)
        inner.SetInParent()
        _fill(inner, _shape_of(descriptor), written, depth + 1)

    return put


def _messages(field: FieldDescriptor) -> _Setter:
    name, descriptor = field.name, field.message_type

    def put(message: Any, written: Any, depth: int) -> None:
        add, shape = getattr(message, name).add, _shape_of(descriptor)
        for index, item in enumerate(_array(written)):
            try:
                _fill(add(), shape, item, depth + 1)
            except _Malformed as malformed:
                raise malformed.within(f"[{index}]") from None

    return put


def _scalars(name: str, scalar: _Scalar) -> _Setter:
    def put(message: Any, written: Any, depth: int) -> None:
        del depth
        append = getattr(message, name).append
        for index, item in enumerate(_array(written)):
            try:
                append(scalar(item))
            except _Malformed as malformed:
                raise malformed.within(f"[{index}]") from None

    return put


def _one(name: str, scalar: _Scalar) -> _Setter:
    def put(message: Any, written: Any, depth: int) -> None:
        del depth
        setattr(message, name, scalar(written))

    return put


def _scalar_of(field: FieldDescriptor) -> _Scalar:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _hex if field.name in _HEX_FIELDS else _base64
    return _SCALARS[field.cpp_type]


def _array(written: Any) -> list[Any]:
    if type(written) is not list:
        raise _Malformed(f"must be an array, is {_name(written)}")
    return written


def _text(written: Any) -> str:
    if type(written) is not str:
        raise _Malformed(f"must be a string, is {_name(written)}")
    return written


def _bool(written: Any) -> bool:
    if type(written) is not bool:
        raise _Malformed(f"must be true or false, is {_name(written)}")
    return written


def _double(written: Any) -> float:
    if type(written) is float or type(written) is int:
        return float(written)
    if type(written) is str:
        if written in _NOT_FINITE:
            return _NOT_FINITE[written]
        if _NUMBER.fullmatch(written) and math.isfinite(number := float(written)):
            return number
    raise _Malformed(f'must be a number, "NaN", "Infinity" or "-Infinity", is {_name(written)}')


def _enum(written: Any) -> int:
    if type(written) is not int:
        raise _Malformed(f"must be an integer (OTLP/JSON has no names of enum values), is {_name(written)}")
    return _within(written, -(2**31), 2**31 - 1)


def _integer(least: int, most: int) -> _Scalar:
    def integer(written: Any) -> int:
        if type(written) is str and _INTEGER.fullmatch(written):
            return _within(int(written), least, most)
        if type(written) is int or (type(written) is float and written.is_integer()):
            return _within(int(written), least, most)
        raise _Malformed(f"must be an integer, is {_name(written)}")

    return integer


def _within(number: int, least: int, most: int) -> int:
    if not least <= number <= most:
        raise _Malformed(f"must be from {least} to {most}, is {number}")
    return number


def _hex(written: Any) -> bytes:
    try:
        return binascii.unhexlify(_text(written))
    except ValueError:
        raise _Malformed(f"must be an id in hex digits, is {_name(written)}") from None


def _base64(written: Any) -> bytes:
    text = _text(written).translate(_URL_SAFE).rstrip("=")
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        raise _Malformed(f"must be base64, is {_name(written)}") from None


def _name(written: Any) -> str:
    """Say what was written, in few characters."""
    match written:
        case None:
            return "null"
        case dict():
            return "an object"
        case list():
            return "an array"
    return _short(orjson.dumps(written).decode(), 40)


def _short(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


_SCALARS: Final[dict[int, _Scalar]] = {
    FieldDescriptor.CPPTYPE_STRING: _text,
    FieldDescriptor.CPPTYPE_BOOL: _bool,
    FieldDescriptor.CPPTYPE_DOUBLE: _double,
    FieldDescriptor.CPPTYPE_ENUM: _enum,
    FieldDescriptor.CPPTYPE_INT32: _integer(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: _integer(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: _integer(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: _integer(0, 2**64 - 1),
}
