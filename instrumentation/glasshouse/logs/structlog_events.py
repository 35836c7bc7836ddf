"""What an application logs through structlog as it has set it up itself: exported with its fields, once.

Its processors, its renderer and where it prints stay as they are. The renderer, the last of its processors,
is wrapped: what goes on to `logging` takes its fields along, what does not is exported from here.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from structlog._base import BoundLoggerBase

from glasshouse.failures import contained
from glasshouse.logs.entry import Entry, Rendered
from glasshouse.logs.export import Export
from glasshouse.logs.levels import Levels

Undo = Callable[[], None]
Processor = Callable[[Any, str, Any], Any]

_LEVELS = {**logging.getLevelNamesMapping(), "EXCEPTION": logging.ERROR, "FATAL": logging.CRITICAL}
_NO_NAME = "structlog"


class StructlogEvents:
    """Exports events of structlog loggers that do not end in `logging`, and gives the others their fields."""

    def __init__(self, export: Export, levels: Levels) -> None:
        self._export = export
        self._levels = levels
        self._active = True

    def install(self) -> Undo:
        """Wrap the renderer of each structlog logger when it is next used."""
        before = BoundLoggerBase._process_event  # noqa: SLF001 - what each kind of bound logger goes through

        def process_event(
            bound_logger: BoundLoggerBase, method_name: str, event: str | None, event_kw: dict[str, Any]
        ) -> Any:
            if self._active:
                with contained("wrapping a structlog renderer"):
                    self._wrap(bound_logger)
            return before(bound_logger, method_name, event, event_kw)

        def undo() -> None:
            self._active = False
            if BoundLoggerBase._process_event is process_event:  # noqa: SLF001
                BoundLoggerBase._process_event = before  # type: ignore[method-assign]  # noqa: SLF001

        BoundLoggerBase._process_event = process_event  # type: ignore[assignment, method-assign]  # noqa: SLF001
        return undo

    def _wrap(self, bound_logger: BoundLoggerBase) -> None:
        processors: Iterable[Processor] = bound_logger._processors  # noqa: SLF001
        if not isinstance(processors, list):
            processors = bound_logger._processors = list(processors)  # noqa: SLF001
        if not processors or (isinstance(processors[-1], _Renderer) and processors[-1].events is self):
            return
        last = processors[-1]
        # In place: the list is that of all loggers with this configuration.
        processors[-1] = _Renderer(last.renderer if isinstance(last, _Renderer) else last, self)

    def rendered(self, logger: object, method_name: str, event_dict: Mapping[str, Any], result: Any) -> Any:
        """Take note of what was rendered, and return what the logger is to get."""
        if not self._active:
            return result
        if isinstance(logger, logging.Logger):
            if type(result) is not str:
                return result  # it still has its fields
            result = Rendered(result)
            result.fields = event_dict
            return result
        with contained("exporting an event of structlog"):
            name = str(event_dict.get("logger") or getattr(logger, "name", None) or _NO_NAME)
            level = _LEVELS.get(method_name.upper(), logging.INFO)
            if self._levels.lets_through(name, level) and self._export.wants(name, level):
                self._export.event(name, level, Entry.of_structlog(event_dict))
        return result


class _Renderer:
    """The last processor of a logger, and what it was given."""

    def __init__(self, renderer: Processor, events: StructlogEvents) -> None:
        self.renderer = renderer
        self.events = events

    def __call__(self, logger: Any, method_name: str, event_dict: Any) -> Any:
        given = dict(event_dict) if isinstance(event_dict, Mapping) else {"event": str(event_dict)}
        result = self.renderer(logger, method_name, event_dict)
        return self.events.rendered(logger, method_name, given, result)

    def __getattr__(self, name: str) -> Any:
        # Applications look into their processors, as `structlog.get_config()["processors"][-1]`.
        return getattr(self.renderer, name)
