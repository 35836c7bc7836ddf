"""Ctrl-C, as the demo takes it: whatever it waits for ends at once, and a second one hurries the end."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(Exception):
    """The demo was told to end."""


class Ending:
    """Hears SIGINT, SIGTERM and SIGHUP as long as its block runs."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self._times = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {each: signal.signal(each, self._hear) for each in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self._times += 1
        self._told.set()

    def hurried(self) -> bool:
        """Whether it was told more than once."""
        return self._times > 1

    def wait(self, seconds: float) -> None:
        """Wait; `Ended` as soon as it is told to."""
        if self._told.wait(seconds):
            raise Ended

    def wait_until(self, condition: Callable[[], bool], what: str, patience: float) -> None:
        """Wait for a condition; TimeoutError says what did not come true in `patience` seconds."""
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {patience:.0f} s in vain until {what}")
            self.wait(0.05)
