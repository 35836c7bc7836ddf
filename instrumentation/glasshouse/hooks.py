"""What no code catches: exceptions that end the process, a thread or a task, or cannot be raised."""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from glasshouse import errors
from glasshouse.bounded import bounded
from glasshouse.failures import contained
from glasshouse.logs.entry import CAPTURED
from glasshouse.settings import Settings

Undo = Callable[[], None]

_LONGEST_FLUSH_SECONDS = 5.0
# They end a process, a thread or a task as wanted.
_NO_ERRORS = (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError)


def install_excepthook(flush_seconds: float = _LONGEST_FLUSH_SECONDS) -> Undo:
    """Capture what is uncaught in the main thread, other threads, asyncio tasks and finalizers.

    Whatever hook was there before is called after ours. Where the process ends, what is waiting is sent
    first, at most `flush_seconds` long. Returns what removes the hooks; a second call replaces them.
    """
    global _installed  # noqa: PLW0603 - these hooks are the process's
    with contained("install_excepthook"):
        if _installed is not None:
            _installed.remove()
        _installed = hooks = _Hooks(flush_seconds)
        hooks.add()
        return hooks.remove
    return lambda: None


def install(settings: Settings) -> Undo:
    """Install the hooks, with the time limit of the settings."""
    return install_excepthook(min(_LONGEST_FLUSH_SECONDS, settings.shutdown_seconds))


class _Hooks:
    """Our four hooks, and those that were there before."""

    def __init__(self, flush_seconds: float) -> None:
        self._flush_seconds = flush_seconds
        self._active = False
        self._before = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        # Bound methods are made anew on each access; these are what is compared later.
        self._ours = (self._on_process, self._on_thread, self._on_unraisable)
        self._on_log = _AsyncioFilter()

    def add(self) -> None:
        self._active = True
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._ours
        logging.getLogger("asyncio").addFilter(self._on_log)

    def remove(self) -> None:
        """Put back what was there; a hook that another has been put over stays, and only passes on."""
        self._active = False
        logging.getLogger("asyncio").removeFilter(self._on_log)
        if sys.excepthook is self._ours[0]:
            sys.excepthook = self._before[0]
        if threading.excepthook is self._ours[1]:
            threading.excepthook = self._before[1]
        if sys.unraisablehook is self._ours[2]:
            sys.unraisablehook = self._before[2]

    def _on_process(
        self, kind: type[BaseException], exc: BaseException, traceback: TracebackType | None
    ) -> None:
        # At an interactive prompt the process goes on, and a mistyped name is no error of a service.
        if self._active and not hasattr(sys, "ps1"):
            _capture(exc, "critical")
            bounded("flush", _flusher(self._flush_seconds), self._flush_seconds)
        self._before[0](kind, exc, traceback)

    def _on_thread(self, args: threading.ExceptHookArgs) -> None:
        if self._active and args.exc_value is not None:
            thread = args.thread
            _capture(args.exc_value, "high", **({"thread.name": thread.name} if thread else {}))
        self._before[1](args)

    def _on_unraisable(self, unraisable: "sys.UnraisableHookArgs") -> None:
        if self._active and unraisable.exc_value is not None:
            _capture(unraisable.exc_value, "low")
        self._before[2](unraisable)


class _AsyncioFilter(logging.Filter):
    """Captures what asyncio logs when nobody retrieves a task's exception; lets every record pass.

    Every event loop, uvloop too, reports there, and an application that sets an exception handler of its own
    loop has caught the exception. The record itself is shown, but not exported: it would tell the same again.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        exc = record.exc_info[1] if record.exc_info else None
        if exc is not None and record.levelno >= logging.ERROR and _capture(exc, "high"):
            record.__dict__[CAPTURED] = True
        return True


def _capture(exc: BaseException, severity: errors.Severity, **context: Any) -> bool:
    if isinstance(exc, _NO_ERRORS) or getattr(_capturing, "now", False):
        return False
    # What a capture itself leaves uncaught, in a finalizer, would otherwise be captured in turn.
    _capturing.now = True
    try:
        with contained("capturing an uncaught exception"):
            errors.capture_uncaught(exc, severity, **context)
            return True
    finally:
        _capturing.now = False
    return False


def _flusher(seconds: float) -> Callable[[], object]:
    def flush() -> object:
        from glasshouse import configuration  # noqa: PLC0415 - it imports the whole SDK

        return configuration.flush(seconds)

    return flush


_capturing = threading.local()
_installed: _Hooks | None = None
