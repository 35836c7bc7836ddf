"""What attributes and bodies of any type become."""

import math

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from rows import attribute, logs, only_row, spans

from glasshouse_collector.codec import Codec
from glasshouse_collector.core.batch import RequestKind, Signal


def array(*values: AnyValue) -> AnyValue:
    """Return an array."""
    return AnyValue(array_value=ArrayValue(values=values))


def kvlist(*members: KeyValue) -> AnyValue:
    """Return a key-value list."""
    return AnyValue(kvlist_value=KeyValueList(values=members))


NESTED = kvlist(
    attribute("z", int_value=1),
    attribute("a", array_value=ArrayValue(values=[AnyValue(bytes_value=b"\x00\xff"), AnyValue(), kvlist()])),
    attribute("z", double_value=math.nan),
    KeyValue(key='quo"te\n', value=array(AnyValue(bool_value=False), AnyValue(string_value="é\x01\\"))),
)

VALUES: list[tuple[AnyValue, str]] = [
    (AnyValue(string_value="text"), "text"),
    (AnyValue(string_value="日本 🙂"), "日本 🙂"),
    (AnyValue(bool_value=True), "true"),
    (AnyValue(bool_value=False), "false"),
    (AnyValue(int_value=0), "0"),
    (AnyValue(int_value=-(2**63)), "-9223372036854775808"),
    (AnyValue(bytes_value=b"\x00\xff\x10a"), "AP8QYQ=="),
    (AnyValue(bytes_value=b""), ""),
    (AnyValue(), ""),
    (AnyValue(string_value_strindex=7), ""),
    (array(), "[]"),
    (kvlist(), "{}"),
    (array(AnyValue(string_value="a"), AnyValue(int_value=1), array(AnyValue())), '["a",1,[null]]'),
    (NESTED, '{"a":["AP8=",null,{}],"quo\\"te\\n":[false,"é\\u0001\\\\"],"z":"NaN"}'),
]

DOUBLES: list[tuple[float, str]] = [
    (0.0, "0"),
    (-0.0, "-0"),
    (1.0, "1"),
    (-2.5, "-2.5"),
    (0.1, "0.1"),
    (1 / 3, "0.3333333333333333"),
    (1e20, "100000000000000000000"),
    (1.2345678901234568e20, "123456789012345680000"),
    (1e21, "1e+21"),
    (1801783067332110.25, "1801783067332110.2"),
    (9007199254740993.0, "9007199254740992"),
    (2.0**-44, "5.684341886080802e-14"),
    (1e-6, "0.000001"),
    (1.5e-7, "1.5e-7"),
    (5e-324, "5e-324"),
    (1.7976931348623157e308, "1.7976931348623157e+308"),
    (math.nan, "NaN"),
    (math.inf, "Infinity"),
    (-math.inf, "-Infinity"),
]


@pytest.mark.parametrize(("value", "text"), VALUES, ids=[text or "empty" for _, text in VALUES])
def test_value_of_any_type_becomes_text(codec: Codec, value: AnyValue, text: str) -> None:
    """An attribute and a log body of each type have the same, defined text."""
    span = spans(Span(attributes=[KeyValue(key="key", value=value)]))
    assert only_row(codec, span)["SpanAttributes"] == [("key", text)]
    assert only_row(codec, logs(LogRecord(body=value)))["Body"] == text


@pytest.mark.parametrize(("number", "text"), DOUBLES, ids=[text for _, text in DOUBLES])
def test_double_becomes_its_shortest_text(codec: Codec, number: float, text: str) -> None:
    """A double has the fewest digits that read back as it, in the form the Collector writes."""
    record = logs(LogRecord(body=AnyValue(double_value=number)))
    assert only_row(codec, record)["Body"] == text


@pytest.mark.parametrize("shared", [True, False])
def test_attributes_are_sorted_and_the_last_duplicate_wins(codec: Codec, shared: bool) -> None:
    """Maps of records and of resources are sorted by the keys' bytes and have no key twice."""
    given = [
        attribute("b", string_value="1"),
        attribute("é", string_value="2"),
        attribute("a", string_value="3"),
        attribute("b", int_value=4),
        attribute("", bool_value=True),
        attribute("Z", string_value="5"),
    ]
    request = spans(Span(attributes=[] if shared else given))
    if shared:
        request.resource_spans[0].resource.attributes.extend(given)
    row = only_row(codec, request)
    expected = [("", "true"), ("Z", "5"), ("a", "3"), ("b", "4"), ("é", "2")]
    assert row["ResourceAttributes" if shared else "SpanAttributes"] == expected


def test_attribute_without_value_is_empty(codec: Codec) -> None:
    """A key without a value stands with the empty text."""
    assert only_row(codec, spans(Span(attributes=[KeyValue(key="k")])))["SpanAttributes"] == [("k", "")]


def test_occurrences_of_a_value_merge(codec: Codec) -> None:
    """A value that comes in two pieces is one, as protobuf says: arrays are joined, the rest is replaced."""
    pieces = [LogRecord(body=array(AnyValue(int_value=number))) for number in (1, 2)]
    assert _body(codec, *pieces) == "[1,2]"
    replaced = [*pieces, LogRecord(body=AnyValue(bool_value=True)), LogRecord(body=array())]
    assert _body(codec, *replaced) == "[]"
    assert _body(codec, *replaced[:3]) == "true"


def _body(codec: Codec, *pieces: LogRecord) -> str:
    """Return the body of the one record that the pieces' bytes, end to end, are."""
    message = b"".join(piece.SerializeToString() for piece in pieces)
    for tag in (b"\x12", b"\x12", b"\x0a"):  # in a scope, in a resource, in a request
        message = tag + bytes([len(message)]) + message
    (body,) = codec.decode(RequestKind.LOGS, [message])[Signal.LOGS].records.column("Body").to_pylist()
    assert isinstance(body, str)
    return body
