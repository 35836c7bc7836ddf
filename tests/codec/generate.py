"""Random OTLP requests, every field of the protocol having a chance to be set."""

import random
import struct
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.core.batch import RequestKind

REQUESTS: dict[RequestKind, type[Message]] = {
    RequestKind.TRACES: ExportTraceServiceRequest,
    RequestKind.LOGS: ExportLogsServiceRequest,
    RequestKind.METRICS: ExportMetricsServiceRequest,
}

_TEXTS = (
    "", "a", "b", "aa", "service.name", "http.method", "GET", "é", "日本", "🙂", '"', "\\", "\n\t\r\b\f",
    "\x00", "\x1f", "\x7f", "\u2028", "x" * 70, "ß" * 40,
)  # fmt: skip
_BYTES = (
    b"",
    b"\x00" * 16,
    b"\x00" * 8,
    b"\x01" * 16,
    b"\xab" * 8,
    bytes(range(16)),
    b"\xff" * 8,
    b"a",
    b"ab",
    b"abc",
)
_IDS = {"trace_id": (b"\x01" * 16, bytes(range(16))), "span_id": (b"\xab" * 8, b"\xff" * 8)}
_DOUBLES = (
    0.0, -0.0, 1.0, -1.5, 0.1, 1e20, 1e21, 12345678901234568e4, 1e-6, 1e-7, 5e-324, 1.7976931348623157e308,
    float("inf"), float("-inf"), float("nan"), 2.0**53, 1 / 3, 100.0,
)  # fmt: skip
EDGES = (0, 1, 2, 3, 5, 6, 24, 25, 127, 128, 255, 256, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)
_DEPTH = 14


def request(rng: random.Random, kind: RequestKind) -> bytes:
    """Return the bytes of a request."""
    whole: bytes = _message(rng, REQUESTS[kind].DESCRIPTOR, REQUESTS[kind](), 0).SerializeToString()
    return whole


def _message(rng: random.Random, descriptor: Any, message: Any, depth: int) -> Any:
    sparse = rng.random() < 0.2 or depth > _DEPTH
    for field in descriptor.fields:
        if field.message_type and depth > _DEPTH:
            continue
        if not field.message_type and (sparse or field.containing_oneof) and rng.random() < 0.6:
            continue
        if field.is_repeated:
            _fill_repeated(rng, field, getattr(message, field.name), depth)
        elif field.message_type:
            if rng.random() < (0.3 if field.containing_oneof else 0.9):
                submessage = getattr(message, field.name)
                submessage.SetInParent()
                _message(rng, field.message_type, submessage, depth + 1)
        else:
            setattr(message, field.name, _scalar(rng, field))
    return message


def _fill_repeated(rng: random.Random, field: FieldDescriptor, items: Any, depth: int) -> None:
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 5)) if depth else rng.choice((0, 1, 2))):
        if field.message_type:
            _message(rng, field.message_type, items.add(), depth + 1)
        else:
            items.append(_scalar(rng, field))


def _scalar(rng: random.Random, field: FieldDescriptor) -> Any:  # noqa: PLR0911  (a case a type)
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return rng.choice(_TEXTS) + (rng.choice(_TEXTS) if rng.random() < 0.2 else "")
        case FieldDescriptor.TYPE_BYTES:
            valid = rng.random() < 0.85
            return rng.choice(_IDS.get(field.name, _BYTES) if valid else _BYTES)
        case FieldDescriptor.TYPE_BOOL:
            return rng.random() < 0.5
        case FieldDescriptor.TYPE_DOUBLE:
            random_bits: float = struct.unpack("<d", rng.randbytes(8))[0]
            tie = rng.randrange(2**50, 2**56) / 4
            return rng.choice((*_DOUBLES, random_bits, random_bits, tie, rng.random(), rng.randrange(10**6)))
        case FieldDescriptor.TYPE_FIXED64 | FieldDescriptor.TYPE_UINT64:
            return rng.choice((*EDGES, rng.getrandbits(64)))
        case FieldDescriptor.TYPE_SFIXED64 | FieldDescriptor.TYPE_INT64:
            return rng.choice((*EDGES, rng.getrandbits(64))) - 2**63
        case FieldDescriptor.TYPE_UINT32 | FieldDescriptor.TYPE_FIXED32:
            return rng.choice(EDGES) & 0xFFFFFFFF
        case _:
            return rng.choice((0, 1, 2, 3, 4, 5, 6, 24, 25, -1, 2**31 - 1, -(2**31)))
