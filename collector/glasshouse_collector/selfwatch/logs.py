"""Python's log records of the collector as OpenTelemetry log records."""

import logging
import time
from collections import OrderedDict

from opentelemetry import context
from opentelemetry._logs import LoggerProvider, LogRecord, SeverityNumber
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.semconv.attributes.code_attributes import (
    CODE_FILE_PATH,
    CODE_FUNCTION_NAME,
    CODE_LINE_NUMBER,
)

LEVELS = {
    "glasshouse_collector": logging.INFO,
    "glasshouse_exporters": logging.WARNING,
    "glasshouse_alerts": logging.WARNING,
    "glasshouse": logging.WARNING,
}
"""The loggers that are watched, and from which level on."""

_PER_LINE = 10
_WINDOW_SECONDS = 60.0
_LINES = 1024

_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.NOTSET, SeverityNumber.DEBUG),
)


class LineLimit:
    """Lets each line of code log a few records a minute.

    A failure whose report is itself what fails next (a store that refuses every batch) would
    otherwise report forever, as fast as it can.
    """

    def __init__(self) -> None:
        self._windows: OrderedDict[tuple[str, int], tuple[float, int]] = OrderedDict()

    def allows(self, record: logging.LogRecord, now: float) -> bool:
        """Count `record` in its line's minute at `now` (seconds); False when it is one too many."""
        line = (record.pathname, record.lineno)
        began, count = self._windows.pop(line, (now, 0))
        if now - began >= _WINDOW_SECONDS:
            began, count = now, 0
        self._windows[line] = (began, count + 1)
        if len(self._windows) > _LINES:
            self._windows.popitem(last=False)
        return count < _PER_LINE


class SelfLogHandler(logging.Handler):
    """Emits each Python log record to `provider`, unless the telemetry's own storing caused it."""

    def __init__(self, provider: LoggerProvider, level: int) -> None:
        super().__init__(level)
        self._provider = provider
        self._limit = LineLimit()

    def emit(self, record: logging.LogRecord) -> None:
        """Translate and queue one record; never blocks on its delivery."""
        if not is_instrumentation_enabled() or not self._limit.allows(record, time.monotonic()):
            return
        try:
            self._provider.get_logger(record.name).emit(_translate(record))
        except Exception:  # noqa: BLE001  (logging never fails its caller)
            self.handleError(record)


def _translate(record: logging.LogRecord) -> LogRecord:
    severity = next(severity for level, severity in _SEVERITIES if record.levelno >= level)
    return LogRecord(
        timestamp=int(record.created * 1e9),
        observed_timestamp=time.time_ns(),
        context=context.get_current(),
        severity_text=severity.name,
        severity_number=severity,
        body=record.getMessage(),
        attributes={
            CODE_FILE_PATH: record.pathname,
            CODE_FUNCTION_NAME: record.funcName or "",
            CODE_LINE_NUMBER: record.lineno,
        },
        exception=record.exc_info[1] if record.exc_info else None,
    )
