"""`capture_exception`: what is found, where it goes, and what is left out."""

import pickle
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import StatusCode

from glasshouse import errors
from glasshouse.context import bind
from glasshouse.errors import Severity, capture_exception, capture_uncaught
from glasshouse.tracing import span
from memory_telemetry import MemoryTelemetry, attributes, identity


class PaymentError(Exception):
    """An exception with a module in its name."""


def fail(error: Exception) -> None:
    """Raise."""
    raise error


def capture_in_span(error: Exception, name: str) -> None:
    """Raise in a span, capture there, and let the exception leave the span."""

    @span(name)
    def work() -> None:
        try:
            fail(error)
        except type(error):
            capture_exception()
            raise

    with pytest.raises(type(error)):
        work()


def test_an_exception_becomes_a_log_record_by_the_conventions(telemetry: MemoryTelemetry) -> None:
    """With its operation, severity and context, in the span that is current."""
    try:
        fail(PaymentError("card declined"))
    except PaymentError as exc:
        with span("checkout"), bind(user_id=42):
            capture_exception(exc, operation="checkout", severity="critical", cart_id=7)
    record = telemetry.record()
    assert record.body.endswith("PaymentError: card declined")
    assert (record.severity_number, record.severity_text) == (SeverityNumber.FATAL, "FATAL")
    assert (record.trace_id, record.span_id) == identity(telemetry.span("checkout"))
    found = dict(attributes(record))
    assert found.pop("exception.stacktrace").startswith("Traceback (most recent call last):\n")
    assert found == {
        "exception.type": f"{__name__}.PaymentError",
        "exception.message": "card declined",
        "operation": "checkout",
        "status": "error",
        "glasshouse.severity": "critical",
        "cart.id": 7,
        "user.id": 42,
    }


def test_the_current_span_gets_the_event_and_the_status(telemetry: MemoryTelemetry) -> None:
    """Once, though the exception leaves it after it was captured."""
    capture_in_span(PaymentError("card declined"), "checkout")
    finished = telemetry.span("checkout")
    (event,) = finished.events
    assert attributes(event)["exception.message"] == "card declined"
    assert finished.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize(
    ("severity", "number"),
    [
        ("critical", SeverityNumber.FATAL),
        ("high", SeverityNumber.ERROR),
        ("medium", SeverityNumber.ERROR),
        ("low", SeverityNumber.WARN),
    ],
)
def test_the_severity_decides_the_number(
    severity: Severity, number: SeverityNumber, telemetry: MemoryTelemetry
) -> None:
    """Errors of high and medium severity are told apart by the attribute."""
    capture_exception(ValueError("x"), severity=severity)
    assert telemetry.record().severity_number is number
    assert attributes(telemetry.record())["glasshouse.severity"] == severity


def test_without_an_exception_the_stack_is_the_callers(telemetry: MemoryTelemetry) -> None:
    """It ends with the line that called, not with ours."""
    capture_exception(operation="check_balance", severity="low")
    found = attributes(telemetry.record())
    assert found["exception.message"] == "check_balance"
    assert "exception.type" not in found
    last = found["exception.stacktrace"].strip().splitlines()[-2:]
    assert __file__ in last[0]
    assert "capture_exception(operation=" in last[1]


def test_an_exception_never_raised_has_the_callers_stack(telemetry: MemoryTelemetry) -> None:
    """For it has none of its own."""
    capture_exception(ValueError("made, not raised"))
    stack_trace = attributes(telemetry.record())["exception.stacktrace"]
    assert "test_an_exception_never_raised" in stack_trace
    assert stack_trace.endswith("ValueError: made, not raised\n")


def test_what_is_said_explicitly_replaces_what_was_found(telemetry: MemoryTelemetry) -> None:
    """As for the error of another service."""
    capture_exception(
        error_type="UpstreamError", error_message="503", stack_trace="at Main.java:3", context={"user_id": 1}
    )
    found = attributes(telemetry.record())
    assert found["exception.type"] == "UpstreamError"
    assert found["exception.message"] == "503"
    assert found["exception.stacktrace"] == "at Main.java:3"
    assert found["user.id"] == 1


def test_causes_and_groups_are_in_the_stack_trace(telemetry: MemoryTelemetry) -> None:
    """As Python itself shows them."""
    try:
        try:
            fail(KeyError("inner"))
        except KeyError as inner:
            raise ExceptionGroup("several", [ValueError("one"), TypeError("two")]) from inner
    except ExceptionGroup as group:
        capture_exception(group)
    stack_trace = attributes(telemetry.record())["exception.stacktrace"]
    for part in ("KeyError: 'inner'", "direct cause", "ValueError: one", "TypeError: two"):
        assert part in stack_trace


def test_a_stack_trace_without_end_keeps_its_start_and_its_end(telemetry: MemoryTelemetry) -> None:
    """At most some 65,000 characters of it."""
    capture_exception(error_message="m", stack_trace="start" + "x" * 1_000_000 + "end")
    stack_trace = attributes(telemetry.record())["exception.stacktrace"]
    assert len(stack_trace) < 66_000
    assert stack_trace.startswith("startx")
    assert stack_trace.endswith("xend")
    assert "934472 characters left out" in stack_trace


def test_hostile_exceptions_are_captured(telemetry: MemoryTelemetry) -> None:
    """Without text, frozen, with text that is no UTF-8, endless."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    @dataclass(frozen=True)
    class Frozen(Exception):
        code: int

        def __str__(self) -> str:
            return f"code {self.code}"

    for hostile in (Mute(), Frozen(1), ValueError("\ud800"), ValueError("x" * 100_000)):
        capture_in_span(hostile, "work")
    messages = [attributes(record)["exception.message"] for record in telemetry.records()]
    assert messages == ["<Mute that cannot be shown>", "code 1", "?", "x" * 16_384]
    assert [len(each.events) for each in telemetry.finished.get_finished_spans()] == [1] * 4
    for record in telemetry.records():
        attributes(record)["exception.stacktrace"].encode()


@pytest.mark.parametrize(
    "call",
    [
        lambda: capture_exception("text"),  # type: ignore[arg-type]
        lambda: capture_exception(severity="fatal"),  # type: ignore[arg-type]
    ],
)
def test_misuse_is_shown_in_tests_and_logged_in_production(
    call: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It never raises where an error is being handled."""
    with pytest.raises((TypeError, ValueError), match=r"takes an exception|severity: should be one of"):
        call()
    monkeypatch.delenv("PYTEST_VERSION")
    call()
    assert "capture_exception failed" in caplog.text


def test_an_uncaught_exception_belongs_to_the_span_that_it_left(telemetry: MemoryTelemetry) -> None:
    """Though no span is current any more where it is captured, and it crossed a thread."""
    try:
        with span("outer"), span("inner"):
            fail(ValueError("broken"))
    except ValueError as exc:
        thread = threading.Thread(target=capture_uncaught, args=(exc, "high"))
    thread.start()
    thread.join()
    record = telemetry.record()
    assert (record.trace_id, record.span_id) == identity(telemetry.span("inner"))


def test_what_was_captured_on_its_way_is_not_captured_as_uncaught(telemetry: MemoryTelemetry) -> None:
    """An error counts once."""
    error = ValueError("broken")
    capture_exception(error)
    capture_uncaught(error, "high")
    assert len(telemetry.records()) == 1


def test_a_pickled_exception_is_no_ones_and_needs_nothing_of_ours(telemetry: MemoryTelemetry) -> None:
    """What is noted on it is a string, which means nothing in another process."""
    error = ValueError("broken")
    capture_exception(error)
    travelled = pickle.loads(pickle.dumps(error))
    assert all(type(value) is str for value in vars(travelled).values())
    vars(travelled)["_glasshouse_recorded"] = "1" + vars(travelled)["_glasshouse_recorded"]
    capture_uncaught(travelled, "high")
    assert len(telemetry.records()) == 2


def test_a_failing_reporter_does_not_keep_the_error_from_others(
    telemetry: MemoryTelemetry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The failure is logged."""
    told: list[object] = []

    def refuse(error: object) -> None:
        raise RuntimeError(f"no way to tell {error}")

    monkeypatch.delenv("PYTEST_VERSION")
    monkeypatch.setattr(errors, "reporters", [refuse, told.append])
    capture_exception(ValueError("x"))
    assert len(told) == 1
    assert len(telemetry.records()) == 1
    assert "reporting a captured error failed: RuntimeError" in caplog.text
