"""A log record as it is exported and shown: its message, its fields, its exception."""

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from functools import cached_property
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeGuard

from opentelemetry.util.types import AttributeValue

from glasshouse.attributes import LONGEST_TEXT, MOST_ATTRIBUTES, attribute_name, attributes, text

OWN = "_glasshouse_own"
FIELDS = "_glasshouse_fields"
# On a record whose exception is a captured error already.
CAPTURED = "_glasshouse_captured"
SPREAD = ("extra", "context", "metadata")

# What `logging` puts on a record itself, and what formatters and OpenTelemetry's own instrumentation add.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime", "color_message", "message", "otelServiceName", "otelSpanID", "otelTraceID", "otelTraceSampled",
    "taskName",
}  # fmt: skip
_RECORD = logging.LogRecord
_STANDARD_COUNT = len(vars(logging.LogRecord("", 0, "", 0, "", None, None)))
_LARGEST = 1 << 63
_NOTHING: Mapping[str, AttributeValue] = MappingProxyType({})
# What structlog's processors leave among the fields, and a record says already.
_STRUCTLOG = frozenset(
    {
        "event",
        "exc_info",
        "exception",
        "level",
        "logger",
        "positional_args",
        "stack",
        "stack_info",
        "timestamp",
    }
)
_LONGEST_STACK_START = 16_384
_LONGEST_STACK_END = 49_152
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_EVENT_NAMES = ("otel.event.name", "event.name")


class Rendered(str):
    """What a structlog renderer wrote, and the fields that it wrote it from."""

    __slots__ = ("fields",)

    fields: Mapping[str, Any]

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


class Entry:
    """One thing that was logged. Nothing in it can fail to be encoded, and no text is without bounds."""

    def __init__(
        self,
        message: object,
        fields: Mapping[str, object],
        exception: BaseException | None = None,
        stack: str | None = None,
    ) -> None:
        self.message = message if _is_plain_text(message) else text(message)
        if "\x1b" in self.message:
            # Werkzeug's start, for one, is coloured on whatever console.
            self.message = _COLORS.sub("", self.message)
        self.exception = exception
        self.fields = _attributes(fields) if fields else {}
        self.event_name: str | None = None
        for name in _EVENT_NAMES:
            if name in self.fields:
                self.event_name = text(self.fields.pop(name))
        self._stack = stack

    @classmethod
    def of(cls, record: logging.LogRecord) -> "Entry":
        """Read a record of `logging`, whoever made it."""
        about = record.__dict__
        # What LogRecord sets itself comes first.
        items = islice(about.items(), _STANDARD_COUNT, None) if type(record) is _RECORD else about.items()
        fields = {name: value for name, value in items if name not in STANDARD and name[:1] != "_"}
        if FIELDS in about:
            fields.update(about[FIELDS])
        exception = _exception(record.exc_info) if record.exc_info else None
        written = record.msg
        if isinstance(written, Rendered):
            return cls.of_structlog({**fields, **written.fields}, exception)
        if isinstance(written, dict) and "event" in written:
            # structlog's ProcessorFormatter: the handler renders what is a mapping until then.
            return cls.of_structlog({**fields, **written}, exception)
        return cls(_message(record), fields, exception, record.stack_info)

    @classmethod
    def of_structlog(cls, event_dict: Mapping[str, Any], exception: BaseException | None = None) -> "Entry":
        """Read an event of structlog."""
        fields = {name: value for name, value in event_dict.items() if name not in _STRUCTLOG}
        exception = exception or _exception(event_dict.get("exc_info"))
        stack = event_dict.get("stack")
        formatted = event_dict.get("exception")
        if exception is None and isinstance(formatted, str):
            fields["exception.stacktrace"] = formatted
        return cls(event_dict.get("event", ""), fields, exception, stack if isinstance(stack, str) else None)

    @property
    def error(self) -> Mapping[str, AttributeValue]:
        """The attributes of the exception conventions, and the stack where one was asked for; or nothing."""
        return _NOTHING if self.exception is None and self._stack is None else self._error

    @cached_property
    def _error(self) -> dict[str, AttributeValue]:
        found: dict[str, AttributeValue] = {}
        if self.exception is not None:
            found["exception.type"] = _type_name(type(self.exception))
            found["exception.message"] = text(self.exception)
            found["exception.stacktrace"] = _cut(_traceback(self.exception))
        if self._stack:
            found["code.stacktrace"] = _cut(self._stack)
        return found


def _is_plain_text(value: object) -> TypeGuard[str]:
    return type(value) is str and value.isascii() and len(value) <= LONGEST_TEXT


def _attributes(fields: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Do what `attributes` does, in less time where nothing has to be made of the values, as is common."""
    found: dict[str, AttributeValue] = {}
    for name, value in fields.items():
        kind = type(value)
        plain = (
            (kind is str and value.isascii() and len(value) <= LONGEST_TEXT)
            or (kind is int and -_LARGEST < value < _LARGEST)
            or kind is float
            or kind is bool
        )
        if not (plain and name.isascii()):
            return attributes(fields)
        found[attribute_name(name)] = value
    return found if len(found) <= MOST_ATTRIBUTES else attributes(fields)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a message and arguments that do not fit; logging shows only a complaint
        return f"{text(record.msg)} {text(record.args)}"


def _exception(exc_info: object) -> BaseException | None:
    if exc_info is True:
        return sys.exc_info()[1]
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple) and len(exc_info) == 3 and isinstance(exc_info[1], BaseException):  # noqa: PLR2004 - (type, value, traceback)
        return exc_info[1]
    return None


def _type_name(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _traceback(exception: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(exception))
    except Exception:  # noqa: BLE001 - it shows the exception, whose __str__ may raise anything
        return "".join(traceback.format_tb(exception.__traceback__))


def _cut(stack: str) -> str:
    left_out = len(stack) - _LONGEST_STACK_START - _LONGEST_STACK_END
    if left_out > 0:
        start, end = stack[:_LONGEST_STACK_START], stack[-_LONGEST_STACK_END:]
        stack = f"{start}\n… {left_out} characters left out …\n{end}"
    return text(stack, len(stack))
