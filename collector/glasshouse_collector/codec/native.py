"""The codec in Rust, from the distribution `glasshouse-otlp-arrow`: no objects between wire and columns."""

from collections.abc import Sequence
from typing import Literal

import pyarrow as pa

import glasshouse_otlp_arrow
from glasshouse_collector.codec import Checked, Decoded
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.errors import Undecodable


class NativeCodec:
    """Reads OTLP protobuf through the native extension, which lets other threads run meanwhile."""

    name: Literal["native", "python"] = "native"

    def check(self, kind: RequestKind, payload: bytes) -> Checked:
        """Return the counts; raises `Undecodable`."""
        try:
            return Checked(*glasshouse_otlp_arrow.check(kind.value, payload))
        except glasshouse_otlp_arrow.DecodeError as error:
            raise Undecodable(str(error)) from None

    def decode(self, kind: RequestKind, payloads: Sequence[bytes]) -> dict[Signal, Decoded]:
        """Return the signals that have rows (an empty dict where none has); raises `Undecodable`.

        OverflowError for more than `MOST_BYTES` at once.
        """
        try:
            decoded = glasshouse_otlp_arrow.decode(kind.value, list(payloads))
        except glasshouse_otlp_arrow.DecodeError as error:
            raise Undecodable(str(error)) from None
        return {
            Signal(signal): Decoded(pa.record_batch(records), rows_of)
            for signal, (records, rows_of) in decoded.items()
        }
