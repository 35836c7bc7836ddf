"""Captured errors: log records by the exception conventions, recorded on the current span too."""

import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Literal

from opentelemetry import _logs, trace
from opentelemetry import context as otel_context
from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AnyValue

from glasshouse._version import __version__
from glasshouse.attributes import attributes, text
from glasshouse.breadcrumbs import Breadcrumb, recent
from glasshouse.failures import contained, guarded

Severity = Literal["critical", "high", "medium", "low"]

SCOPE = "glasshouse.errors"
_SEVERITIES: Mapping[str, tuple[SeverityNumber, str]] = {
    "critical": (SeverityNumber.FATAL, "FATAL"),
    "high": (SeverityNumber.ERROR, "ERROR"),
    "medium": (SeverityNumber.ERROR, "ERROR"),
    "low": (SeverityNumber.WARN, "WARN"),
}
_LONGEST_STACK_START = 16_384
_LONGEST_STACK_END = 49_152
_LONGEST_STATUS = 1024
# Other systems' words for "here come more attributes".
_SPREAD = ("context", "metadata", "extra")
_MARK = "_glasshouse_recorded"
_OWN_FILES = f"{Path(__file__).parent}{os.sep}"


@dataclass(frozen=True, kw_only=True)
class CapturedError:
    """What a capture found, as every reporter gets it."""

    exc: BaseException | None
    type: str | None
    message: str
    stack_trace: str
    operation: str | None
    severity: Severity
    handled: bool
    context: Mapping[str, AnyValue] = field(default_factory=dict)
    breadcrumbs: Sequence[Breadcrumb] = ()


Reporter = Callable[[CapturedError], None]

reporters: list[Reporter] = []
"""Who else is told of each captured error, with the span that it belongs to as the current one."""


@guarded
def capture_exception(  # noqa: PLR0913 - each is a field that other systems have
    exc: BaseException | None = None,
    /,
    *,
    operation: str | None = None,
    severity: Severity = "medium",
    error_type: str | None = None,
    error_message: str | None = None,
    stack_trace: str | None = None,
    **context: object,
) -> None:
    """Capture an error: `exc`, else the exception being handled, else the place that this is called from.

    It becomes a log record with `exception.type`, `exception.message` and `exception.stacktrace` (the three
    arguments of those meanings replace what was found), `operation`, `glasshouse.severity`, the last log
    records as breadcrumbs, and `context` as attributes. The current span gets it as an event, once, and the
    status ERROR.
    """
    found = exc if exc is not None else sys.exc_info()[1]
    if found is not None and not isinstance(found, BaseException):
        raise TypeError(f"capture_exception() takes an exception, not {type(found).__name__}")
    if severity not in _SEVERITIES:
        raise ValueError(f"severity: should be one of {', '.join(_SEVERITIES)}, not {severity!r}")
    message = error_message if error_message is not None else _message(found, operation)
    capture(
        CapturedError(
            exc=found,
            type=error_type or (exception_type(found) if found is not None else None),
            message=text(message),
            stack_trace=_cut(stack_trace) if stack_trace is not None else _stack(found),
            operation=operation,
            severity=severity,
            handled=True,
            context=attributes(_spread(context)),
            breadcrumbs=recent(),
        )
    )


def capture_uncaught(exc: BaseException, severity: Severity, **context: object) -> None:
    """Capture an exception that no code caught, unless it was captured before on its way."""
    if was_captured(exc, trace.get_current_span()):
        return
    capture(
        CapturedError(
            exc=exc,
            type=exception_type(exc),
            message=_message(exc, None),
            stack_trace=_stack(exc),
            operation=None,
            severity=severity,
            handled=False,
            context=attributes(context),
            breadcrumbs=recent(),
        )
    )


def capture(error: CapturedError) -> None:
    """Emit the log record, put the error on the current span, and tell the reporters."""
    current = trace.get_current_span()
    token = None
    if not current.get_span_context().is_valid and (where := home(error.exc)):
        # It left its span on its way here: what is emitted belongs there all the same.
        token = otel_context.attach(trace.set_span_in_context(trace.NonRecordingSpan(where)))
    try:
        _emit(error)
        for reporter in reporters:
            with contained("reporting a captured error"):
                reporter(error)
        _record(current, error)
    finally:
        if token is not None:
            otel_context.detach(token)


def record_on(span: trace.Span, exc: BaseException) -> None:
    """Give a span the status ERROR for an exception, and its event where no span of the trace has it yet."""
    if span.is_recording():
        _record(
            span,
            CapturedError(
                exc=exc,
                type=exception_type(exc),
                message=_message(exc, None),
                stack_trace="",
                operation=None,
                severity="medium",
                handled=False,
            ),
            captured=False,
        )


def exception_type(exc: BaseException) -> str:
    """Return the qualified name of an exception's class; built-in ones have no module in it."""
    kind = type(exc)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def exception_attributes(error: CapturedError) -> dict[str, AnyValue]:
    """Return the attributes of the exception conventions."""
    found = {
        "exception.type": error.type,
        "exception.message": error.message,
        "exception.stacktrace": error.stack_trace,
    }
    return {name: value for name, value in found.items() if value}


def _emit(error: CapturedError) -> None:
    number, severity_text = _SEVERITIES[error.severity]
    about: dict[str, AnyValue] = {**error.context, **exception_attributes(error)}
    about |= {"status": "error", "glasshouse.severity": error.severity}
    if error.operation:
        about["operation"] = text(error.operation)
    if error.breadcrumbs:
        about["glasshouse.breadcrumbs"] = [crumb.attributes() for crumb in error.breadcrumbs]
    _logs.get_logger(SCOPE, __version__).emit(
        severity_number=number,
        severity_text=severity_text,
        body=f"{error.type}: {error.message}" if error.type else error.message,
        attributes=about,
    )


def _record(span: trace.Span, error: CapturedError, *, captured: bool = True) -> None:
    here = span.get_span_context()
    mark = _Mark.of(error.exc)
    elsewhere = mark is None or mark.trace_id != here.trace_id
    if span.is_recording():
        if elsewhere:
            stack_trace = error.stack_trace or _stack(error.exc)
            event = {**exception_attributes(error), "exception.stacktrace": stack_trace}
            span.add_event("exception", attributes=event)
        if error.type:
            span.set_attribute("error.type", error.type)
        description = f"{error.type}: {error.message}" if error.type else error.message
        span.set_status(Status(StatusCode.ERROR, description[:_LONGEST_STATUS]))
    if error.exc is not None:
        where = here if elsewhere and here.is_valid else None
        _Mark.put(error.exc, where, captured=captured)


def home(exc: BaseException | None) -> SpanContext | None:
    """Return the span that an exception was recorded on, or None."""
    mark = _Mark.of(exc)
    if mark is None or not mark.trace_id:
        return None
    return SpanContext(mark.trace_id, mark.span_id, is_remote=False, trace_flags=TraceFlags(mark.flags))


def was_captured(exc: BaseException | None, span: trace.Span) -> bool:
    """Whether an exception was captured already, in the trace of `span` if both are in one."""
    mark = _Mark.of(exc)
    trace_id = span.get_span_context().trace_id
    return (
        mark is not None and mark.captured and (trace_id == mark.trace_id or 0 in {trace_id, mark.trace_id})
    )


@dataclass(frozen=True)
class _Mark:
    """Where an exception was recorded, kept on the exception itself, as it travels between threads.

    It is written as text with the process in it: a pickled exception means nothing elsewhere.
    """

    trace_id: int
    span_id: int
    flags: int
    captured: bool

    @classmethod
    def of(cls, exc: BaseException | None) -> "_Mark | None":
        written = getattr(exc, "__dict__", {}).get(_MARK)
        if not isinstance(written, str):
            return None
        process, trace_id, span_id, flags, captured = written.split("-")
        if int(process) != os.getpid():
            return None
        return cls(int(trace_id, 16), int(span_id, 16), int(flags), captured == "1")

    @classmethod
    def put(cls, exc: BaseException, where: SpanContext | None, *, captured: bool) -> None:
        before = cls.of(exc) or cls(0, 0, 0, captured=False)
        if where is not None:
            before = cls(where.trace_id, where.span_id, int(where.trace_flags), before.captured)
        written = (
            f"{os.getpid()}-{before.trace_id:x}-{before.span_id:x}-{before.flags}-"
            f"{int(before.captured or captured)}"
        )
        # Not setattr: an exception that is a frozen dataclass would refuse.
        exc.__dict__[_MARK] = written


def _message(exc: BaseException | None, operation: str | None) -> str:
    if exc is None:
        return operation or "captured without an exception"
    return text(exc)


def _stack(exc: BaseException | None) -> str:
    written = "" if exc is None else "".join(traceback.format_exception(exc))
    if exc is None or exc.__traceback__ is None:
        frames = traceback.extract_stack(_caller()).format()
        written = "".join(["Stack (most recent call last):\n", *frames, written])
    return _cut(written)


def _caller() -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the one way to the caller's stack
    while frame is not None and frame.f_code.co_filename.startswith(_OWN_FILES):
        frame = frame.f_back
    return frame


def _cut(stack_trace: str) -> str:
    if len(stack_trace) <= _LONGEST_STACK_START + _LONGEST_STACK_END:
        return text(stack_trace, len(stack_trace))
    start, end = stack_trace[:_LONGEST_STACK_START], stack_trace[-_LONGEST_STACK_END:]
    left_out = len(stack_trace) - len(start) - len(end)
    cut = f"{start}\n… {left_out} characters left out …\n{end}"
    return text(cut, len(cut))


def _spread(context: Mapping[str, object]) -> dict[str, object]:
    spread: dict[str, object] = {}
    for name, value in context.items():
        if name in _SPREAD and isinstance(value, Mapping):
            spread.update(value)
        else:
            spread[name] = value
    return spread
