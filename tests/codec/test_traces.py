"""Spans in, rows out."""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from rows import SPAN_ID, TRACE_ID, attribute, only_row, rows, spans

from glasshouse_collector.codec import Checked, Codec
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.schema import DECODED

_HEX = "000102030405060708090a0b0c0d0e0f"


def test_span_becomes_a_row(codec: Codec) -> None:
    """Each field of a span, of its resource and of its scope stands in its column."""
    request = spans(
        Span(
            parent_span_id=b"\xab" * 8,
            trace_state="a=b",
            name="GET /",
            kind=Span.SPAN_KIND_SERVER,
            start_time_unix_nano=1_000_000_000,
            end_time_unix_nano=1_000_000_042,
            attributes=[attribute("k", int_value=3)],
            events=[Span.Event(time_unix_nano=7, name="e", attributes=[attribute("x", bool_value=True)])],
            links=[
                Span.Link(trace_id=TRACE_ID, span_id=SPAN_ID, trace_state="s"),
                Span.Link(trace_id=b"short", span_id=b"\x00" * 8, attributes=[attribute("l", int_value=1)]),
            ],
            status=Status(code=Status.STATUS_CODE_ERROR, message="bad"),
        )
    )
    (group,) = request.resource_spans
    group.resource.attributes.append(attribute("service.name", string_value="shop"))
    group.scope_spans[0].scope.name, group.scope_spans[0].scope.version = "lib", "1.2"
    assert only_row(codec, request) == {
        "Timestamp": 1_000_000_000,
        "TraceId": _HEX,
        "SpanId": _HEX[:16],
        "ParentSpanId": "ab" * 8,
        "TraceState": "a=b",
        "SpanName": "GET /",
        "SpanKind": "Server",
        "ServiceName": "shop",
        "ResourceAttributes": [("service.name", "shop")],
        "ScopeName": "lib",
        "ScopeVersion": "1.2",
        "SpanAttributes": [("k", "3")],
        "Duration": 42,
        "StatusCode": "Error",
        "StatusMessage": "bad",
        "Events.Timestamp": [7],
        "Events.Name": ["e"],
        "Events.Attributes": [[("x", "true")]],
        "Links.TraceId": [_HEX, ""],
        "Links.SpanId": [_HEX[:16], ""],
        "Links.TraceState": ["s", ""],
        "Links.Attributes": [[], [("l", "1")]],
    }


def test_columns_are_those_of_the_schema(codec: Codec) -> None:
    """Names, types and nullability are exactly the schema's."""
    decoded = codec.decode(RequestKind.TRACES, [spans(Span()).SerializeToString()])[Signal.TRACES]
    assert decoded.records.schema.equals(DECODED[Signal.TRACES])
    decoded.records.validate(full=True)


KINDS = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"]


@pytest.mark.parametrize(("kind", "text"), [*enumerate(KINDS), (6, "Unspecified"), (-1, "Unspecified")])
def test_span_kind_has_a_name(codec: Codec, kind: int, text: str) -> None:
    """Kinds stand by name; an unknown one counts as unspecified."""
    span = Span()
    span.kind = kind  # type: ignore[assignment]  # an open enumeration
    assert only_row(codec, spans(span))["SpanKind"] == text


@pytest.mark.parametrize(
    ("code", "text"), [(0, "Unset"), (1, "Ok"), (2, "Error"), (3, "Unset"), (-1, "Unset")]
)
def test_status_code_has_a_name(codec: Codec, code: int, text: str) -> None:
    """Status codes stand by name; an unknown one counts as unset."""
    span = Span()
    span.status.code = code  # type: ignore[assignment]  # an open enumeration
    assert only_row(codec, spans(span))["StatusCode"] == text


def test_times_and_durations_saturate(codec: Codec) -> None:
    """A time beyond int64 stands as the last one, and a span that ends before its start lasts 0."""
    row = only_row(codec, spans(Span(start_time_unix_nano=2**64 - 1, end_time_unix_nano=5)))
    assert (row["Timestamp"], row["Duration"]) == (2**63 - 1, 0)
    long = only_row(codec, spans(Span(start_time_unix_nano=0, end_time_unix_nano=2**64 - 1)))
    assert long["Duration"] == 2**64 - 1


INVALID_IDS = [
    (b"", SPAN_ID),
    (b"\x00" * 16, SPAN_ID),
    (TRACE_ID[:15], SPAN_ID),
    (TRACE_ID + b"a", SPAN_ID),
    (TRACE_ID, b""),
    (TRACE_ID, b"\x00" * 8),
    (TRACE_ID, SPAN_ID[:7]),
    (TRACE_ID, SPAN_ID + b"a"),
]


@pytest.mark.parametrize(("trace_id", "span_id"), INVALID_IDS)
def test_span_with_invalid_id_is_rejected_and_the_rest_kept(
    codec: Codec, trace_id: bytes, span_id: bytes
) -> None:
    """Check counts it, decode leaves it out, and its neighbours stay whole."""
    request = spans(
        Span(name="before", attributes=[attribute("a", int_value=1)]),
        Span(name="invalid", attributes=[attribute("b", int_value=2)]),
        Span(name="after", attributes=[attribute("c", int_value=3)]),
    )
    invalid = request.resource_spans[0].scope_spans[0].spans[1]
    invalid.trace_id, invalid.span_id = trace_id, span_id
    assert codec.check(RequestKind.TRACES, request.SerializeToString()) == Checked(accepted=2, rejected=1)
    kept = rows(codec, request)[Signal.TRACES]
    assert [(row["SpanName"], row["SpanAttributes"]) for row in kept] == [
        ("before", [("a", "1")]),
        ("after", [("c", "3")]),
    ]


def test_rows_are_counted_by_request(codec: Codec) -> None:
    """Rows stand in the order of the requests, and are counted for each."""
    payloads = [spans(*(Span(name=str(n)) for n in range(n))).SerializeToString() for n in (2, 0, 3)]
    decoded = codec.decode(RequestKind.TRACES, [*payloads, b""])[Signal.TRACES]
    assert list(decoded.rows_of) == [2, 0, 3, 0]
    assert decoded.records.column("SpanName").to_pylist() == ["0", "1", "0", "1", "2"]


@pytest.mark.parametrize("kind", list(RequestKind))
def test_nothing_becomes_nothing(codec: Codec, kind: RequestKind) -> None:
    """Empty requests, and none at all, decode to no signal."""
    assert codec.check(kind, b"") == Checked(0, 0)
    assert codec.decode(kind, []) == {}
    assert codec.decode(kind, [b"", b"\x0a\x00"]) == {}
