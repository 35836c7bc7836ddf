"""Decompression, by whatever a sender may do to it."""

import gzip
import os
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from glasshouse_collector.codec.decompression import decompress
from glasshouse_collector.core.errors import TooLarge, Undecodable


def zstd_of_unknown_size(content: bytes) -> bytes:
    """Return a frame as streaming senders write it."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(content) + compressor.flush()


COMPRESSORS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("zstd", zstandard.compress),
    ("zstd", zstd_of_unknown_size),
]
each_compressor = pytest.mark.parametrize(("encoding", "compress"), COMPRESSORS)


@each_compressor
@given(content=st.binary(max_size=10_000), parts=st.integers(1, 3))
def test_what_was_compressed_comes_back(
    encoding: str, compress: Callable[[bytes], bytes], content: bytes, parts: int
) -> None:
    """Also where a sender compressed it in several parts, one after the other."""
    body = compress(content) * parts
    assert decompress(encoding, body, len(content) * parts) == content * parts


@each_compressor
def test_a_body_that_is_cut_off_is_refused(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    """At whatever byte: the beginning of a request may well be a request, but it is not this one."""
    body = compress(os.urandom(3000))
    for end in range(0, len(body), 7):
        with pytest.raises(Undecodable):
            decompress(encoding, body[:end], 10_000)


@each_compressor
@pytest.mark.parametrize("tail", [b"\x00", b"garbage"])
def test_a_body_with_something_behind_it_is_refused(
    encoding: str, compress: Callable[[bytes], bytes], tail: bytes
) -> None:
    """Nothing a sender sent is passed over."""
    with pytest.raises(Undecodable):
        decompress(encoding, compress(b"content") + tail, 10_000)


@each_compressor
def test_the_limit_is_exact(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    """As many bytes pass, one more does not; also in several parts."""
    assert len(decompress(encoding, compress(bytes(1000)), 1000)) == 1000
    with pytest.raises(TooLarge, match="1000 bytes"):
        decompress(encoding, compress(bytes(1001)), 1000)
    with pytest.raises(TooLarge):
        decompress(encoding, compress(bytes(600)) * 2, 1000)


def test_many_empty_parts_are_refused() -> None:
    """Each costs a pass over all that follows it."""
    for encoding, part in (("gzip", gzip.compress(b"")), ("zstd", zstandard.compress(b""))):
        with pytest.raises(Undecodable, match="more than 64"):
            decompress(encoding, part * 100_000, 10_000)


def test_a_zstd_that_asks_for_much_memory_is_refused() -> None:
    """A window of 128 MiB is more than decoders have to lend."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = compressor.compress(os.urandom(1000)) + compressor.flush()
    with pytest.raises(Undecodable, match="memory"):
        decompress("zstd", body, 10_000)


@given(body=st.binary(max_size=200), encoding=st.sampled_from(["gzip", "deflate", "zstd"]))
def test_no_bytes_do_any_harm(body: bytes, encoding: str) -> None:
    """They unfold to no more than the limit, or are refused."""
    beginning = {"gzip": b"\x1f\x8b\x08", "deflate": b"\x78", "zstd": b"\x28\xb5\x2f\xfd"}[encoding]
    try:
        content = decompress(encoding, beginning + body, 100)
    except (Undecodable, TooLarge) as refused:
        assert str(refused)  # noqa: PT017  (either way is right)
    else:
        assert len(content) <= 100
