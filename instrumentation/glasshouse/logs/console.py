"""The console: what is logged, on standard error, beside or instead of what the application prints itself."""

import json
import logging
import re
import sys
from typing import TextIO
from weakref import WeakSet

from glasshouse.logs.entry import Entry
from glasshouse.logs.render import Render

_PRINTED = "_glasshouse_printed"
# Formats that nobody chose: what `logging` and `basicConfig` do where nothing is said.
_BARE_FORMATS = frozenset({"%(message)s", logging.BASIC_FORMAT})
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


class Console(logging.Handler):
    """Prints entries on standard error; a handler for its lock alone, it is never added to a logger.

    Handlers of the application that print on the console without a format of their own are silent for what
    is printed here. Those with a format are left to it, and nothing is printed twice; with `whole` they are
    silent too, and everything has one format. What an application logs to files alone is not printed.
    """

    def __init__(self, render: Render, *, whole: bool) -> None:
        super().__init__()
        self._render = render
        self._whole = whole
        self._silenced: WeakSet[logging.Handler] = WeakSet()
        if logging.lastResort is not None:
            self._silence(logging.lastResort)

    def wants(self, logger: logging.Logger, level: int) -> bool:
        """Whether what this logger logs at this level is to be printed here."""
        ours = others = elsewhere = at_root = False
        current: logging.Logger | None = logger
        while current is not None:
            at_root = current.parent is None
            for handler in current.handlers:
                if not _prints(handler):
                    others = others or not _shows_nothing(handler)
                elif self._whole or _is_bare(handler):
                    self._silence(handler)
                    ours = ours or level >= handler.level
                else:
                    elsewhere = elsewhere or level >= handler.level
            current = current.parent if current.propagate else None
        if self._whole:
            return ours or at_root
        return not elsewhere and (ours or (at_root and not others))

    def show(self, record: logging.LogRecord, entry: Entry) -> None:
        """Print one entry; a console that is closed or gone is no failure."""
        line = f"{self._render(record, entry)}\n"
        record.__dict__[_PRINTED] = True
        stream = sys.stderr
        if stream is None:  # as under pythonw
            return
        self.acquire()
        try:
            _write(stream, line)
        except (OSError, ValueError):
            return
        finally:
            self.release()

    def end(self) -> None:
        """Let the application's own handlers print again.

        Not `close`: `logging.config`, as Django uses it, calls that for all handlers there are.
        """
        while self._silenced:
            self._silenced.pop().removeFilter(_not_printed)

    def _silence(self, handler: logging.Handler) -> None:
        if handler not in self._silenced:
            self._silenced.add(handler)
            handler.addFilter(_not_printed)


def _not_printed(record: logging.LogRecord) -> bool:
    return _PRINTED not in record.__dict__


def _write(stream: TextIO, line: str) -> None:
    try:
        stream.write(line)
    except UnicodeEncodeError:
        # As JSON escapes it, which reads well enough elsewhere too.
        stream.write(_NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], line))
    stream.flush()


def _prints(handler: logging.Handler) -> bool:
    if not isinstance(handler, logging.StreamHandler):
        return type(handler).__name__ == "RichHandler"
    if isinstance(handler, logging.FileHandler):
        return False
    stream = handler.stream
    if stream is sys.stderr or stream is sys.stdout:
        return True
    try:
        return stream.fileno() in {1, 2}
    except (AttributeError, OSError, ValueError):
        return False


def _is_bare(handler: logging.Handler) -> bool:
    if type(handler).__name__ == "RichHandler":
        return False
    formatter = handler.formatter
    # A formatter of another class has a way of its own, whatever its format.
    return formatter is None or (
        type(formatter) is logging.Formatter and formatter._fmt in _BARE_FORMATS  # noqa: SLF001 - it has no other name
    )


def _shows_nothing(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.NullHandler) or type(handler).__module__.startswith("opentelemetry.")
