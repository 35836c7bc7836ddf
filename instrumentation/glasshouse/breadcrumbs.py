"""Breadcrumbs: the last log records of a trace, kept to be attached to an error that it captures."""

import os
import threading
import time
from collections import OrderedDict, deque
from datetime import UTC, datetime
from typing import NamedTuple

from opentelemetry import trace
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.util.types import AnyValue

from glasshouse.attributes import text
from glasshouse.failures import contained
from glasshouse.settings import Settings

_LONGEST_MESSAGE = 512
_MOST_TRACES = 128
_MOST_KEPT = 200
_HEARTBEAT = "glasshouse.heartbeat"


class Breadcrumb(NamedTuple):
    """One log record, cut to what tells the story: its time in nanoseconds, and up to 512 characters."""

    time: int
    severity: str
    logger: str
    message: str

    def attributes(self) -> dict[str, AnyValue]:
        """Return it as a map of plain values, with the time as ISO 8601 in UTC, to the millisecond."""
        written = datetime.fromtimestamp(self.time / 1e9, UTC).isoformat(timespec="milliseconds")
        return {
            "time": written.replace("+00:00", "Z"),
            "severity": self.severity,
            "logger": self.logger,
            "message": self.message,
        }


class Trail(LogRecordProcessor):
    """Keeps the last records of each trace, and of what is in no trace.

    At most 128 traces, the least recently logged of which is forgotten first, and `length` records each.
    """

    def __init__(self, length: int) -> None:
        self._length = min(length, _MOST_KEPT)
        # Reentrant: the garbage collector may run a __del__ that logs while it is held.
        self._lock = threading.RLock()
        self._trails: OrderedDict[int, deque[Breadcrumb]] = OrderedDict()

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Keep the record."""
        try:
            self._take(log_record)
        except Exception:
            # Entering `contained` only on failure keeps its cost from every record.
            with contained("keeping a breadcrumb"):
                raise

    def recent(self, trace_id: int) -> list[Breadcrumb]:
        """Return the last records of a trace, oldest first; 0 means those in no trace."""
        with self._lock:
            found = list(self._trails.get(trace_id, ()))
        return [crumb._replace(message=text(crumb.message, _LONGEST_MESSAGE)) for crumb in found]

    def shutdown(self) -> None:
        """Forget all."""
        with self._lock:
            self._trails.clear()

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - there is nothing to wait for
        """Nothing waits here."""
        return True

    def after_fork(self) -> None:
        """Replace the lock in a forked child, where a thread that is not there may hold the old one."""
        self._lock = threading.RLock()

    def _take(self, log_record: ReadWriteLogRecord) -> None:
        record = log_record.log_record
        if record.event_name == _HEARTBEAT:
            return
        scope, body = log_record.instrumentation_scope, record.body
        crumb = Breadcrumb(
            record.timestamp or record.observed_timestamp or time.time_ns(),
            record.severity_text or "",
            scope.name if scope else "",
            # Whether text is valid UTF-8 is looked at where it is wanted: few records ever are.
            body[:_LONGEST_MESSAGE] if isinstance(body, str) else text(body, _LONGEST_MESSAGE),
        )
        self._keep(record.trace_id or 0, crumb)

    def _keep(self, trace_id: int, crumb: Breadcrumb) -> None:
        with self._lock:
            trail = self._trails.get(trace_id)
            if trail is None:
                trail = self._trails[trace_id] = deque(maxlen=self._length)
                if len(self._trails) > _MOST_TRACES:
                    self._trails.popitem(last=False)
            else:
                self._trails.move_to_end(trace_id)
            trail.append(crumb)


_trail: Trail | None = None


def log_record_processors(settings: Settings) -> list[LogRecordProcessor]:
    """Return what keeps breadcrumbs, for the provider that is being set up."""
    global _trail  # noqa: PLW0603 - there is one logger provider in a process
    _trail = Trail(settings.breadcrumbs) if settings.breadcrumbs > 0 else None
    return [_trail] if _trail else []


def recent() -> list[Breadcrumb]:
    """Return the last log records of the current trace, oldest first, or where there is none, of no trace."""
    if _trail is None:
        return []
    return _trail.recent(trace.get_current_span().get_span_context().trace_id)


def _after_fork() -> None:
    if _trail is not None:
        _trail.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
