"""Trace and span ids as numbers, for joining spans, and as bytes, for exemplars."""

from typing import Any

import numpy as np
import numpy.typing as npt

from glasshouse_exporters.prometheus.columns import Hashes, mixed

Ids = npt.NDArray[np.bytes_]
TRACE_ID_LENGTH = 32
SPAN_ID_LENGTH = 16


def fixed(texts: Any, length: int) -> Ids:
    """Return ids, hexadecimal, as an array of fixed width; those of another length are empty.

    Without copying where all have that length.
    """
    _validity, offsets_buffer, content_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int32, count=len(texts) + 1, offset=4 * texts.offset)
    content = np.frombuffer(content_buffer or b"", dtype=np.uint8)
    lengths = np.diff(offsets)
    whole = lengths == length
    start, end = int(offsets[0]), int(offsets[-1])
    if end - start == length * np.count_nonzero(whole):
        # Nothing but whole ids and empty texts: the whole ones lie side by side.
        ids = content[start:end].view(f"S{length}")
    else:
        places = offsets[:-1][whole].astype(np.int64)[:, None] + np.arange(length)
        ids = np.ascontiguousarray(content[places]).reshape(-1).view(f"S{length}")
    if whole.all():
        return ids
    spread = np.zeros(len(texts), dtype=f"S{length}")
    spread[whole] = ids
    return spread


class SpanKeys:
    """One number for each span of a trace, which cannot be foretold outside this process.

    Two of n spans get the same number with a probability of about n² / 2⁶⁵.
    """

    def __init__(self) -> None:
        self._seed = np.random.default_rng().integers(2**63, size=2, dtype=np.uint64)

    def of_traces(self, trace_ids: Ids) -> Hashes:
        """Return a number for each trace id."""
        return self._hash(trace_ids, self._seed[0])

    def of_spans(self, traces: Hashes, span_ids: Ids) -> Hashes:
        """Return a number for each span id within its trace."""
        return mixed(traces ^ self._hash(span_ids, self._seed[1]))

    @staticmethod
    def _hash(ids: Ids, seed: np.uint64) -> Hashes:
        words = np.ascontiguousarray(ids).view(np.uint64).reshape(len(ids), ids.itemsize // 8)
        hashes = np.full(len(ids), seed)
        for word in words.T:
            hashes = mixed(hashes ^ word)
        return hashes
