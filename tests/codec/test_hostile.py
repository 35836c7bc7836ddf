"""Requests made to hurt."""

import random
import threading

import pytest
from generate import request
from mutate import nested, varint
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from rows import attribute, logs

from glasshouse_collector.codec import Checked, Codec
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.errors import Undecodable


def log_request(record: bytes) -> bytes:
    """Return a request whose one log record is `record`."""
    for tag in (b"\x12", b"\x12", b"\x0a"):
        record = tag + varint(len(record)) + record
    return record


def refuses(codec: Codec, kind: RequestKind, payload: bytes) -> bool:
    """Whether both `check` and `decode` refuse the payload."""
    with pytest.raises(Undecodable):
        codec.check(kind, payload)
    with pytest.raises(Undecodable):
        codec.decode(kind, [b"", payload])
    return True


BROKEN = {
    "end of input in a tag": b"\x8a",
    "end of input in a size": b"\x0a\x80",
    "end of input in a message": b"\x0a\x05ab",
    "field number 0": b"\x00\x00",
    "wire type 6": b"\x0e",
    "end of a group that has not begun": b"\x0c",
    "group without end": b"\x0b",
    "varint of 11 bytes": b"\x10" + b"\xff" * 10 + b"\x01",
    "size beyond 2 GiB": b"\x0a\xff\xff\xff\xff\x0f",
    "another request": b"not protobuf at all",
}


@pytest.mark.parametrize("kind", list(RequestKind))
@pytest.mark.parametrize("payload", BROKEN.values(), ids=BROKEN)
def test_broken_bytes_are_refused(codec: Codec, kind: RequestKind, payload: bytes) -> None:
    """Bytes that are no protobuf are refused, and nothing else happens."""
    assert refuses(codec, kind, payload)


def test_text_that_is_not_utf8_is_refused(codec: Codec) -> None:
    """A string of broken UTF-8 makes a request undecodable, wherever it stands."""
    whole = logs(LogRecord(severity_text="text", attributes=[attribute("key", string_value="value")]))
    for text in (b"text", b"key", b"value"):
        for broken in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80"):
            payload = whole.SerializeToString().replace(text, broken.ljust(len(text), b"x")[: len(text)])
            assert refuses(codec, RequestKind.LOGS, payload)


def test_character_cut_by_the_end_of_a_text_is_refused(codec: Codec) -> None:
    """Two strings that are UTF-8 only end to end are refused."""
    cut = b"\x1a\x01\xc3" + b"\x62\x01\xa9"
    assert refuses(codec, RequestKind.LOGS, log_request(cut))
    bodies = [b"\x2a\x03\x0a\x01" + byte for byte in (b"\xc3", b"\xa9")]
    scope = b"".join(b"\x12" + varint(len(body)) + body for body in bodies)
    resource = b"\x12" + varint(len(scope)) + scope
    assert refuses(codec, RequestKind.LOGS, b"\x0a" + varint(len(resource)) + resource)


def test_unknown_fields_are_ignored(codec: Codec) -> None:
    """Fields of versions to come, groups among them, do no harm."""
    unknown = b"\xf8\x06\x01" + b"\xfa\x06\x02\xff\xff" + b"\xfb\x06\x08\x01\xfc\x06" + b"\xf9\x06" + b"8" * 8
    payload = log_request(LogRecord(severity_text="known").SerializeToString() + unknown) + unknown
    assert codec.check(RequestKind.LOGS, payload) == Checked(1, 0)
    records = codec.decode(RequestKind.LOGS, [payload])[Signal.LOGS].records
    assert records.column("SeverityText").to_pylist() == ["known"]


@pytest.mark.parametrize("depth", [96, 97, 100_000])
def test_nesting_is_bounded(codec: Codec, depth: int) -> None:
    """Up to 100 messages stand inside one another; more are refused, however many."""
    body = nested(depth)
    payload = log_request(b"\x2a" + varint(len(body)) + body)
    if depth > 96:
        assert refuses(codec, RequestKind.LOGS, payload)
    else:
        (text,) = codec.decode(RequestKind.LOGS, [payload])[Signal.LOGS].records.column("Body").to_pylist()
        assert text == "[" * 48 + "null" + "]" * 48


def _repeating(attributes: int, records: int) -> bytes:
    repeating = ExportLogsServiceRequest()
    group = repeating.resource_logs.add()
    group.resource.attributes.extend(attribute(str(number)) for number in range(attributes))
    group.scope_logs.add().log_records.extend([LogRecord(time_unix_nano=1)] * records)
    return repeating.SerializeToString()


def test_attributes_are_not_repeated_without_bound(codec: Codec) -> None:
    """Many attributes times many records are refused before they take up memory; a usual share is not."""
    assert refuses(codec, RequestKind.LOGS, _repeating(20_000, 100_000))
    assert codec.check(RequestKind.LOGS, _repeating(20, 5_000)) == Checked(5_000, 0)


def test_many_empty_scopes_cost_nothing(codec: Codec) -> None:
    """A resource of many attributes is not gone through for each scope without records."""
    attributes = b"".join(b"\x0a\x05\x0a\x03%03d" % (number % 1000) for number in range(20_000))
    resource = b"\x0a" + varint(len(attributes)) + attributes + b"\x12\x00" * 20_000
    payload = b"\x0a" + varint(len(resource)) + resource
    for kind in RequestKind:
        assert codec.check(kind, payload) == Checked(0, 0)
        assert codec.decode(kind, [payload]) == {}


def test_too_much_at_once_is_said(codec: Codec) -> None:
    """More bytes than a batch can hold are the caller's mistake, not the sender's."""
    payload = b"\x0a\x00" * (32 << 20)
    with pytest.raises(OverflowError):
        codec.decode(RequestKind.TRACES, [payload] * 5)


def test_codec_serves_many_threads(codec: Codec) -> None:
    """Calls at the same time do not disturb each other."""
    payload = _repeating(5, 500)
    expected = codec.decode(RequestKind.LOGS, [payload])[Signal.LOGS].records
    found: list[object] = []

    def work() -> None:
        found.extend(codec.decode(RequestKind.LOGS, [payload])[Signal.LOGS].records for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert all(expected.equals(one) for one in found)


@pytest.mark.parametrize("kind", list(RequestKind))
def test_prefix_is_read_or_refused(codec: Codec, kind: RequestKind) -> None:
    """A request cut anywhere never does anything but decode or be refused."""
    payload = max((request(random.Random(seed), kind) for seed in range(5)), key=len)
    outcomes = set()
    for end in range(0, len(payload), 1 + len(payload) // 500):
        try:
            codec.check(kind, payload[:end])
            outcomes.add("read")
        except Undecodable:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}
