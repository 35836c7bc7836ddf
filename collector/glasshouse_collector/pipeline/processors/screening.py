"""Finds, among very many texts, the few that a pattern may match; most batches hold none.

Looking at each text with each pattern would cost more than decoding it, so the texts of a column are
searched as one, without copying, and only what is found is looked at closely.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Indices = npt.NDArray[np.int64]
_TOGETHER = 1024
"""Values that the fallback looks at as one text."""


class Screen(Protocol):
    """Tells which texts deserve a closer look."""

    def suspects(self, texts: Any) -> Indices:
        """Return the indices of a string array's values, ascending; at least those that a pattern matches."""


def best_screen(patterns: Sequence[str], run_of: bytes, shortest_run: int) -> Screen:
    """Return the native screen where the extension is installed, else one in RE2.

    Patterns are of the syntax that RE2 and Rust's `regex` share, and look at no word's end: joined texts have
    none of their own. A run is `shortest_run` of the characters `run_of` in a row, 0 for none.
    """
    try:
        import glasshouse_otlp_arrow  # noqa: PLC0415  (optional extension)
    except ModuleNotFoundError:
        return JointScreen([*patterns, *_run_pattern(run_of, shortest_run)])
    return NativeScreen(glasshouse_otlp_arrow.Screen(list(patterns), run_of, shortest_run))


def _run_pattern(run_of: bytes, shortest_run: int) -> list[str]:
    characters = "".join(f"\\x{byte:02x}" for byte in run_of)
    return [f"[{characters}]{{{shortest_run},}}"] if shortest_run else []


class NativeScreen:
    """Searches for each pattern by itself, with vector instructions."""

    def __init__(self, screen: Any) -> None:
        self._screen = screen

    def suspects(self, texts: Any) -> Indices:
        """Return the indices of the values that may match."""
        offsets, content = _buffers(texts)
        return np.asarray(self._screen.suspects(offsets, content), dtype=np.int64)


class JointScreen:
    """Searches for all patterns at once in RE2: a thousand values as one text, each alone only on a hit."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._pattern = "|".join(f"(?:{pattern})" for pattern in patterns)

    def suspects(self, texts: Any) -> Indices:
        """Return the indices of the values that may match."""
        starts = np.arange(0, len(texts), _TOGETHER)
        hits = pc.match_substring_regex(_joined(texts, starts), self._pattern)
        found = [
            start
            + np.flatnonzero(
                np.asarray(pc.match_substring_regex(texts.slice(start, _TOGETHER), self._pattern))
            )
            for start in starts[np.asarray(hits)]
        ]
        return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def _buffers(texts: Any) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """View a string array's offsets, one more than it has values, and its bytes."""
    _validity, offsets, content = texts.buffers()
    view = np.frombuffer(offsets, dtype=np.int32, count=len(texts) + 1, offset=4 * texts.offset)
    return view, np.frombuffer(content, dtype=np.uint8) if content else np.empty(0, dtype=np.uint8)


def _joined(texts: Any, starts: Indices) -> Any:
    """View consecutive values as longer texts: the same bytes, fewer offsets."""
    offsets, _content = _buffers(texts)
    joined = np.append(offsets[starts], offsets[-1]).astype(np.int32)
    return pa.Array.from_buffers(pa.string(), len(starts), [None, pa.py_buffer(joined), texts.buffers()[2]])
