"""HTTP/2 by hand, for what no well-behaved client would send."""

import socket
import struct
from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import NamedTuple, Self

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
TRACES_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


_HUFFMAN = dict(
    zip("0123456789", ["00000", "00001", "00010", *map("{:06b}".format, range(25, 32))], strict=True)
)
_HUFFMAN |= {"g": "100110", "r": "101100", "p": "101011", "c": "00100", "-": "010110"}
_HUFFMAN |= {"s": "01000", "t": "01001", "a": "00011", "u": "101101"}
"""What of the code `grpc-status` needs. Source: RFC 7541, Appendix B."""


_FRAME_BYTES = 16 << 10


class Frame(NamedTuple):
    """What the server sent."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame; nothing is checked."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name: str, value: str) -> bytes:
    """Return a header in HPACK: a literal that is not indexed."""
    return b"\x00" + _text(name) + _text(value)


def _text(text: str) -> bytes:
    length = len(text)
    if length < 127:
        return bytes([length]) + text.encode()
    rest, more = length - 127, b""
    while rest >= 128:
        more += bytes([rest % 128 + 128])
        rest //= 128
    return b"\x7f" + more + bytes([rest]) + text.encode()


def coded_status(code: int) -> bytes:
    """Return a connection's first `grpc-status` as HPACK has it: name and value in Huffman's code."""
    return coded("grpc-status") + coded(str(code))


def coded(text: str) -> bytes:
    """Return a string as HPACK has it in Huffman's code: digits, and what `grpc-status` is made of."""
    bits = "".join(_HUFFMAN[character] for character in text)
    bits += "1" * (-len(bits) % 8)
    return bytes([0x80 | len(bits) // 8]) + int(bits, 2).to_bytes(len(bits) // 8, "big")


def head(path: str = TRACES_EXPORT, method: str = "POST", **headers: str) -> bytes:
    """Return the headers of a request (`_` stands for `-`)."""
    named = {":method": method, ":scheme": "http", ":path": path, ":authority": "x", "te": "trailers"}
    named |= {"content-type": "application/grpc"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return b"".join(literal(name, value) for name, value in named.items())


def message(payload: bytes, *, compressed: int = 0, length: int | None = None) -> bytes:
    """Return a gRPC message, of a length that may be a lie."""
    return struct.pack(">BI", compressed, len(payload) if length is None else length) + payload


class Connection:
    """A connection on which anything may be sent."""

    def __init__(self, port: int, preface: bytes | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        if preface is not None:
            self._socket.sendall(preface)
        else:
            self._socket.sendall(PREFACE + frame(SETTINGS, 0, 0))
            self.first(SETTINGS)
            self._socket.sendall(frame(SETTINGS, ACK, 0))
            self.first(WINDOW_UPDATE)  # from here on the server's windows are open

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, octets: bytes) -> bool:
        """Send; False where the server has closed the connection."""
        try:
            self._socket.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def request(self, stream: int, body: bytes, **headers: str) -> None:
        """Send a whole request."""
        self.send(frame(HEADERS, END_HEADERS, stream, head(**headers)))
        while len(body) > _FRAME_BYTES:
            self.send(frame(DATA, 0, stream, body[:_FRAME_BYTES]))
            body = body[_FRAME_BYTES:]
        self.send(frame(DATA, END_STREAM, stream, body))

    def close(self) -> None:
        """Leave, whatever is under way."""
        self._socket.close()

    def frames(self) -> Iterator[Frame]:
        """Return what the server sends, until it closes."""
        while len(start := self._read(9)) == 9:
            length = int.from_bytes(start[:3], "big")
            kind, flags, stream = struct.unpack(">BBI", start[3:])
            yield Frame(kind, flags, stream, self._read(length))

    def first(self, kind: int, stream: int | None = None) -> Frame:
        """Return the next frame of a kind; AssertionError where none comes."""
        for received in self.frames():
            if received.kind == kind and stream in (None, received.stream):
                return received
        raise AssertionError("the connection was closed")

    def many(self, count: int, kind: int) -> Iterator[Frame]:
        """Return that many frames of a kind, fewer where the server closes before."""
        return islice((received for received in self.frames() if received.kind == kind), count)

    def closed(self) -> bool:
        """Read on until the server closes, which is True."""
        for _ in self.frames():
            pass
        return True

    def _read(self, size: int) -> bytes:
        parts = b""
        while len(parts) < size:
            try:
                part = self._socket.recv(size - len(parts))
            except ConnectionResetError:
                return b""
            if not part:
                return b""
            parts += part
        return parts
