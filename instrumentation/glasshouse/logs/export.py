"""What is logged, into the OpenTelemetry logs pipeline.

Not the handler of opentelemetry-instrumentation-logging (0.66b1). That one sits on the root logger, and so
misses loggers that do not propagate (uvicorn's are such) and goes when an application clears the handlers; it
names attributes as structlog's formatter leaves them, mappings and internals included; text that is not valid
UTF-8 makes its whole batch fail to be encoded; it exports what the exporting itself logs, urllib3's debug
lines say, which makes more to export each time; and it cannot be taken out again.
"""

import logging
import os
import time
from contextvars import ContextVar
from typing import ClassVar

from opentelemetry._logs import Logger, LoggerProvider, LogRecord
from opentelemetry._logs._internal import ProxyLoggerProvider
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_current
from opentelemetry.instrumentation.log_utils import std_to_otel
from opentelemetry.sdk._logs import Logger as SDKLogger
from opentelemetry.sdk._logs import LogRecordLimits, ReadWriteLogRecord
from opentelemetry.sdk.environment_variables import (
    OTEL_ATTRIBUTE_COUNT_LIMIT,
    OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT,
    OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT,
    OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT,
)

from glasshouse.context import bound
from glasshouse.logs.entry import CAPTURED, OWN, Entry

_SEVERITY_TEXT = {"WARNING": "WARN", "CRITICAL": "FATAL"}
# They speak of the way out, and would feed it.
_OF_THE_WAY_OUT = ("opentelemetry.exporter", "opentelemetry.sdk", "glasshouse.delivery")
_OFFICIAL_HANDLERS = ("opentelemetry.instrumentation.logging.handler", "opentelemetry.sdk._logs._internal")

_LIMITS = (
    OTEL_ATTRIBUTE_COUNT_LIMIT,
    OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT,
    OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT,
    OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT,
)

_exporting: ContextVar[bool] = ContextVar("glasshouse_exporting_log", default=False)


class _Clean(ReadWriteLogRecord):
    """A record whose attributes are as the SDK wants them, and have what is bound.

    Made so a second time, they would cost a third more.
    """

    glasshouse_stamped: ClassVar = True

    def __post_init__(self) -> None:
        """Leave the attributes as they are."""


class _Record(LogRecord):
    """A record that is copied without a detour: the batch processor does that to each."""

    def __copy__(self) -> LogRecord:
        copied = object.__new__(LogRecord)
        copied.__dict__.update(self.__dict__)
        return copied


class Export:
    """Hands entries to a logger provider, under the names of their loggers; never what exporting itself logs.

    With `own_only`, of the records of `logging` only those that Glasshouse's loggers made.
    """

    def __init__(self, provider: LoggerProvider, *, own_only: bool = False) -> None:
        self._provider = provider
        self._own_only = own_only
        self._ended = False
        self._least = _level("OTEL_PYTHON_LOG_HANDLER_LEVEL")
        self._loggers: dict[str, Logger] = {}
        self._code_attributes = _flag("OTEL_PYTHON_LOG_CODE_ATTRIBUTES")
        # Entries are within these already, unless a variable asks for less.
        asked_for_less = any(os.environ.get(variable) for variable in _LIMITS)
        self._limits = None if asked_for_less else LogRecordLimits()

    def wants(self, name: str, level: int) -> bool:
        """Whether something that the logger `name` logs, here and now, is to be exported."""
        if self._ended or level < self._least or _exporting.get() or name.startswith(_OF_THE_WAY_OUT):
            return False
        # The SDK sets this where it exports; what is logged then, by whatever library, is of the exporting.
        return not get_current().get(_SUPPRESS_INSTRUMENTATION_KEY)

    def end(self) -> None:
        """Export nothing from now on: the provider is about to end."""
        self._ended = True

    def wants_record(self, record: logging.LogRecord) -> bool:
        """Whether a record of `logging` is to be exported."""
        about = record.__dict__
        if CAPTURED in about or (self._own_only and OWN not in about):
            return False
        return self.wants(record.name, record.levelno)

    def is_exported_by_handler(self, logger: logging.Logger, level: int) -> bool:
        """Whether a handler of OpenTelemetry's own gives what this logger logs to the same provider."""
        current: logging.Logger | None = logger
        while current is not None:
            for handler in current.handlers:
                if (
                    type(handler).__module__ in _OFFICIAL_HANDLERS
                    and level >= handler.level
                    and self._is_mine(handler)
                ):
                    return True
            current = current.parent if current.propagate else None
        return False

    def record(self, record: logging.LogRecord, entry: Entry) -> None:
        """Export a record of `logging`."""
        attributes = {**bound(), **entry.error, **entry.fields}
        if self._code_attributes:
            attributes |= {
                "code.file.path": record.pathname,
                "code.function.name": record.funcName,
                "code.line.number": record.lineno,
            }
        logger = self._logger(record.name)
        log_record = _Record(
            timestamp=int(record.created * 1e9),
            observed_timestamp=time.time_ns(),
            context=get_current(),
            severity_text=_SEVERITY_TEXT.get(record.levelname, record.levelname),
            severity_number=std_to_otel(record.levelno),
            body=entry.message,
            attributes=attributes,
            event_name=entry.event_name,
        )
        if self._limits is not None and isinstance(logger, SDKLogger):
            scope = logger.instrumentation_scope
            logger.emit(_Clean(log_record, logger.resource, scope, self._limits))  # type: ignore[arg-type]
        else:
            logger.emit(log_record)

    def event(self, name: str, level: int, entry: Entry) -> None:
        """Export something that is logged now, not through `logging`, at one of its levels."""
        token = _exporting.set(True)
        try:
            self.record(logging.LogRecord(name, level, "", 0, "", None, None), entry)
        finally:
            _exporting.reset(token)

    def _logger(self, name: str) -> Logger:
        found = self._loggers.get(name)
        if found is None:
            found = self._loggers[name] = self._provider.get_logger(name)
        return found

    def _is_mine(self, handler: logging.Handler) -> bool:
        # A handler with a provider of its own sends elsewhere: that is not twice.
        provider = getattr(handler, "_logger_provider", None)
        return provider is self._provider or isinstance(provider, ProxyLoggerProvider)


def _level(variable: str) -> int:
    return logging.getLevelNamesMapping().get(os.environ.get(variable, "").strip().upper(), logging.NOTSET)


def _flag(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() == "true"
