"""A batch: the body of one OTLP/HTTP export request, encoded and compressed as it goes out."""

from dataclasses import dataclass, field
from typing import Literal, get_args

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: tuple[Signal, ...] = get_args(Signal)

# What the specification names; anything else in a spool file did not come from an OTLP exporter.
CONTENT_TYPES = frozenset({"application/x-protobuf", "application/json"})
CONTENT_ENCODINGS = frozenset({None, "gzip", "deflate"})


@dataclass(frozen=True, slots=True)
class Batch:
    """One request without its address and its headers, which belong to whoever sends it."""

    signal: Signal
    body: bytes = field(repr=False)
    created_ns: int
    content_type: str = "application/x-protobuf"
    content_encoding: str | None = None
