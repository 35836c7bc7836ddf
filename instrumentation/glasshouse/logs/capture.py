"""Where every record of `logging` passes once, whatever handlers an application has, before those get it."""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple

from glasshouse.failures import contained
from glasshouse.logs.console import Console
from glasshouse.logs.entry import Entry
from glasshouse.logs.export import Export
from glasshouse.logs.levels import Levels
from glasshouse.logs.log_file import LogFile
from glasshouse.logs.render import Render

Undo = Callable[[], None]

_SEEN = "_glasshouse_seen"

_inside: ContextVar[bool] = ContextVar("glasshouse_logging", default=False)


class Outputs(NamedTuple):
    """Where records go, beside the application's own handlers."""

    export: Export | None
    console: Console | None
    file: tuple[LogFile, Render] | None


class Capture:
    """Gives records to the outputs.

    What is logged while a record is being given to them, by a value's own `__str__` or by a failure of ours,
    goes to the application's handlers alone, so that it cannot go round in circles.
    """

    def __init__(self, levels: Levels, outputs: Outputs) -> None:
        self._levels = levels
        self._outputs = outputs

    def install(self) -> Undo:
        """Take the place through which each logger hands its records to handlers."""
        before = logging.Logger.callHandlers
        active = True

        def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
            for_application = not active or self._levels.is_for_application(logger, record.levelno)
            if active:
                self._take(logger, record, for_application=for_application)
            if for_application:
                before(logger, record)

        def undo() -> None:
            nonlocal active
            active = False
            # Another library may have put its own in front of ours since; then ours stays, and does nothing.
            if logging.Logger.callHandlers is call_handlers:
                logging.Logger.callHandlers = before  # type: ignore[method-assign]

        logging.Logger.callHandlers = call_handlers  # type: ignore[assignment, method-assign]
        return undo

    def _take(self, logger: logging.Logger, record: logging.LogRecord, *, for_application: bool) -> None:
        if _SEEN in record.__dict__ or _inside.get():
            return
        if not self._levels.lets_through(record.name, record.levelno):
            return
        record.__dict__[_SEEN] = True
        token = _inside.set(True)
        try:
            self._give(logger, record, for_application=for_application)
        except Exception:
            with contained("logging"):
                raise
        finally:
            _inside.reset(token)

    def _give(self, logger: logging.Logger, record: logging.LogRecord, *, for_application: bool) -> None:
        export, console, file = self._outputs
        if export is not None and not export.wants_record(record):
            export = None
        if export is not None and for_application and export.is_exported_by_handler(logger, record.levelno):
            export = None
        if console is not None and not console.wants(logger, record.levelno):
            console = None
        if export is None and console is None and file is None:
            return
        entry = Entry.of(record)
        if console is not None:
            console.show(record, entry)
        if file is not None:
            log_file, render = file
            log_file.write(render(record, entry))
        if export is not None:
            export.record(record, entry)
