"""The standard library's logging: each record is exported once, with its span and its exception."""

from collections.abc import Callable

from sent_telemetry import Sent

PROGRAM = """
import logging

from opentelemetry import trace

log = logging.getLogger("shop.cart")
with trace.get_tracer("shop").start_as_current_span("checkout"):
    log.warning("%d left", 2, extra={"item": 7, "colours": ["red", "blue"]})
try:
    0 / 0
except ZeroDivisionError:
    log.exception("no price")
log.info("below the level of a library", extra={"kept": True})
log.debug("not exported")
"""


def test_log_records_are_exported(run: Callable[..., Sent]) -> None:
    """Severity, logger, extra fields, trace and exception by the conventions."""
    sent = run(PROGRAM)
    left, failed, told = sent.records("shop.cart")
    span = sent.span("INTERNAL")
    assert (left.body, left.severity) == ("2 left", "WARN")
    assert (left.trace_id, left.span_id) == (span.trace_id, span.span_id)
    assert left.attributes["item"] == 7
    assert (failed.body, failed.severity, failed.trace_id) == ("no price", "ERROR", "")
    assert failed.attributes["exception.type"] == "ZeroDivisionError"
    assert failed.attributes["exception.message"] == "division by zero"
    assert "0 / 0" in failed.attributes["exception.stacktrace"]
    assert (told.severity, told.attributes["kept"]) == ("INFO", True)


def test_the_level_is_a_setting(run: Callable[..., Sent]) -> None:
    """Of all loggers, or of one."""
    variables = {"GLASSHOUSE_LOG_LEVEL": "ERROR", "GLASSHOUSE_LOG_LEVELS": "shop.cart=DEBUG"}
    source = PROGRAM + 'logging.getLogger("other").warning("too low")\n'
    sent = run(source, **variables)
    assert [record.body for record in sent.records("shop.cart")][-1] == "not exported"
    assert sent.records("other") == []
