"""Both codecs, one after the other."""

import pytest

from glasshouse_collector.codec import Codec
from glasshouse_collector.codec.upb import UpbCodec


def _native() -> Codec:
    reason = "the native extension is not installed: make .make/native"
    pytest.importorskip("glasshouse_otlp_arrow", reason=reason, exc_type=ModuleNotFoundError)
    from glasshouse_collector.codec.native import NativeCodec  # noqa: PLC0415  (optional extension)

    return NativeCodec()


@pytest.fixture(scope="session")
def native() -> Codec:
    """Return the native codec."""
    return _native()


@pytest.fixture(params=["native", "python"], scope="session")
def codec(request: pytest.FixtureRequest) -> Codec:
    """Return one codec, then the other."""
    return _native() if request.param == "native" else UpbCodec()
