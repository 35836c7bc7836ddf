"""OTLP/JSON, line by line of the specification, and against protobuf's own JSON as the oracle."""

import base64
import json
import math
from typing import Any

import orjson
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from glasshouse_collector.codec.otlp_json import to_protobuf
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.errors import TooLarge, Undecodable

REQUESTS: dict[RequestKind, type[Message]] = {
    RequestKind.TRACES: ExportTraceServiceRequest,
    RequestKind.LOGS: ExportLogsServiceRequest,
    RequestKind.METRICS: ExportMetricsServiceRequest,
}
ID_KEYS = {"traceId", "spanId", "parentSpanId"}
LEVELS = 7
"""Of nested messages in what hypothesis makes: down to a list within an attribute of a span's event."""


def span(written: dict[str, Any]) -> Span:
    """Return what a span in JSON becomes."""
    body = orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [written]}]}]})
    request = ExportTraceServiceRequest.FromString(to_protobuf(RequestKind.TRACES, body))
    return request.resource_spans[0].scope_spans[0].spans[0]


def value(written: dict[str, Any]) -> AnyValue:
    """Return what an attribute's value in JSON becomes."""
    return span({"attributes": [{"key": "k", "value": written}]}).attributes[0].value


def data_point(written: dict[str, Any]) -> NumberDataPoint:
    """Return what a data point in JSON becomes."""
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": [written]}}]}]}]}
    request = ExportMetricsServiceRequest.FromString(to_protobuf(RequestKind.METRICS, orjson.dumps(body)))
    return request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]


def test_ids_are_hex_in_either_case() -> None:
    """And not base64; also those of a parent and of links."""
    written = {
        "traceId": "5B8EFFF798038103d269b633813fc60c",
        "spanId": "EEE19B7ec3c1b174",
        "parentSpanId": "eee19b7ec3c1b173",
        "links": [{"traceId": "00" * 16, "spanId": "AB" * 8}],
    }
    became = span(written)
    assert became.trace_id == bytes.fromhex("5b8efff798038103d269b633813fc60c")
    assert became.span_id == bytes.fromhex("eee19b7ec3c1b174")
    assert became.parent_span_id == bytes.fromhex("eee19b7ec3c1b173")
    assert became.links[0].span_id == b"\xab" * 8
    assert span({"traceId": "", "spanId": None}) == Span()


def test_enums_are_integers_only() -> None:
    """Their names are refused with the path, whatever protobuf's own JSON allows; new numbers pass."""
    assert span({"kind": 2}).kind == Span.SPAN_KIND_SERVER
    assert span({"kind": 77}).kind == 77
    for name in ("SPAN_KIND_SERVER", "2", 2.0, True):
        with pytest.raises(
            Undecodable, match=r"^resourceSpans\[0\]\.scopeSpans\[0\]\.spans\[0\]\.kind: must be an integer"
        ):
            span({"kind": name})


def test_unknown_fields_are_ignored() -> None:
    """Of any shape, at any level."""
    assert span({"name": "x", "later": {"a": [1, {"b": None}]}, "LATER": 1}).name == "x"


def test_keys_are_lower_camel_case() -> None:
    """Others are not silently lost: who writes the .proto's spelling is told the right one."""
    assert span({"droppedEventsCount": 3}).dropped_events_count == 3
    with pytest.raises(Undecodable, match=r"dropped_events_count: is spelled droppedEventsCount"):
        span({"dropped_events_count": 3})


@pytest.mark.parametrize("written", ["1800000000000000001", 1800000000000000001])
def test_64_bit_integers_are_strings_or_numbers(written: object) -> None:
    """Without loss of the last digit."""
    assert span({"startTimeUnixNano": written}).start_time_unix_nano == 1800000000000000001
    assert data_point({"asInt": written}).as_int == 1800000000000000001
    assert value({"intValue": written}).int_value == 1800000000000000001


@pytest.mark.parametrize(
    ("written", "became"),
    [("-9223372036854775808", -(2**63)), (-(2**63), -(2**63)), ("9223372036854775807", 2**63 - 1), (5.0, 5)],
)
def test_64_bit_integers_reach_their_limits(written: object, became: int) -> None:
    """A number with a fraction of zero is an integer too."""
    assert value({"intValue": written}).int_value == became


@pytest.mark.parametrize(
    "written", [2**63, "9223372036854775808", 1.5, "1.5", "1_0", " 1", "\u0661", "", True, [], {}, 1e300]
)
def test_what_is_no_64_bit_integer_is_refused(written: object) -> None:
    """With the path to it."""
    with pytest.raises(Undecodable, match=r"attributes\[0\]\.value\.intValue: must be "):
        value({"intValue": written})


@pytest.mark.parametrize("written", [1, 1.0, "1", "1e0", "1.0"])
def test_doubles_are_numbers_or_strings(written: object) -> None:
    """As protobuf's own JSON has them."""
    assert data_point({"asDouble": written}).as_double == 1.0


def test_doubles_may_be_infinite_or_not_a_number() -> None:
    """By protobuf's names for them."""
    assert data_point({"asDouble": "Infinity"}).as_double == math.inf
    assert data_point({"asDouble": "-Infinity"}).as_double == -math.inf
    assert math.isnan(data_point({"asDouble": "NaN"}).as_double)


@pytest.mark.parametrize("written", ["nan", "inf", "1e999", "", "0x1", True, [1.0]])
def test_what_is_no_double_is_refused(written: object) -> None:
    """With the path to it."""
    with pytest.raises(Undecodable, match=r"dataPoints\[0\]\.asDouble: must be a number"):
        data_point({"asDouble": written})


def test_values_nest_all_the_way_down() -> None:
    """Arrays in maps in arrays, and bytes at the bottom."""
    bottom = {"bytesValue": base64.b64encode(b"\xff\xfe").decode()}
    became = value(
        {"kvlistValue": {"values": [{"key": "a", "value": {"arrayValue": {"values": [bottom, {}]}}}]}}
    )
    inner = became.kvlist_value.values[0].value.array_value.values
    assert inner[0].bytes_value == b"\xff\xfe"
    assert inner[1].WhichOneof("value") is None


@pytest.mark.parametrize("written", ["+/8=", "+/8", "-_8=", "-_8"])
def test_bytes_are_base64_of_either_alphabet(written: str) -> None:
    """Padded or not."""
    assert value({"bytesValue": written}).bytes_value == b"\xfb\xff"


@pytest.mark.parametrize("written", ["a", "%%%%", "Zg=a", 7, "é"])
def test_what_is_no_base64_is_refused(written: object) -> None:
    """With the path to it."""
    with pytest.raises(Undecodable, match=r"value\.bytesValue: must be "):
        value({"bytesValue": written})


def test_zero_empty_and_false_are_values_all_the_same() -> None:
    """What was set to a default is set, where protobuf can tell."""
    assert value({"intValue": 0}).WhichOneof("value") == "int_value"
    assert value({"stringValue": ""}).WhichOneof("value") == "string_value"
    assert value({"boolValue": False}).WhichOneof("value") == "bool_value"
    assert value({"arrayValue": {}}).WhichOneof("value") == "array_value"
    assert value({"stringValue": None}).WhichOneof("value") is None


def test_nesting_has_an_end() -> None:
    """Just before protobuf decoders give up; far beyond it, no stack overflows."""
    written: dict[str, Any] = {"stringValue": "x"}
    for _ in range(46):
        written = {"arrayValue": {"values": [written]}}
    became = value(written)
    for _ in range(46):
        [became] = became.array_value.values
    assert became.string_value == "x"
    for _ in range(3):
        written = {"arrayValue": {"values": [written]}}
    with pytest.raises(Undecodable, match="nested deeper than 100 messages"):
        value(written)
    with pytest.raises(Undecodable, match="no JSON"):
        to_protobuf(RequestKind.TRACES, b'{"resourceSpans":' * 100_000)
    with pytest.raises(Undecodable, match="no JSON"):
        to_protobuf(RequestKind.TRACES, b"[" * 1_000_000)


def test_values_have_an_end() -> None:
    """A body within the limit on bytes can be far beyond memory once it is parsed."""
    with pytest.raises(TooLarge, match="more than 6000000 values"):
        to_protobuf(RequestKind.TRACES, b'{"x":[' + b"{}," * 3_000_000 + b"{}]}")
    assert to_protobuf(RequestKind.TRACES, b'{"x":"' + b" " * 6_000_001 + b'"}') == b""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b'{"resourceSpans": NaN}', "no JSON"),
        (b'{"a": "\\ud800"}', "no JSON"),
        (b"[]", "^the body: must be an object, is an array$"),
        (b"null", "^the body: must be an object, is null$"),
        (b'{"resourceSpans": {}}', "^resourceSpans: must be an array, is an object$"),
        (b'{"resourceSpans": [null]}', r"^resourceSpans\[0\]: must be an object, is null$"),
        (
            b'{"resourceSpans": [{"schemaUrl": 1}]}',
            r"^resourceSpans\[0\]\.schemaUrl: must be a string, is 1$",
        ),
        (b'{"resourceSpans": [{}, {"resource": []}]}', r"^resourceSpans\[1\]\.resource: must be an object"),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, message: str) -> None:
    """With the path to what is wrong."""
    with pytest.raises(Undecodable, match=message):
        to_protobuf(RequestKind.TRACES, body)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"traceId": "5b8"}, r"traceId: must be an id in hex digits, is \"5b8\"$"),
        ({"traceId": "5b 8"}, "traceId: must be an id in hex digits"),
        ({"traceId": "W47/95gDgQPSabYzgT/GDA=="}, "traceId: must be an id in hex digits"),
        ({"flags": -1}, "flags: must be from 0 to 4294967295, is -1$"),
        ({"flags": 2**32}, "flags: must be from 0 to 4294967295"),
        ({"name": ["x" * 100]}, "name: must be a string, is an array$"),
        ({"kind": 2**31}, "kind: must be from -2147483648 to 2147483647"),
        ({"attributes": [{"value": {"boolValue": 1}}]}, "boolValue: must be true or false, is 1$"),
        (
            {"attributes": [{"value": {"intValue": 1, "stringValue": "1"}}]},
            "value: has both intValue and stringValue",
        ),
    ],
)
def test_a_malformed_span_is_refused(written: dict[str, Any], message: str) -> None:
    """With the path to what is wrong."""
    with pytest.raises(Undecodable, match=message):
        span(written)


@st.composite
def messages(draw: st.DrawFn, kind: type[Message]) -> Message:
    """Return a message with any of its fields set to anything, a few levels deep."""
    message = kind()
    _set_fields(draw, message, kind.DESCRIPTOR, LEVELS)
    return message


def _set_fields(draw: st.DrawFn, message: Any, descriptor: Any, levels: int) -> None:
    some = st.sets(st.sampled_from([field.name for field in descriptor.fields]), max_size=4)
    for name in sorted(draw(some)):
        field = descriptor.fields_by_name[name]
        if field.message_type is None:
            scalars = _scalars_of(field)
            if field.is_repeated:
                getattr(message, name).extend(draw(st.lists(scalars, max_size=3)))
            else:
                setattr(message, name, draw(scalars))
        elif levels:
            inner = getattr(message, name)
            for _ in range(draw(st.integers(0, 2)) if field.is_repeated else 1):
                nested = inner.add() if field.is_repeated else inner
                nested.SetInParent()
                _set_fields(draw, nested, field.message_type, levels - 1)


def _scalars_of(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=20)
    return {
        FieldDescriptor.CPPTYPE_STRING: st.text(max_size=5),
        FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
        FieldDescriptor.CPPTYPE_DOUBLE: st.floats(allow_nan=True),
        FieldDescriptor.CPPTYPE_ENUM: st.integers(0, 2),
        FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
        FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
        FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
        FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    }[field.cpp_type]


def _with_hex_ids(written: Any) -> Any:
    """Return protobuf's own JSON as OTLP/JSON: its ids are hex."""
    if isinstance(written, list):
        return [_with_hex_ids(item) for item in written]
    if not isinstance(written, dict):
        return written
    return {
        key: base64.b64decode(item).hex() if key in ID_KEYS else _with_hex_ids(item)
        for key, item in written.items()
    }


@pytest.mark.parametrize("kind", RequestKind)
@given(data=st.data())
def test_every_message_comes_back_from_json(kind: RequestKind, data: st.DataObject) -> None:
    """Whatever a message holds, protobuf's JSON of it with hex ids becomes the same message."""
    message = data.draw(messages(REQUESTS[kind]))
    written = _with_hex_ids(MessageToDict(message, use_integers_for_enums=True))
    body = json.dumps(written).encode()
    assert to_protobuf(kind, body) == message.SerializeToString()


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["resourceSpans", "scopeSpans", "spans", "attributes", "value", "key", "traceId", "kind"]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_no_json_does_any_harm(body: Any) -> None:
    """Whatever its shape, it becomes a request or is refused."""
    try:
        became = to_protobuf(RequestKind.TRACES, json.dumps(body).encode())
    except Undecodable as refused:
        assert str(refused)  # noqa: PT017  (either way is right)
    else:
        ExportTraceServiceRequest.FromString(became)
