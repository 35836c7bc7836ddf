from typing import Final, Literal, TypeAlias

from numpy import int32, uint8
from numpy.typing import NDArray

Kind: TypeAlias = Literal["traces", "logs", "metrics"]

MOST_BYTES: Final[int]
"""How many bytes of requests `decode` takes at once."""

class DecodeError(ValueError):
    """Bytes that are no OTLP request of their kind."""

class RecordBatch:
    """A record batch, for whoever speaks Arrow's C data interface: `pyarrow.record_batch(batch)`."""

    @property
    def num_rows(self) -> int: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

class Screen:
    """Finds the texts that deserve a closer look: those that a pattern matches, or that hold a long enough run."""

    def __init__(self, patterns: list[str], run_of: bytes, shortest_run: int) -> None:
        """Take patterns in the syntax of Rust's `regex`, and the bytes that make a run; 0: no runs.

        Raises `ValueError` for a pattern that is none.
        """

    def suspects(self, offsets: NDArray[int32], texts: NDArray[uint8]) -> list[int]:
        """Return the numbers of the texts that may match, ascending.

        `offsets` are 32-bit, one more than there are texts; the texts are searched as one, so a match over the
        border of two names both.
        """

def check(kind: Kind, payload: bytes) -> tuple[int, int]:
    """Count a request's records: (those to keep, those whose trace or span id is invalid).

    Raises `DecodeError`.
    """

def decode(kind: Kind, payloads: list[bytes]) -> dict[str, tuple[RecordBatch, list[int]]]:
    """Decode requests of one kind: by signal, a record batch, and how many of its rows come from each request.

    Signals without rows are left out. Raises `DecodeError`; `OverflowError` for more than `MOST_BYTES` at once.
    """
