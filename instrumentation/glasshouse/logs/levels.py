"""Which level counts for which logger, and what the application's own handlers go on to get."""

import logging
from collections.abc import Mapping


class _OurLevel(int):
    """A level that is told from the same one set by the application: it is another object."""


class Levels:
    """Sets the levels of the settings on loggers; `undo` takes back those that are still as set here.

    The root logger is made to let the general level through where it would not. Handlers of the application
    get what they got before, as long as it has not set a level itself.
    """

    def __init__(self, general: str, by_logger: Mapping[str, str]) -> None:
        self._general = _number(general)
        self._by_logger = {name: _number(level) for name, level in by_logger.items()}
        self._before: dict[logging.Logger, tuple[int, int]] = {}
        root = logging.getLogger()
        self._root_before = root.level
        if root.level > self._general:
            self._set(root, self._general)
        for name, level in self._by_logger.items():
            self._set(logging.getLogger(name), level)

    def lets_through(self, name: str, level: int) -> bool:
        """Whether a record of this logger and level is logged and exported."""
        if not self._by_logger:
            return level >= self._general
        while name:
            if name in self._by_logger:
                return level >= self._by_logger[name]
            name = name.rpartition(".")[0]
        return level >= self._general

    def is_for_application(self, logger: logging.Logger, level: int) -> bool:
        """Whether the application's own handlers are to get it: unless only we have let it through."""
        root = logging.getLogger()
        if level >= self._root_before or not isinstance(root.level, _OurLevel):
            return True
        current: logging.Logger | None = logger
        while current is not None and current is not root:
            if current.level:
                return True
            current = current.parent
        return False

    def undo(self) -> None:
        """Take the levels back."""
        for logger, (ours, before) in self._before.items():
            if logger.level is ours:
                logger.setLevel(before)
        self._before.clear()

    def _set(self, logger: logging.Logger, level: int) -> None:
        ours = _OurLevel(level)
        self._before[logger] = (ours, logger.level)
        logger.setLevel(ours)


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]
