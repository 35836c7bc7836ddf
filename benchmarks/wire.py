"""Just enough HTTP/2 and gRPC framing, for a client, to send prepared requests at a few microseconds each.

grpcio costs its caller 60-100 µs a unary call, which on a machine of two cores would measure the
generator and not the collector. Here a block of requests is framed once, ids and times are patched
in with numpy, and a run of requests leaves with one system call.
Sources: RFC 9113 (HTTP/2), RFC 7541 (HPACK), gRPC over HTTP/2.
"""

import struct
from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt

from workload import GRPC_PATHS, SPANS_A_TRACE, Kind, Offsets, encode

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7, 0x8
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 0x3, 0x4
FRAME_HEADER = 9
MAX_FRAME = 16_384
DEFAULT_WINDOW = 65_535
BLOCK_RECORDS = 512
"""Records patched in one go, whatever the number of requests they fall into."""

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_REST = struct.Struct(">BBI")

Bytes = npt.NDArray[np.uint8]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return one HTTP/2 frame."""
    return len(payload).to_bytes(3, "big") + _REST.pack(kind, flags, stream) + payload


def opening() -> bytes:
    """Return what a client says first.

    It asks the server to compress its headers without a table, so that each answer can be read by
    itself, and to push nothing.
    """
    settings = struct.pack(">HIHI", 0x1, 0, 0x2, 0)
    widest = struct.pack(">I", 2**31 - 1 - DEFAULT_WINDOW)
    return _PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, widest)


class RequestHeaders:
    """A connection's request headers: written out once, then a byte a field (as any gRPC client does)."""

    def __init__(self, authority: str) -> None:
        self._common = {
            b"\x41": authority.encode(),
            b"\x40\x02te": b"trailers",
            b"\x5f": b"application/grpc",
            b"\x7a": b"glasshouse-benchmark",
        }
        self._table: list[bytes] = []

    def block(self, kind: Kind) -> bytes:
        """Return the header block of a request; a field not sent before enters the server's table."""
        fields = [(b"\x44", GRPC_PATHS[kind].encode()), *self._common.items()]
        return b"\x83\x86" + b"".join(self._field(name, value) for name, value in fields)

    def _field(self, name: bytes, value: bytes) -> bytes:
        literal = name + bytes([len(value)]) + value
        if literal in self._table:
            return bytes([0x80 | (62 + len(self._table) - 1 - self._table.index(literal))])
        self._table.append(literal)
        return literal


def grpc_frames(stream: int, headers: bytes, payload: bytes) -> list[bytes]:
    """Return the frames of one unary call."""
    message = b"\0" + len(payload).to_bytes(4, "big") + payload
    pieces = [message[at : at + MAX_FRAME] for at in range(0, len(message), MAX_FRAME)]
    last = len(pieces) - 1
    return [
        frame(HEADERS, END_HEADERS, stream, headers),
        *(frame(DATA, END_STREAM if at == last else 0, stream, piece) for at, piece in enumerate(pieces)),
    ]


def grpc_status(block: bytes) -> int:
    """Return the `grpc-status` of a trailer block that refers to no table; 2 (UNKNOWN) if there is none."""
    for name in (b"\x0bgrpc-status", b"\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f"):
        at = block.find(name)
        if at >= 0:
            return _status_number(block[at + len(name) :])
    return 2


def _status_number(value: bytes) -> int:
    coded, length = value[0] & 0x80, value[0] & 0x7F
    text = value[1 : 1 + length]
    return int(_digits(text) if coded else text)


def _digits(coded: bytes) -> str:
    """Undo HPACK's Huffman code for digits: 0-2 in five bits, 3-9 in six; the padding is ones."""
    bits = "".join(f"{byte:08b}" for byte in coded)
    digits, at = "", 0
    while at + 5 <= len(bits) and not (len(bits) - at < 8 and set(bits[at:]) == {"1"}):
        five = int(bits[at : at + 5], 2)
        if five <= 2:
            digits, at = digits + str(five), at + 5
        else:
            digits, at = digits + str(int(bits[at : at + 6], 2) - 25 + 3), at + 6
    return digits


@dataclass(frozen=True, slots=True)
class Framed:
    """One request within a block: its bytes, and where its DATA frames begin and end."""

    start: int
    end: int
    data: tuple[tuple[int, int], ...]
    window: int
    """Bytes it takes of the flow control windows."""


class Block:
    """A run of requests with 512 records in all (one request where each has more), framed."""

    def __init__(self, kind: Kind, records: int, headers: bytes, random: Random) -> None:
        self.kind, self.records = kind, records
        self.requests: list[Framed] = []
        image = bytearray()
        marks: dict[str, list[Offsets]] = {}
        streams: list[Offsets] = []
        for number in range(max(1, BLOCK_RECORDS // records)):
            request = encode(kind, records, random, number * records)
            base = len(image)
            streams.append(self._append(image, grpc_frames(0, headers, request.payload)))
            slots = request.slots()
            for name in slots.__slots__:
                width = 16 if name == "trace_ids" else 8
                places = getattr(slots, name)[:, None] + np.arange(width)
                marks.setdefault(name, []).append(base + _framed_place(places, len(headers)))
        self._image: Bytes = np.frombuffer(bytes(image), np.uint8)
        self._marks = {name: np.concatenate(parts) for name, parts in marks.items()}
        self._streams = np.concatenate(streams)
        self._stream_steps = np.repeat(np.arange(len(streams)) * 2, [len(part) for part in streams])
        spans = len(self._marks["span_ids"])
        trace_of = np.arange(spans) // SPANS_A_TRACE
        self._trace_of = trace_of
        self._parents = np.flatnonzero(np.arange(spans) % SPANS_A_TRACE) - 1
        generator = np.random.default_rng(random.randrange(2**32))
        starts = len(self._marks["starts"])
        self._durations = generator.lognormal(16, 1.5, starts).astype(np.int64)

    def _append(self, image: bytearray, frames: list[bytes]) -> Offsets:
        """Add a request's frames; return where its stream ids stand, one row of four bytes a frame."""
        start = len(image)
        ends = start + np.cumsum([len(part) for part in frames])
        begins = ends - [len(part) for part in frames]
        image += b"".join(frames)
        data = tuple((int(begin), int(end)) for begin, end in zip(begins[1:], ends[1:], strict=True))
        window = sum(end - begin - FRAME_HEADER for begin, end in data)
        self.requests.append(Framed(start, len(image), data, window))
        places: Offsets = begins[:, None] + np.arange(5, 9)
        return places

    def patched(self, first_stream: int, now_ns: int, generator: np.random.Generator) -> bytes:
        """Return the block's bytes with ids never used before, the time, and consecutive streams."""
        image = self._image.copy()
        streams = (first_stream + self._stream_steps).astype(">u4")
        image[self._streams] = streams.view(np.uint8).reshape(-1, 4)
        marks = self._marks
        spans = len(self._trace_of)
        if spans:
            ids = _random(generator, spans, 8)
            image[marks["span_ids"]] = ids
            image[marks["trace_ids"]] = _random(generator, int(self._trace_of[-1]) + 1, 16)[self._trace_of]
            if len(marks["parent_ids"]):
                image[marks["parent_ids"]] = ids[self._parents]
        image[marks["starts"]] = (now_ns - self._durations).astype("<u8").view(np.uint8).reshape(-1, 8)
        image[marks["ends"]] = np.frombuffer(now_ns.to_bytes(8, "little"), np.uint8)
        return image.tobytes()


def _random(generator: np.random.Generator, count: int, width: int) -> Bytes:
    return np.frombuffer(generator.bytes(count * width), np.uint8).reshape(count, width)


def _framed_place(place: Offsets, headers: int) -> Offsets:
    """Return where a payload's byte stands: after the headers, with a frame header every 16 KiB."""
    message = place + 5
    framed: Offsets = FRAME_HEADER + headers + message + FRAME_HEADER * (1 + message // MAX_FRAME)
    return framed
