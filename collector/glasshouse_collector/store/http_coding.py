"""Compression of HTTP bodies, both ways: gzip, deflate, zstd, lz4."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import lz4.frame  # type: ignore[import-untyped]
import zstandard

_WORTH_IT = 1024
"""Shorter answers go as they are."""


class BadCoding(Exception):
    """A request body in an encoding that is not known, or broken."""


_MAKERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "deflate": lambda: zlib.decompressobj(wbits=47),
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    "lz4": lz4.frame.LZ4FrameDecompressor,
}
_SLICE = 1024
"""Decompressed at a time: of zstd, which packs tightest, this is 32 MiB at most."""


class Decoder:
    """Decompresses one request body piece by piece; raises `BadCoding`."""

    def __init__(self, encoding: str) -> None:
        self._name = encoding.strip().lower()
        if self._name not in ("", "identity", *_MAKERS):
            raise BadCoding(f"Unknown Content-Encoding {encoding[:40]!r}: send {', '.join(_MAKERS)}")
        self._stream = _MAKERS[self._name]() if self._name in _MAKERS else None

    def decode(self, piece: bytes) -> Iterator[bytes]:
        """Yield what the piece holds, little by little, so that a size can be watched."""
        if self._stream is None:
            yield piece
            return
        for start in range(0, len(piece), _SLICE):
            try:
                yield bytes(self._stream.decompress(piece[start : start + _SLICE]))
            except (zlib.error, zstandard.ZstdError, RuntimeError, EOFError) as broken:
                raise BadCoding(f"The body is no {self._name}: {broken}") from None

    def finish(self) -> None:
        """Check that the body was whole."""
        if self._stream is not None and not self._stream.eof:
            raise BadCoding(f"The body ends in the middle of its {self._name}")


def encode(body: bytes, accepted: str) -> tuple[bytes, str | None]:
    """Compress an answer as the client accepts it; return it with its Content-Encoding, if any."""
    if len(body) < _WORTH_IT:
        return body, None
    names = {part.partition(";")[0].strip().lower() for part in accepted.split(",")}
    if "zstd" in names:
        return zstandard.ZstdCompressor(level=1).compress(body), "zstd"
    if "lz4" in names:
        return lz4.frame.compress(body), "lz4"
    if "gzip" in names:
        return gzip.compress(body, compresslevel=1), "gzip"
    return body, None
