"""How far a consumer is, kept on disk.

A cursor file is two pages, written in turn and in place:

    magic 4 | checksum 4 | sequence 8 | length 4 | state as JSON, padded to the page

The valid page with the higher sequence counts; a write that tears leaves the other one. Writing in
place costs one fdatasync and needs no room: deliveries go on, and free room, while the disk is full.
"""

import json
import os
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

from glasshouse_collector.journal.files import write_atomically, write_fully

PAGE_BYTES = 4096
_MAGIC = b"GHJC"
_HEADER = struct.Struct("<4sIQI")
_PAGES = 2


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the journal: a segment's number and a byte offset in it."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class RunBounds:
    """A run handed out and not committed: frames at offsets `first` to `last`, ending before `end`."""

    segment: int
    first: int
    last: int
    end: int
    frames: int


@dataclass(frozen=True, slots=True)
class CursorState:
    """Where reading goes on, how many frames of the journal's life lie before, and the open runs."""

    position: Position
    frames_before: int = 0
    runs: tuple[RunBounds, ...] = ()

    @property
    def delivered(self) -> Position:
        """Everything before is delivered."""
        return min((Position(run.segment, run.first) for run in self.runs), default=self.position)

    def to_json(self) -> bytes:
        """Return the state as it is kept."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, kept: bytes) -> "CursorState":
        """Return what `to_json` gave."""
        fields = json.loads(kept)
        return cls(
            position=Position(**fields["position"]),
            frames_before=fields["frames_before"],
            runs=tuple(RunBounds(**run) for run in fields["runs"]),
        )


class CursorFile:
    """A consumer's state on disk; `state` is what was last saved."""

    def __init__(self, path: Path, state: CursorState, sequence: int) -> None:
        self.path = path
        self.state = state
        self._sequence = sequence
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    @classmethod
    def create(cls, path: Path, state: CursorState) -> "CursorFile":
        """Make a file with both pages valid. Raises OSError."""
        write_atomically(path, _page(state, 0) + _page(state, 1))
        return cls(path, state, 1)

    @classmethod
    def load(cls, path: Path) -> tuple["CursorFile | None", bool]:
        """Return the file with its newest valid state, and whether every page was intact.

        None where neither was.
        """
        content = path.read_bytes()
        pages = [_parse(content[i * PAGE_BYTES : (i + 1) * PAGE_BYTES]) for i in range(_PAGES)]
        intact = [page for page in pages if page]
        if not intact:
            return None, False
        sequence, state = max(intact, key=lambda page: page[0])
        return cls(path, state, sequence), len(intact) == _PAGES

    def save(self, state: CursorState, *, durable: bool) -> None:
        """Replace the state; it survives the process, and where `durable` a loss of power. Raises OSError."""
        sequence = self._sequence + 1
        write_fully(self._descriptor, _page(state, sequence), sequence % _PAGES * PAGE_BYTES)
        if durable:
            os.fdatasync(self._descriptor)
        self._sequence = sequence
        self.state = state

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


def _page(state: CursorState, sequence: int) -> bytes:
    kept = state.to_json()
    if len(kept) > PAGE_BYTES - _HEADER.size:
        raise ValueError("a cursor's state has outgrown its page")
    rest = _HEADER.pack(_MAGIC, 0, sequence, len(kept))[8:] + kept
    return (_MAGIC + crc32(rest).to_bytes(4, "little") + rest).ljust(PAGE_BYTES, b"\0")


def _parse(page: bytes) -> tuple[int, CursorState] | None:
    if len(page) < _HEADER.size:
        return None
    magic, checksum, sequence, length = _HEADER.unpack_from(page)
    if magic != _MAGIC or crc32(page[8 : _HEADER.size + length]) != checksum:
        return None
    return sequence, CursorState.from_json(page[_HEADER.size : _HEADER.size + length])
