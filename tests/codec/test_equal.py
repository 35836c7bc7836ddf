"""The two codecs give equal batches, or both refuse, whatever comes."""

import random

from fuzz import outcome
from generate import request
from hypothesis import given, settings
from hypothesis import strategies as st
from mutate import mutated
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from rows import logs

from glasshouse_collector.codec import Codec
from glasshouse_collector.codec.upb import UpbCodec
from glasshouse_collector.core.batch import RequestKind

KINDS = st.sampled_from(list(RequestKind))
SEEDS = st.integers(0, 2**32)
TIES = st.integers(2**50, 2**55).map(lambda quarters: quarters / 4) | st.integers(-1000, 1000).map(
    lambda exponent: 2.0**exponent
)


@settings(max_examples=150)
@given(kind=KINDS, seeds=st.lists(SEEDS, min_size=1, max_size=3))
def test_codecs_agree_on_requests(native: Codec, kind: RequestKind, seeds: list[int]) -> None:
    """Generated requests of all kinds, several at once, decode to the same rows."""
    payloads = [request(random.Random(seed), kind) for seed in seeds]
    expected = outcome(UpbCodec(), kind, payloads)
    assert expected != "undecodable"
    assert outcome(native, kind, payloads) == expected


@settings(max_examples=400)
@given(kind=KINDS, seed=SEEDS)
def test_codecs_agree_on_damaged_requests(native: Codec, kind: RequestKind, seed: int) -> None:
    """Flipped bits, cut ends, fields inserted, repeated, reordered, split: both read the same, or neither."""
    rng = random.Random(seed)
    payload = mutated(rng, request(rng, kind))
    assert outcome(native, kind, [payload]) == outcome(UpbCodec(), kind, [payload])


@given(numbers=st.lists(st.floats() | TIES, min_size=50, max_size=100))
def test_codecs_agree_on_doubles(native: Codec, numbers: list[float]) -> None:
    """Doubles have the same text, also where two of the fewest digits are equally near."""
    records = [LogRecord(body=AnyValue(double_value=number)) for number in numbers]
    payload = logs(*records).SerializeToString()
    assert outcome(native, RequestKind.LOGS, [payload]) == outcome(UpbCodec(), RequestKind.LOGS, [payload])


@settings(max_examples=200)
@given(kind=KINDS, payload=st.binary(max_size=60))
def test_codecs_agree_on_any_bytes(native: Codec, kind: RequestKind, payload: bytes) -> None:
    """Bytes that nobody meant as a request are read alike."""
    assert outcome(native, kind, [payload]) == outcome(UpbCodec(), kind, [payload])
