"""The structured logger: structlog's, straight onto a `logging` logger, without a chain of processors."""

import logging
import sys
import traceback
from collections.abc import Mapping
from types import FrameType
from typing import Any

import structlog.stdlib

from glasshouse.failures import contained
from glasshouse.logs.entry import FIELDS, OWN, SPREAD, STANDARD

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
    "critical": logging.CRITICAL,
    "fatal": logging.CRITICAL,
}
# What other systems' loggers call the fields of the exception conventions.
_RENAMED = {
    "error_type": "exception.type",
    "error_message": "exception.message",
    "stack_trace": "exception.stacktrace",
}
_SPECIAL = STANDARD | {*SPREAD, *_RENAMED, "exc_info", "exception", "stack_info", "stacklevel"}
_OWN_FILES = frozenset({__file__, structlog.stdlib.__file__})


class Logger(structlog.stdlib.BoundLogger):
    """A structlog logger: `log.info("order placed", order_id=42, operation="checkout", status="success")`.

    Keyword fields become attributes; `log.bind(…)` returns a logger that has some on all it logs. `exc_info`
    takes True or an exception; True outside of an `except` block gives the stack of the caller. Never raises.
    """

    def log(self, level: int, event: str | None = None, *args: Any, **kw: Any) -> Any:
        """Log at a level that is a number."""
        self._log(level, event, args, kw)

    def _proxy_to_logger(
        self, method_name: str, event: str | None = None, *event_args: Any, **kw: Any
    ) -> Any:
        self._log(_LEVELS[method_name], event, event_args, kw)

    def _log(self, level: int, event: object, args: tuple[Any, ...], kw: dict[str, Any]) -> None:
        logger = self._logger
        if not logger.isEnabledFor(level):
            return
        try:
            logger.handle(_record(logger, level, event, args, {**self._context, **kw}))
        except Exception:
            with contained("logging"):
                raise


def named(name: str | None, fields: Mapping[str, Any]) -> Logger:
    """Return a logger on the `logging` logger of this name."""
    return Logger(logging.getLogger(name), processors=(), context=dict(fields))


def _record(
    logger: logging.Logger, level: int, event: object, args: tuple[Any, ...], fields: dict[str, Any]
) -> logging.LogRecord:
    special = not _SPECIAL.isdisjoint(fields)
    exc_info, stack_info = _error(fields) if special else (None, False)
    caller = _caller(fields.pop("stacklevel", 1) if special else 1)
    record = logger.makeRecord(
        logger.name,
        level,
        caller.f_code.co_filename,
        caller.f_lineno,
        "" if event is None else event,
        args,
        exc_info,
        caller.f_code.co_name,
        None,
        "".join(["Stack (most recent call last):\n", *traceback.format_stack(caller)])
        if stack_info
        else None,
    )
    if special:
        _put_special(record, fields)
    record.__dict__.update(fields)
    record.__dict__[OWN] = True
    return record


def _put_special(record: logging.LogRecord, fields: dict[str, Any]) -> None:
    for name in SPREAD:
        if isinstance(fields.get(name), Mapping):
            fields.update(fields.pop(name))
    for name in _RENAMED.keys() & fields.keys():
        fields[_RENAMED[name]] = fields.pop(name)
    clashing = {name: fields.pop(name) for name in STANDARD.intersection(fields)}
    if clashing:
        # A field may be called `module` or `name`; on the record itself these say something else.
        record.__dict__[FIELDS] = clashing


def _caller(level: int) -> FrameType:
    frame = sys._getframe(1)  # noqa: SLF001 - as `logging` does
    while frame.f_back is not None and (frame.f_code.co_filename in _OWN_FILES or level > 1):
        if frame.f_code.co_filename not in _OWN_FILES:
            level -= 1
        frame = frame.f_back
    return frame


def _error(fields: dict[str, Any]) -> tuple[Any, bool]:
    given = fields.pop("exc_info", None)
    stack_info = bool(fields.pop("stack_info", False))
    if isinstance(fields.get("exception"), BaseException):
        given = fields.pop("exception")
    if isinstance(given, BaseException):
        return (type(given), given, given.__traceback__), stack_info
    if isinstance(given, tuple):
        return given, stack_info
    if not given:
        return None, stack_info
    current = sys.exc_info()
    return (current, stack_info) if current[1] is not None else (None, True)
