"""Moves the times of records, so that an old recording looks as if it happened just now."""

from collections.abc import Iterator
from typing import Any, Final

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.send.files import Request
from glasshouse_collector.send.splitting import points_of, records_of

_LATEST: Final = 2**63 - 1
"""Nanoseconds since the Unix epoch (in 2262); a larger time is a mistake in the recording."""

_SPAN = ("start_time_unix_nano", "end_time_unix_nano")
_LOG = ("time_unix_nano", "observed_time_unix_nano")
_POINT = ("start_time_unix_nano", "time_unix_nano")
_EVENT = ("time_unix_nano",)


def newest(kind: RequestKind, request: Request) -> int:
    """Return the newest time in the request, in Unix nanoseconds; 0 where there is none."""
    times = (getattr(holder, name) for holder, names in _times(kind, request) for name in names)
    return max((time for time in times if time <= _LATEST), default=0)


def shift(kind: RequestKind, request: Request, offset_ns: int) -> None:
    """Add `offset_ns` to every time in the request; an unset time (0) stays unset."""
    for holder, names in _times(kind, request):
        for name in names:
            time = getattr(holder, name)
            if time:
                setattr(holder, name, min(max(time + offset_ns, 1), _LATEST))


def _times(kind: RequestKind, request: Request) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield everything that has times, with their field names."""
    for record in records_of(kind, request):
        match kind:
            case RequestKind.TRACES:
                yield record, _SPAN
                for event in record.events:
                    yield event, _EVENT
            case RequestKind.LOGS:
                yield record, _LOG
            case RequestKind.METRICS:
                for point in points_of(record):
                    yield point, _POINT
                    for exemplar in getattr(point, "exemplars", ()):
                        yield exemplar, _EVENT
