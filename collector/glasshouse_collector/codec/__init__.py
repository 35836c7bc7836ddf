"""OTLP bytes to Arrow columns: the native decoder, or one of the same interface in Python.

The contract of both:

- `check` reads a request's structure without building anything: whether it decodes, how many
  records it holds, and how many of them have an invalid id.
- `decode` turns many requests of one kind into the columns of `core.schema.DECODED`, one record
  batch a signal, skipping exactly the records that `check` counts as rejected.

Both raise `Undecodable` for bytes that are no request of that kind, and for nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import pyarrow as pa

from glasshouse_collector.core.batch import RequestKind, Signal

MOST_BYTES = 256 << 20
"""How many bytes of requests `decode` takes at once: with them, no column outgrows its 32-bit offsets."""


class Checked(NamedTuple):
    """Counts of a decodable request: records to keep, and records with an invalid trace or span id."""

    accepted: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """Rows of one signal in the order of the requests; `rows_of[i]` of them come from request i."""

    records: pa.RecordBatch
    rows_of: Sequence[int]


class Codec(Protocol):
    """Reads OTLP protobuf."""

    name: Literal["native", "python"]

    def check(self, kind: RequestKind, payload: bytes) -> Checked:
        """Return the counts; raises `Undecodable`."""

    def decode(self, kind: RequestKind, payloads: Sequence[bytes]) -> dict[Signal, Decoded]:
        """Return the signals that have rows (an empty dict where none has); raises `Undecodable`."""


def best_codec() -> Codec:
    """Return the native codec where its extension is installed, else the one in pure Python."""
    try:
        from glasshouse_collector.codec.native import NativeCodec  # noqa: PLC0415  (optional extension)
    except ModuleNotFoundError:
        from glasshouse_collector.codec.upb import UpbCodec  # noqa: PLC0415

        return UpbCodec()
    return NativeCodec()
