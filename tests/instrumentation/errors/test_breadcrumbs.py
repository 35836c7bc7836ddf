"""Breadcrumbs: the last log records of a trace, attached to its error."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import _logs
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadWriteLogRecord

from glasshouse.breadcrumbs import Trail
from glasshouse.errors import capture_exception
from glasshouse.heartbeat import heartbeat
from glasshouse.settings import Settings
from glasshouse.tracing import span
from memory_telemetry import MemoryTelemetry, attributes, memory_telemetry


def log(message: Any) -> None:
    """Emit a log record."""
    _logs.get_logger("app.cart").emit(
        timestamp=1_700_000_000_123_456_789,
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        body=message,
    )


def crumbs(telemetry: MemoryTelemetry) -> list[str]:
    """Return the messages of the breadcrumbs of the last captured error."""
    attached = attributes(telemetry.records()[-1]).get("glasshouse.breadcrumbs", ())
    return [crumb["message"] for crumb in attached]


def test_an_error_has_the_records_before_it(telemetry: MemoryTelemetry) -> None:
    """Oldest first, each with its time, severity and logger."""
    log("cart opened")
    capture_exception(ValueError("x"))
    (crumb,) = attributes(telemetry.records()[-1])["glasshouse.breadcrumbs"]
    assert crumb == {
        "time": "2023-11-14T22:13:20.123Z",
        "severity": "INFO",
        "logger": "app.cart",
        "message": "cart opened",
    }


def test_requests_side_by_side_do_not_mix(telemetry: MemoryTelemetry) -> None:
    """The records of the error's own trace count, and outside of any trace those of none."""
    log("at start")
    with span("first"):
        log("of first")
    with span("second"):
        log("of second")
        capture_exception(ValueError("x"))
        assert crumbs(telemetry) == ["of second"]
    capture_exception(ValueError("y"))
    assert crumbs(telemetry) == ["at start"]


def test_the_last_ones_are_kept_and_long_ones_cut() -> None:
    """As many as the setting says, 512 characters each; heartbeats tell nothing."""
    with memory_telemetry(Settings(breadcrumbs=3)) as telemetry:
        for number in range(5):
            log(f"{number}" * 600)
        heartbeat()
        capture_exception(ValueError("x"))
        assert crumbs(telemetry) == ["2" * 512, "3" * 512, "4" * 512]


def test_none_are_kept_where_the_setting_says_so() -> None:
    """Then the attribute is not there."""
    with memory_telemetry(Settings(breadcrumbs=0)) as telemetry:
        log("cart opened")
        capture_exception(ValueError("x"))
        assert "glasshouse.breadcrumbs" not in attributes(telemetry.records()[-1])


@given(st.lists(st.tuples(st.integers(0, 300), st.text(max_size=20)), max_size=400))
def test_memory_is_bounded_and_nothing_is_out_of_order(emitted: list[tuple[int, str]]) -> None:
    """At most 128 traces of at most `length` records each, always the last ones."""
    trail = Trail(4)
    for trace_id, message in emitted:
        record = LogRecord(body=message)
        record.trace_id = trace_id
        trail.on_emit(ReadWriteLogRecord(record))
    kept = {trace_id: trail.recent(trace_id) for trace_id in range(301)}
    assert sum(1 for trail_of in kept.values() if trail_of) <= 128
    for trace_id, trail_of in kept.items():
        sent = [message for each, message in emitted if each == trace_id]
        received = [crumb.message for crumb in trail_of]
        assert received == sent[len(sent) - len(received) :]
        assert len(received) <= 4
