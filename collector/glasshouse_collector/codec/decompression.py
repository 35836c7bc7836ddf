"""Decompresses request bodies, never to more than a limit.

A few kilobytes can unfold to gigabytes; here the unfolding stops at the limit, whatever the body
says of its own size.
"""

import zlib
from collections.abc import Callable
from functools import partial

import zstandard

from glasshouse_collector.core.errors import TooLarge, Undecodable

_FRAMES_AT_MOST = 64
"""Members of one gzip body (or frames of a zstd one) read; each costs a pass over what follows it."""
_ZSTD_WINDOW = 8 * 1024 * 1024
"""Bytes of history a sender may ask for, as RFC 8878 recommends to decoders."""
_ZSTD_SLICE = 1024
"""Bytes of zstd input unfolded in one step: at most 32 MiB come of it (a block of 128 KiB takes four)."""

_Decompress = Callable[[bytes, int], bytes]


def decompress(encoding: str, body: bytes, limit: int) -> bytes:
    """Return the body in the clear.

    Raises `TooLarge` beyond `limit` bytes, `Undecodable` for what is not (only) that encoding, and
    `KeyError` for an encoding not in `ENCODINGS`.
    """
    return ENCODINGS[encoding](body, limit)


def too_large(limit: int) -> TooLarge:
    """Return the error that names the limit."""
    return TooLarge(
        f"the request has more than {limit} bytes; send less at once (or raise max_request_bytes)"
    )


def _zlib(window_bits: int, name: str, body: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    room, rest = limit, body
    for _ in range(_FRAMES_AT_MOST):
        inflater = zlib.decompressobj(wbits=window_bits)
        try:
            part = inflater.decompress(rest, room + 1)
        except zlib.error as broken:
            raise Undecodable(f"the body is no {name}: {broken}") from None
        room -= len(part)
        if room < 0:
            raise too_large(limit)
        if not inflater.eof:
            raise Undecodable(f"the body ends before its {name} stream does")
        parts.append(part)
        rest = inflater.unused_data
        if not rest:
            return parts[0] if len(parts) == 1 else b"".join(parts)
    raise Undecodable(f"the body has more than {_FRAMES_AT_MOST} {name} members")


def _zstd(body: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    room, rest = limit, body
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    for _ in range(_FRAMES_AT_MOST):
        try:
            part, rest = _zstd_frame(decompressor, rest, room)
        except zstandard.ZstdError as broken:
            raise Undecodable(f"the body is no zstd: {broken}") from None
        except _Full:
            raise too_large(limit) from None
        room -= len(part)
        parts.append(part)
        if not rest:
            return parts[0] if len(parts) == 1 else b"".join(parts)
    raise Undecodable(f"the body has more than {_FRAMES_AT_MOST} zstd frames")


class _Full(Exception):
    """There is no room for the frame."""


def _zstd_frame(decompressor: zstandard.ZstdDecompressor, body: bytes, room: int) -> tuple[bytes, bytes]:
    """Return the first frame's content and the bytes after it."""
    frame = decompressor.decompressobj()
    parts: list[bytes] = []
    for start in range(0, len(body), _ZSTD_SLICE):
        part = frame.decompress(body[start : start + _ZSTD_SLICE])
        room -= len(part)
        if room < 0:
            raise _Full
        parts.append(part)
        if frame.eof:
            return b"".join(parts), frame.unused_data + body[start + _ZSTD_SLICE :]
    raise Undecodable("the body ends before its zstd frame does")


ENCODINGS: dict[str, _Decompress] = {
    "gzip": partial(_zlib, 16 + zlib.MAX_WBITS, "gzip"),
    "deflate": partial(_zlib, zlib.MAX_WBITS, "deflate (zlib)"),
    "zstd": _zstd,
}
"""What a Content-Encoding may say, but for what changes nothing."""
IDENTITY = frozenset({"", "identity"})
"""What changes nothing."""
