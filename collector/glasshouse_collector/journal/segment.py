"""A segment: one append-only file of frames, named by its number."""

import logging
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.journal.files import write_atomically, write_fully
from glasshouse_collector.journal.frame import checksum_seed
from glasshouse_collector.journal.identity import ID_BYTES, KEY_BYTES, Identity

logger = logging.getLogger(__name__)

SUFFIX = ".segment"
_MAGIC = b"GHJS"
_VERSION = 1
_HEADER = struct.Struct(f"<4sIIQQ{ID_BYTES}s{KEY_BYTES}s")
SEGMENT_HEADER_BYTES = _HEADER.size


@dataclass(slots=True)
class Segment:
    """What is known of a segment: frames before it in the journal's life, and how far it is durable.

    One thread writes `end`, `frames` and, last, `sealed`; who reads `sealed` before `end` and finds
    it set knows that `end` is final.
    """

    path: Path
    number: int
    frames_before: int
    end: int = SEGMENT_HEADER_BYTES
    frames: int = 0
    sealed: bool = False
    seed: int = 0

    @property
    def frames_after(self) -> int:
        """Frames the journal had been given, ever, when this segment ended."""
        return self.frames_before + self.frames


def segment_path(directory: Path, number: int) -> Path:
    """Return the file of the segment."""
    return directory / f"{number:016x}{SUFFIX}"


def _header_of(number: int, frames_before: int, identity: Identity) -> bytes:
    packed = _HEADER.pack(
        _MAGIC, 0, _VERSION, number, frames_before, bytes.fromhex(identity.id), identity.key
    )
    return packed[:4] + crc32(packed[8:]).to_bytes(4, "little") + packed[8:]


def read_header(path: Path) -> tuple[int, Identity] | None:
    """Return the frames before the segment and the journal's identity; None where the header is damaged.

    Raises `ConfigurationError` for a segment that a newer collector wrote.
    """
    with path.open("rb") as file:
        header = file.read(SEGMENT_HEADER_BYTES)
    if len(header) < SEGMENT_HEADER_BYTES:
        return None
    magic, checksum, version, _, frames_before, journal_id, key = _HEADER.unpack(header)
    if magic != _MAGIC or checksum != crc32(header[8:]):
        return None
    if version != _VERSION:
        raise ConfigurationError(
            f"the journal in {path.parent} was written by a newer collector (format {version}, "
            f"this one knows {_VERSION}): start that version, or let it deliver what is left first"
        )
    return frames_before, Identity(id=journal_id.hex(), key=key)


def find_segments(directory: Path) -> Iterator[tuple[int, Path]]:
    """Yield number and file of the segments in the directory, oldest first."""
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        try:
            yield int(path.stem, 16), path
        except ValueError:
            logger.warning("the journal ignores %s: not a segment's name", path)


class SegmentWriter:
    """Appends to one segment; what it has made durable is never written again."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._descriptor = os.open(segment.path, os.O_WRONLY | os.O_CLOEXEC)

    @classmethod
    def create(cls, directory: Path, number: int, frames_before: int, identity: Identity) -> "SegmentWriter":
        """Begin a segment; its name survives a loss of power. Raises OSError."""
        path = segment_path(directory, number)
        write_atomically(path, _header_of(number, frames_before, identity))
        return cls(Segment(path, number, frames_before, seed=checksum_seed(identity.key, number)))

    def write(self, content: bytes) -> None:
        """Write behind the segment's end; raises OSError, and then some of it may be written."""
        write_fully(self._descriptor, content, self.segment.end)

    def take_back(self) -> None:
        """Cut off what was written behind the segment's end. Raises OSError."""
        os.ftruncate(self._descriptor, self.segment.end)

    def sync(self) -> None:
        """Make everything written durable; raises OSError."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Let go of the file; raises nothing."""
        os.close(self._descriptor)


class Segments:
    """The segments on disk, oldest first, and how many frames the journal was given in its life.

    Threads may read it while the writer adds and a consumer removes.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.frames_ever = 0
        self._segments: tuple[Segment, ...] = ()  # replaced, never changed

    def add(self, segment: Segment) -> None:
        """Append a newer segment; the writer's lock must be held."""
        self._segments = (*self._segments, segment)

    def remove(self, doomed: Segment) -> None:
        """Delete a segment's file; the writer's lock must be held. Raises OSError."""
        doomed.path.unlink(missing_ok=True)
        self._segments = tuple(segment for segment in self._segments if segment is not doomed)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._segments)

    def at_or_after(self, number: int) -> Segment | None:
        """Return the first segment of that number or a higher one."""
        return next((segment for segment in self._segments if segment.number >= number), None)

    @property
    def last(self) -> Segment | None:
        """The newest segment."""
        segments = self._segments
        return segments[-1] if segments else None

    @property
    def total_bytes(self) -> int:
        """Bytes on disk, as far as they are durable."""
        return sum(segment.end for segment in self._segments)
