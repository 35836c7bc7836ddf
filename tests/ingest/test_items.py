"""Each item of an older client becomes a log record, or is refused by its wrong field."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from glasshouse_collector.codec import best_codec
from glasshouse_collector.codec.anyvalue import text_of
from glasshouse_collector.codec.upb import UpbCodec
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.ingest import (
    MOST_ITEMS,
    Malformed,
    Reader,
    TooMany,
    convert,
    project_monitor,
    read_items,
    tracehub,
)

NOW = 1_790_000_000_000_000_000
UUID = "550e8400-e29b-41d4-a716-446655440000"
TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nbuiltins.ValueError: no: such'


def record(item: dict[str, Any], read: Reader = project_monitor) -> LogRecord:
    """Return the record of one good item."""
    return read({"level": "info", "message": "hello", **item}, NOW).record


def texts(attributes: Any) -> dict[str, str]:
    """Return attributes as columns hold them."""
    return {attribute.key: text_of(attribute.value) for attribute in attributes}


@pytest.mark.parametrize(
    ("level", "number"),
    [
        ("DEBUG", 5),
        ("info", 9),
        ("Warn", 13),
        ("WARNING", 13),
        ("ERROR", 17),
        ("CRITICAL", 21),
        ("fatal", 21),
    ],
)
def test_levels_are_severities(level: str, number: int) -> None:
    """By the data model's numbers, in either case; the text stays."""
    made = record({"level": level})
    assert (made.severity_number, made.severity_text) == (number, level.upper())


@pytest.mark.parametrize(
    ("written", "nanos"),
    [
        ("2026-03-01T12:00:00Z", 1_772_366_400_000_000_000),
        ("2026-03-01T12:00:00.123+00:00", 1_772_366_400_123_000_000),
        ("2026-03-01T14:00:00.123456789+02:00", 1_772_366_400_123_456_789),
        ("2026-03-01 12:00:00,5", 1_772_366_400_500_000_000),
        ("2026-03-01T12:00:00.1234567891234Z", 1_772_366_400_123_456_789),
        (1_772_366_400, 1_772_366_400_000_000_000),
        (1_772_366_400.5, 1_772_366_400_500_000_000),
        (1_772_366_400_500, 1_772_366_400_500_000_000),
        (1_772_366_400_500_000, 1_772_366_400_500_000_000),
        (1_772_366_400_500_000_001, 1_772_366_400_500_000_001),
        (None, NOW),
        ("", NOW),
    ],
)
def test_times_are_nanoseconds(written: object, nanos: int) -> None:
    """Of UTC where no zone is named; without one, when it came in."""
    assert record({"timestamp": written}).time_unix_nano == nanos


@pytest.mark.parametrize(
    "written",
    [
        "soon",
        "2026-02-30T12:00:00Z",
        "1969-12-31T23:59:59Z",
        "2262-01-01T00:00:00Z",
        -1,
        0,
        1e300,
        10**400,
        True,
    ],
)
def test_what_is_no_time_is_named(written: object) -> None:
    """Nor is one that cannot be stored."""
    told = convert([{"level": "info", "message": "m", "timestamp": written}], project_monitor, "", NOW)
    assert [mistake.field for _, mistake in told.mistakes] == ["timestamp"]


@pytest.mark.parametrize("read", [project_monitor, tracehub])
def test_ids_that_can_be_a_traces_are(read: Reader) -> None:
    """32 hex digits or a UUID; all zero is none."""
    field = "correlation_id" if read is project_monitor else "trace_id"
    assert record({field: UUID}, read).trace_id.hex() == UUID.replace("-", "")
    assert record({field: UUID.replace("-", "").upper()}, read).trace_id.hex() == UUID.replace("-", "")
    for none in ("0" * 32, "abc-123", f"{{{UUID}}}", "g" * 32, "٣" * 32):
        made = record({field: none}, read)
        assert made.trace_id == b""
        assert texts(made.attributes)["correlation_id"] == none


def test_an_exception_is_told_by_semantic_conventions() -> None:
    """Its traceback comes out of the metadata, and its message out of the traceback."""
    made = record({"error_type": "ValueError", "metadata": {"traceback": TRACEBACK, "url": "/x"}})
    assert texts(made.attributes) == {
        "url": "/x",
        "exception.type": "ValueError",
        "exception.message": "no: such",
        "exception.stacktrace": TRACEBACK,
    }
    assert texts(record({"error_type": "PaymentError"}).attributes) == {"exception.type": "PaymentError"}
    other = texts(record({"error_type": "Other", "metadata": {"traceback": TRACEBACK}}).attributes)
    assert "exception.message" not in other


def test_metadata_are_attributes_of_every_kind() -> None:
    """Nested ones as JSON; of a name that the item has itself, under the prefix; none is lost."""
    made = record(
        {
            "operation": "db_connect",
            "unheard_of": 1,
            "metadata": {
                "operation": "theirs",
                "source": "free",
                "retry": 3,
                "huge": 1 << 70,
                "ratio": 0.5,
                "ok": True,
                "none": None,
                "nested": {"a": [1, "b", None]},
            },
        }
    )
    assert texts(made.attributes) == {
        "operation": "db_connect",
        "metadata.operation": "theirs",
        "source": "free",
        "unheard_of": "1",
        "retry": "3",
        "huge": str(1 << 70),
        "ratio": "0.5",
        "ok": "true",
        "nested": '{"a":[1,"b",null]}',
    }


def test_a_heartbeat_is_an_event_of_the_same_name_as_ours() -> None:
    """So that one question finds both."""
    assert record({"operation": "heartbeat"}).event_name == "glasshouse.heartbeat"
    assert record({"operation": "heart"}).event_name == ""


def test_a_stack_without_an_exception_is_where_the_record_was_made() -> None:
    """As tracehub-logger sends one outside of an `except` block."""
    assert texts(record({"stack_trace": "File a.py"}, tracehub).attributes) == {
        "code.stacktrace": "File a.py"
    }
    told = texts(record({"stack_trace": "at x", "error_message": "503"}, tracehub).attributes)
    assert told == {"exception.message": "503", "exception.stacktrace": "at x"}


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (5, "item"),
        ({"message": "m"}, "level"),
        ({"level": "LOUD", "message": "m"}, "level"),
        ({"level": 5, "message": "m"}, "level"),
        ({"level": "info"}, "message"),
        ({"level": "info", "message": {"a": 1}}, "message"),
        ({"level": "info", "message": "m", "metadata": []}, "metadata"),
        ({"level": "info", "message": "m", "service_name": "x" * 1025}, "service_name"),
        ({"level": "info", "message": "m", "operation": 1}, "operation"),
    ],
)
def test_a_bad_item_is_named_and_leaves_the_others(item: object, field: str) -> None:
    """By its place and its wrong field."""
    good = {"level": "info", "message": "good"}
    told = convert([good, item, good], project_monitor, "sdk", NOW)
    assert [(index, mistake.field) for index, mistake in told.mistakes] == [(1, field)]
    assert best_codec().check(RequestKind.LOGS, told.payload) == (2, 0)


def test_items_of_one_resource_share_it() -> None:
    """In their order."""
    items = [{"level": "info", "message": str(n), "service_name": "ab"[n % 2]} for n in range(4)]
    request = ExportLogsServiceRequest()
    request.ParseFromString(convert(items, project_monitor, "sdk", NOW).payload)
    assert [
        (texts(of.resource.attributes), [made.body.string_value for made in of.scope_logs[0].log_records])
        for of in request.resource_logs
    ] == [({"service.name": "a"}, ["0", "2"]), ({"service.name": "b"}, ["1", "3"])]


def test_what_pythons_json_writes_is_read() -> None:
    """Numbers that are none, and text that is no Unicode."""
    item = {"level": "info", "message": "bad \udcff, good \U0001f600", "metadata": {"x": float("nan")}}
    (read,) = read_items(json.dumps([item]).encode())
    made = record(read)
    assert made.body.string_value == "bad \ufffd, good \U0001f600"
    assert texts(made.attributes) == {"x": "NaN"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"5", b'"logs"', b'{"logs": {}}', b"{}", b"\xff", b"[" * 100_000, b"9" * 10_000]
)
def test_a_body_without_items_says_what_would_be_right(body: bytes) -> None:
    """In one line."""
    with pytest.raises(Malformed) as told:
        read_items(body)
    assert "\n" not in str(told.value)


def test_a_body_has_so_many_items_at_most() -> None:
    """As a list, in an object, and as lines."""
    many: list[dict[str, Any]] = [{}] * (MOST_ITEMS + 1)
    assert len(read_items(json.dumps(many[1:]).encode())) == MOST_ITEMS
    for body in (json.dumps(many), json.dumps({"logs": many})):
        with pytest.raises(TooMany):
            read_items(body.encode())
    with pytest.raises(TooMany):
        read_items(b"{}\n" * (MOST_ITEMS + 1), lines=True)
    assert read_items(b'{"a":1}\n\n{"b":2}\n', lines=True) == [{"a": 1}, {"b": 2}]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda of: st.lists(of, max_size=4) | st.dictionaries(st.text(), of, max_size=4),
    max_leaves=20,
)
_FIELD = st.sampled_from(
    ["level", "message", "timestamp", "metadata", "extra", "pid", "service", "service_name", "trace_id", "x"]
)
_ITEM = st.dictionaries(_FIELD, _JSON | st.sampled_from(["INFO", "2026-03-01T12:00:00Z", UUID]))


@given(st.lists(_ITEM | _JSON, max_size=5), st.sampled_from([project_monitor, tracehub]))
def test_every_item_is_kept_or_named(items: list[Any], read: Reader) -> None:
    """Whatever is sent: each is one or the other, and both decoders take what comes of it."""
    told = convert(items, read, "sdk", NOW)
    assert told.accepted + len(told.mistakes) == len(items)
    if told.accepted:
        for codec in (best_codec(), UpbCodec()):
            assert codec.check(RequestKind.LOGS, told.payload + b"\x82\x7d\x10" + b"m" * 16) == (
                told.accepted,
                0,
            )
            (decoded,) = codec.decode(RequestKind.LOGS, [told.payload]).values()
            assert decoded.records.num_rows == told.accepted


def test_deep_nesting_is_text_from_some_level_on() -> None:
    """Deeper than any protobuf decoder follows."""
    deep: Any = "end"
    for _ in range(200):
        deep = [deep]
    told = convert([{"level": "info", "message": "m", "metadata": {"deep": deep}}], project_monitor, "", NOW)
    assert best_codec().check(RequestKind.LOGS, told.payload) == (1, 0)
    request = ExportLogsServiceRequest()
    request.ParseFromString(told.payload)
    kept = text_of(request.resource_logs[0].scope_logs[0].log_records[0].attributes[0].value)
    assert kept.count("[") == 200
