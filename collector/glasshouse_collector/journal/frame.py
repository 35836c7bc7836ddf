"""One request as it lies in a segment file.

    magic 4 | header checksum 4 | body checksum 4 | version 1 | kind 1 | codec 1 | - 1
    project length 2 | - 2 | records 4 | raw length 4 | stored length 4 | received_ns 8   (40 bytes)
    project (UTF-8) | payload, as it is or compressed by zstd

All little-endian. The body checksum covers project and payload; the header checksum covers the
rest of the header, the frame's own offset and, as its seed, the journal's key and the segment's
number: a frame is valid only where it was written, and nobody else can make one.
"""

import struct
from typing import NamedTuple
from zlib import crc32

from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.core.errors import TooLarge

MAGIC = b"\xf1GjF"
VERSION = 1
RAW = 0
ZSTD = 1
MAX_PAYLOAD = 1 << 30
"""Bytes; far above what any receiver lets in, far below what the header can say."""
MAX_PROJECT = 10_000
"""Characters; in UTF-8 that many fit the header for certain."""

_PREFIX = struct.Struct("<4sI")
_FIELDS = struct.Struct("<IBBBxHxxIIIq")
HEADER_BYTES = _PREFIX.size + _FIELDS.size
_KIND_NUMBERS = {RequestKind.TRACES: 1, RequestKind.LOGS: 2, RequestKind.METRICS: 3}
_KINDS = {number: kind for kind, number in _KIND_NUMBERS.items()}


class FrameHeader(NamedTuple):
    """What a valid header says; offsets and lengths are bytes."""

    offset: int
    kind: RequestKind
    codec: int
    project_bytes: int
    records: int
    raw_bytes: int
    stored_bytes: int
    received_ns: int
    body_checksum: int

    @property
    def end(self) -> int:
        """Where the next frame begins."""
        return self.offset + HEADER_BYTES + self.project_bytes + self.stored_bytes


class StoredFrame(NamedTuple):
    """An intact frame, its payload still as it is stored."""

    header: FrameHeader
    project: str
    stored: bytes

    def to_frame(self, payload: bytes) -> Frame:
        """Return the frame with its uncompressed payload."""
        header = self.header
        return Frame(header.kind, self.project, header.records, header.received_ns, payload)


def check_limits(frame: Frame) -> None:
    """Raise `TooLarge` for what the header has no room to say, ValueError for what is no frame.

    Before a frame joins others in a group, so that it cannot spoil theirs.
    """
    if len(frame.payload) > MAX_PAYLOAD:
        raise TooLarge(f"a request of {len(frame.payload)} bytes; the journal keeps up to {MAX_PAYLOAD}")
    if len(frame.project) > MAX_PROJECT:
        raise TooLarge(f"a project's name of more than {MAX_PROJECT} characters")
    frame.project.encode()
    if not (0 <= frame.records < 1 << 32 and -(1 << 63) <= frame.received_ns < 1 << 63):
        raise ValueError(f"no count or time: {frame.records} records at {frame.received_ns} ns")


def checksum_seed(key: bytes, segment: int) -> int:
    """Return what every header checksum of the segment starts from."""
    return crc32(segment.to_bytes(8, "little"), crc32(key))


def encode(frame: Frame, codec: int, stored: bytes, seed: int, offset: int) -> bytes:
    """Return header and project of a frame whose header will lie at `offset`; `stored` follows them."""
    project = frame.project.encode()
    fields = _FIELDS.pack(
        crc32(stored, crc32(project)),
        VERSION,
        _KIND_NUMBERS[frame.kind],
        codec,
        len(project),
        frame.records,
        len(frame.payload),
        len(stored),
        frame.received_ns,
    )
    return _PREFIX.pack(MAGIC, crc32(fields + offset.to_bytes(8, "little"), seed)) + fields + project


def parse_header(buffer: bytes, at: int, seed: int, offset: int) -> FrameHeader | None:
    """Return the header at `buffer[at:]`, which lies at `offset` in its segment; None where it is damaged."""
    fields_at = at + _PREFIX.size
    fields = buffer[fields_at : at + HEADER_BYTES]
    if len(fields) != _FIELDS.size:
        return None
    magic, checksum = _PREFIX.unpack_from(buffer, at)
    if magic != MAGIC or checksum != crc32(fields + offset.to_bytes(8, "little"), seed):
        return None
    body, version, kind, codec, project, records, raw, stored, received_ns = _FIELDS.unpack(fields)
    if version != VERSION or kind not in _KINDS or codec not in (RAW, ZSTD):
        return None
    return FrameHeader(offset, _KINDS[kind], codec, project, records, raw, stored, received_ns, body)


def parse_body(header: FrameHeader, body: bytes) -> StoredFrame | None:
    """Return the frame of project and payload `body`; None where they are damaged."""
    if len(body) != header.project_bytes + header.stored_bytes or crc32(body) != header.body_checksum:
        return None
    project = body[: header.project_bytes].decode()
    return StoredFrame(header, project, body[header.project_bytes :])
