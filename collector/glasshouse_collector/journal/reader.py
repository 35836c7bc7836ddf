"""Reads a segment's intact frames in order, and steps over damage."""

import os
from collections.abc import Callable

from glasshouse_collector.journal.frame import (
    HEADER_BYTES,
    MAGIC,
    FrameHeader,
    StoredFrame,
    parse_body,
    parse_header,
)
from glasshouse_collector.journal.segment import Segment

_CHUNK = 256 * 1024  # bytes read at a time where frames are smaller


class SegmentReader:
    """Follows one segment from `position`, with a file handle of its own.

    Every frame it returns is whole and unchanged: header and body match their checksums. Bytes that
    belong to no such frame are reported once each to `on_damage(segment, first, end)` and skipped: by the
    header's lengths where the header is intact, else by looking for the next frame that is valid at its
    offset. Memory: one chunk and one frame.
    """

    def __init__(
        self, segment: Segment, position: int, on_damage: Callable[[Segment, int, int], None]
    ) -> None:
        self.segment = segment
        self.position = position
        self._on_damage = on_damage
        self._descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        self._buffer = b""
        self._buffer_at = 0

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def read(self, end: int) -> StoredFrame | None:
        """Return the next intact frame before `end`, a frame's boundary; None where there is none."""
        while self.position < end:
            header = self._header_at(self.position, end)
            frame = self._body_of(header, end) if header else None
            if frame:
                self.position = frame.header.end
                return frame
            first = self.position
            self.position = header.end if header else self._next_frame(first + 1, end)
            self._on_damage(self.segment, first, self.position)
        return None

    def _header_at(self, offset: int, end: int) -> FrameHeader | None:
        at = self._load(offset, HEADER_BYTES, end)
        header = parse_header(self._buffer, at, self.segment.seed, offset)
        return header if header and header.end <= end else None

    def _body_of(self, header: FrameHeader, end: int) -> StoredFrame | None:
        length = header.end - header.offset
        at = self._load(header.offset, length, end)
        return parse_body(header, self._buffer[at + HEADER_BYTES : at + length])

    def _next_frame(self, offset: int, end: int) -> int:
        """Return where the next intact frame begins, `end` where none does."""
        while offset < end:
            at = self._load(offset, len(MAGIC), end)
            if not self._buffer:
                return end  # the file is shorter than it was
            found = self._buffer.find(MAGIC, at)
            if found < 0:
                # The magic may lie across this chunk's end.
                offset = max(offset + 1, self._buffer_at + len(self._buffer) - len(MAGIC) + 1)
                continue
            offset = self._buffer_at + found
            header = self._header_at(offset, end)
            if header and self._body_of(header, end):
                return offset
            offset = header.end if header else offset + 1
        return end

    def _load(self, offset: int, length: int, end: int) -> int:
        """Have `length` bytes from `offset` in the buffer, or what there is up to `end`; return where."""
        at = offset - self._buffer_at
        if at < 0 or at + length > len(self._buffer):
            wanted = min(max(length, _CHUNK), end - offset)
            self._buffer = self._pread(wanted, offset)
            self._buffer_at = offset
            at = 0
        return at

    def _pread(self, wanted: int, offset: int) -> bytes:
        """Return up to `wanted` bytes; fewer only at the file's end."""
        content = os.pread(self._descriptor, wanted, offset)
        if len(content) in (0, wanted):
            return content
        return content + self._pread(wanted - len(content), offset + len(content))


def peek(segment: Segment, offset: int) -> FrameHeader | None:
    """Return the header of the frame at `offset`; None where there is none, or a damaged one."""
    try:
        with segment.path.open("rb") as file:
            return parse_header(os.pread(file.fileno(), HEADER_BYTES, offset), 0, segment.seed, offset)
    except FileNotFoundError:
        return None
