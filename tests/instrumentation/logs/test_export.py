"""What is logged is exported: with its trace, its fields and its exception, once each."""

import io
import logging
import logging.config
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber, get_logger_provider
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

from glasshouse import bind
from glasshouse.logs import get_logger
from memory_telemetry import MemoryTelemetry, attributes
from otlp_listener import listen

Install = Callable[..., Callable[[], None]]


def test_a_logging_call_is_exported(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """With message, severity, logger, fields, what is bound, and the ids of the current span."""
    install()
    with trace.get_tracer(__name__).start_as_current_span("checkout") as span, bind(user_id="u1"):
        application.warning("order %d placed", 42, extra={"order_id": 42, "ratio": 0.5})
    record = telemetry.record()
    assert record.body == "order 42 placed"
    assert (record.severity_text, record.severity_number) == ("WARN", SeverityNumber.WARN)
    assert (record.trace_id, record.span_id) == (
        span.get_span_context().trace_id,
        span.get_span_context().span_id,
    )
    assert attributes(record) == {"order.id": 42, "ratio": 0.5, "user.id": "u1"}
    (emitted,) = telemetry.emitted.get_finished_logs()
    assert emitted.instrumentation_scope
    assert emitted.instrumentation_scope.name == "shop.cart"


def test_a_structured_call_is_exported_once(install: Install, telemetry: MemoryTelemetry) -> None:
    """It goes through `logging`, where it is taken, and nowhere else."""
    install()
    get_logger("shop.cart").info("order placed", order_id=42, operation="checkout", status="success")
    record = telemetry.record()
    assert record.body == "order placed"
    assert attributes(record) == {"order.id": 42, "operation": "checkout", "status": "success"}


def test_loggers_that_do_not_propagate_are_exported(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """As uvicorn's, which a handler on the root logger would never see."""
    install()
    application.propagate = False
    application.info("GET / 200")
    assert telemetry.record().body == "GET / 200"


def test_an_application_that_sets_up_logging_later_is_exported_once(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """Its dictConfig removes handlers, and adds its own; the export is no handler."""
    install()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"null": {"class": "logging.NullHandler"}},
            "root": {"handlers": ["null"], "level": "INFO"},
        }
    )
    application.info("still here")
    assert telemetry.record().body == "still here"


def test_the_official_handler_beside_it_does_not_double(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """What OpenTelemetry's own handler gives to the same provider is left to it."""
    install()
    handler = LoggingHandler(logger_provider=get_logger_provider())
    logging.getLogger().addHandler(handler)
    application.info("once")
    assert telemetry.record().body == "once"
    logging.getLogger().handlers = [LoggingHandler(logger_provider=LoggerProvider())]
    application.info("also to us")
    assert [record.body for record in telemetry.records()] == ["once", "also to us"]


def test_a_record_that_passes_twice_is_exported_once(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """As with a queue whose listener hands records to loggers again, or with this installed over itself."""
    install()
    install()
    record = application.makeRecord("shop.cart", logging.INFO, __file__, 1, "queued", (), None)
    application.handle(record)
    application.handle(record)
    assert telemetry.record().body == "queued"


def test_an_exception_is_exported_by_the_conventions(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """Its qualified type, its message and its stack trace."""
    install()
    try:
        raise io.UnsupportedOperation("no")  # noqa: TRY301 - one line says it
    except io.UnsupportedOperation:
        application.exception("failed")
    found = attributes(telemetry.record())
    assert found["exception.type"] == "io.UnsupportedOperation"
    assert found["exception.message"] == "no"
    assert "test_an_exception_is_exported_by_the_conventions" in found["exception.stacktrace"]


class _Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "value",
    ["\udc80 of a file name", 1 << 80, _Hostile(), {"a": {1: [{2}]}}, float("nan"), b"\xff", object()],
)
def test_whatever_is_logged_can_be_encoded(
    value: object, install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """One value that cannot be encoded would cost its whole batch."""
    install()
    application.info(value, extra={"field": value})
    application.info("%s", value, extra={"nested": {"list": [value, value]}})
    encoded = encode_logs(telemetry.emitted.get_finished_logs())
    scopes = encoded.resource_logs[0].scope_logs[0]
    assert [each.body.WhichOneof("value") for each in scopes.log_records] == ["string_value", "string_value"]


def test_arguments_that_do_not_fit_are_exported_as_they_are(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """Python's own handlers show only a complaint."""
    install()
    logging.getLogger().addHandler(logging.NullHandler())
    application.info("%d orders", "many")
    assert telemetry.record().body == "%d orders ('many',)"


def test_a_value_that_logs_when_it_is_written_ends(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """What is logged while a record is read goes to the application's handlers alone."""
    install()

    class Loud:
        def __str__(self) -> str:
            application.info("written: %s", self)
            return "loud"

    application.info("see", extra={"value": Loud()})
    assert [record.body for record in telemetry.records()] == ["see"]


def test_what_the_exporting_logs_is_not_exported(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """Neither the SDK's own words nor those of libraries that it uses, as urllib3's for each request."""
    install(log_level="DEBUG")
    with suppress_instrumentation():
        logging.getLogger("urllib3.connectionpool").debug("POST /v1/logs 200")
    logging.getLogger("opentelemetry.exporter.otlp.proto.http").warning("transient error")
    assert telemetry.records() == []
    with listen() as listening:
        provider = get_logger_provider()
        assert isinstance(provider, LoggerProvider)
        provider.add_log_record_processor(
            BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{listening.url}/v1/logs"))
        )
        application.debug("one")
        for _ in range(3):
            provider.force_flush()
        sent = [ExportLogsServiceRequest.FromString(each.payload) for each in listening.requests]
    bodies = [
        record.body.string_value
        for request in sent
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]
    assert bodies == ["one"]


def test_the_limits_of_the_sdk_are_kept(
    install: Install, application: logging.Logger, monkeypatch: pytest.MonkeyPatch, telemetry: MemoryTelemetry
) -> None:
    """A variable that asks for shorter values has its way."""
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5")
    provider = get_logger_provider()
    assert isinstance(provider, LoggerProvider)
    monkeypatch.setattr(provider, "_log_record_limits", type(provider._log_record_limits)())
    install()
    application.info("cut", extra={"field": "1234567890"})
    assert attributes(telemetry.record()) == {"field": "12345"}


def test_capturing_can_be_off(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """What the application logs through `logging` stays away then; our own loggers still export."""
    install(capture_logging=False)
    application.error("private")
    get_logger("shop.cart").info("ours")
    assert telemetry.record().body == "ours"


def test_opentelemetry_variables_are_honoured(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of opentelemetry-instrumentation-logging, which this stands in for."""
    monkeypatch.setenv("OTEL_PYTHON_LOG_CODE_ATTRIBUTES", "true")
    monkeypatch.setenv("OTEL_PYTHON_LOG_HANDLER_LEVEL", "warning")
    install()
    application.info("too low")
    application.warning("here")
    found = attributes(telemetry.record())
    assert found["code.function.name"] == "test_opentelemetry_variables_are_honoured"
    assert found["code.file.path"] == __file__


def test_an_event_name_is_one(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """`event.name` among the fields names the record, as the conventions have it."""
    install()
    application.info("paid", extra={"event.name": "shop.paid"})
    assert telemetry.record().event_name == "shop.paid"
    assert attributes(telemetry.record()) == {}


def test_after_undo_nothing_is_exported(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """And another installation works."""
    install()()
    application.warning("unseen")
    assert telemetry.records() == []
    install()
    application.warning("seen")
    assert telemetry.record().body == "seen"


def _to_print(stream: io.StringIO) -> dict[str, Any]:
    return {
        "processors": [structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        "logger_factory": structlog.PrintLoggerFactory(stream),
    }


def _to_logging(_stream: io.StringIO) -> dict[str, Any]:
    return {
        "processors": [structlog.stdlib.add_log_level, structlog.processors.JSONRenderer()],
        "logger_factory": structlog.stdlib.LoggerFactory(),
        "wrapper_class": structlog.stdlib.BoundLogger,
    }


def _to_formatter(_stream: io.StringIO) -> dict[str, Any]:
    return {
        "processors": [structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        "logger_factory": structlog.stdlib.LoggerFactory(),
        "wrapper_class": structlog.stdlib.BoundLogger,
    }


def _to_keywords(_stream: io.StringIO) -> dict[str, Any]:
    return {
        "processors": (structlog.stdlib.render_to_log_kwargs,),
        "logger_factory": structlog.stdlib.LoggerFactory(),
        "wrapper_class": structlog.stdlib.BoundLogger,
    }


@pytest.mark.parametrize("configuration", [_to_print, _to_logging, _to_formatter, _to_keywords])
@pytest.mark.parametrize("before", [True, False])
def test_an_applications_structlog_is_exported_once(
    configuration: Callable[[io.StringIO], dict[str, Any]],
    before: bool,
    install: Install,
    telemetry: MemoryTelemetry,
) -> None:
    """With its fields, however it is set up, before or after, and it renders what it rendered."""
    stream = io.StringIO()
    if before:
        structlog.configure(**configuration(stream))
    undo = install()
    if not before:
        structlog.configure(**configuration(stream))
    log = structlog.get_logger("shop.cart").bind(order_id=42)
    try:
        raise KeyError("sku")  # noqa: TRY301 - one line says it
    except KeyError:
        log.error("failed", exc_info=True)  # noqa: G201 - of structlog
    record = telemetry.record()
    assert (record.body, record.severity_text) == ("failed", "ERROR")
    found = attributes(record)
    assert found["order.id"] == 42
    assert found["exception.type"] == "KeyError"
    undo()
    log.error("after")
    assert telemetry.record().body == "failed"
    assert (stream.getvalue().count('"event": "failed"') == 1) is (configuration is _to_print)
