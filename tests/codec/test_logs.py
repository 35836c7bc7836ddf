"""Log records in, rows out."""

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import SEVERITY_NUMBER_INFO, LogRecord
from rows import SPAN_ID, TRACE_ID, attribute, logs, only_row

from glasshouse_collector.codec import Checked, Codec
from glasshouse_collector.core.batch import RequestKind


def test_log_record_becomes_a_row(codec: Codec) -> None:
    """Each field of a log record, of its resource and of its scope stands in its column."""
    request = logs(
        LogRecord(
            time_unix_nano=5,
            observed_time_unix_nano=6,
            severity_number=SEVERITY_NUMBER_INFO,
            severity_text="INFO",
            body=AnyValue(string_value="hello"),
            attributes=[attribute("k", string_value="v")],
            flags=0x1FF,
            trace_id=TRACE_ID,
            span_id=SPAN_ID,
            event_name="event",
        )
    )
    (group,) = request.resource_logs
    group.schema_url, group.scope_logs[0].schema_url = "resource-schema", "scope-schema"
    group.resource.attributes.append(attribute("service.name", int_value=7))
    scope = group.scope_logs[0].scope
    scope.name, scope.version = "lib", "1"
    scope.attributes.append(attribute("s", bool_value=True))
    assert only_row(codec, request) == {
        "Timestamp": 5,
        "TraceId": TRACE_ID.hex(),
        "SpanId": SPAN_ID.hex(),
        "TraceFlags": 0xFF,
        "SeverityText": "INFO",
        "SeverityNumber": 9,
        "ServiceName": "7",
        "Body": "hello",
        "ResourceSchemaUrl": "resource-schema",
        "ResourceAttributes": [("service.name", "7")],
        "ScopeSchemaUrl": "scope-schema",
        "ScopeName": "lib",
        "ScopeVersion": "1",
        "ScopeAttributes": [("s", "true")],
        "LogAttributes": [("k", "v")],
        "EventName": "event",
    }


@pytest.mark.parametrize(
    ("time", "observed", "expected"), [(0, 6, 6), (0, 0, 0), (5, 0, 5), (0, 2**64 - 1, 2**63 - 1)]
)
def test_time_falls_back_to_the_observed_one(codec: Codec, time: int, observed: int, expected: int) -> None:
    """A record without a time has the time it was observed, or 0."""
    row = only_row(codec, logs(LogRecord(time_unix_nano=time, observed_time_unix_nano=observed)))
    assert row["Timestamp"] == expected


@pytest.mark.parametrize(
    ("trace_id", "span_id"), [(b"a", b"b"), (b"\x00" * 16, b"\x00" * 8), (SPAN_ID, TRACE_ID)]
)
def test_invalid_ids_stand_as_empty_text(codec: Codec, trace_id: bytes, span_id: bytes) -> None:
    """A log record is kept whatever its ids are; only valid ones stand in its row."""
    request = logs(LogRecord(trace_id=trace_id, span_id=span_id))
    assert codec.check(RequestKind.LOGS, request.SerializeToString()) == Checked(1, 0)
    row = only_row(codec, request)
    assert (row["TraceId"], row["SpanId"]) == ("", "")


@pytest.mark.parametrize(("severity", "expected"), [(0, 0), (24, 24), (25, 0), (-1, 0), (256 + 9, 0)])
def test_unknown_severity_counts_as_unspecified(codec: Codec, severity: int, expected: int) -> None:
    """Severities stand as numbers from 1 to 24, or 0."""
    record = LogRecord()
    record.severity_number = severity  # type: ignore[assignment]  # an open enumeration
    assert only_row(codec, logs(record))["SeverityNumber"] == expected
