"""Heartbeats: a service says that it is there, whatever its log level."""

import math
import os
import threading
from collections.abc import Callable

from opentelemetry import _logs, metrics
from opentelemetry._logs import SeverityNumber

from glasshouse._version import __version__
from glasshouse.attributes import attributes as converted
from glasshouse.failures import contained, guarded
from glasshouse.settings import Settings

Undo = Callable[[], None]

EVENT_NAME = "glasshouse.heartbeat"
SCOPE = "glasshouse.heartbeat"


@guarded
def heartbeat(**attributes: object) -> None:
    """Say once that this service is there: a log record `glasshouse.heartbeat`, and one more in the counter.

    The record does not pass through `logging`, so that no level holds it back.
    """
    given = converted(attributes)
    _logs.get_logger(SCOPE, __version__).emit(
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        body="heartbeat",
        attributes={**given, "process.pid": os.getpid()},
        event_name=EVENT_NAME,
    )
    metrics.get_meter(SCOPE, __version__).create_counter(
        "glasshouse.heartbeats", unit="{heartbeat}", description="Heartbeats of this process."
    ).add(1)


def start_heartbeat_loop(interval: float = 30.0) -> Undo:
    """Beat now and every `interval` seconds, in a daemon thread; return what ends it.

    Forked children beat by themselves. A loop that runs already is replaced. ValueError for an interval that
    is not above 0.
    """
    with contained("start_heartbeat_loop"):
        if not (interval > 0 and math.isfinite(interval)):
            raise ValueError(f"interval: should be seconds above 0, not {interval!r}")
        return _loop.start(interval)
    return lambda: None


@guarded
def stop_heartbeat_loop() -> None:
    """End the loop, if one runs."""
    _loop.stop()


def install(settings: Settings) -> Undo:
    """Start the loop that the settings ask for."""
    return _loop.start(settings.heartbeat_seconds)


class _Loop:
    """The one heartbeat thread of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interval = 0.0
        self._stopped: threading.Event | None = None

    def start(self, interval: float) -> Undo:
        with self._lock:
            stopped = self._run(interval)
        return lambda: self.stop(stopped)

    def stop(self, which: threading.Event | None = None) -> None:
        with self._lock:
            if self._stopped is not None and which in {None, self._stopped}:
                self._stopped.set()
                self._stopped = None

    def after_fork(self) -> None:
        # Threads stay behind, and one of them may have held the lock.
        self._lock = threading.Lock()
        if self._stopped is not None and not self._stopped.is_set():
            self._run(self._interval)

    def _run(self, interval: float) -> threading.Event:
        if self._stopped is not None:
            self._stopped.set()
        self._interval, self._stopped = interval, threading.Event()
        threading.Thread(
            target=_beat, args=(interval, self._stopped), name="glasshouse-heartbeat", daemon=True
        ).start()
        return self._stopped


def _beat(interval: float, stopped: threading.Event) -> None:
    while True:
        with contained("a heartbeat"):
            heartbeat(**{"glasshouse.heartbeat.interval": interval})
        if stopped.wait(interval):
            return


_loop = _Loop()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_loop.after_fork)
