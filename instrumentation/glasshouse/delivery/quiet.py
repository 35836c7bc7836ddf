"""The HTTP client says nothing while it sends telemetry: what it said would be sent, and so on for ever."""

import logging
import threading
from collections.abc import Callable

from glasshouse.delivery.sender import THREAD_NAME

_CLIENTS = ("connection", "connectionpool", "poolmanager", "response", "util.retry")


def keep_quiet() -> Callable[[], None]:
    """Drop what urllib3 logs in the sender's thread; return what ends that."""
    loggers = [logging.getLogger(f"urllib3.{client}") for client in _CLIENTS]
    for logger in loggers:
        logger.addFilter(_is_not_ours)

    def end() -> None:
        for logger in loggers:
            logger.removeFilter(_is_not_ours)

    return end


def _is_not_ours(_record: logging.LogRecord) -> bool:
    return threading.current_thread().name != THREAD_NAME
