"""When: the range of time that a question is about."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Query

from glasshouse_collector.api.problems import Problem

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_RELATIVE: Final = re.compile(r"now(?:\s*-\s*(\d{1,9})([smhdw]))?")
_FRACTION: Final = re.compile(r"\.(\d+)")
_NANOSECONDS: Final = 10**9
_LATEST: Final = 2**63 - 1
_EXPECTED: Final = "RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d"
_ABOUT: Final = f"A time: {_EXPECTED}."


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` up to, and without, `end`; nanoseconds since the Unix epoch."""

    start: int
    end: int

    def within(self, start: int, end: int) -> "TimeRange":
        """Return the part of it that lies between."""
        return TimeRange(max(self.start, start), min(self.end, end))


def time_range(default: str) -> Callable[..., TimeRange]:
    """Return a dependency that reads `start_time` and `end_time`; without them, `default` until now."""

    def read(
        start_time: Annotated[str, Query(description=f"{_ABOUT} Included.", examples=["now-1h"])] = default,
        end_time: Annotated[str, Query(description=f"{_ABOUT} Not included.", examples=["now"])] = "now",
    ) -> TimeRange:
        now = datetime.now(UTC)
        start, end = parse_time("start_time", start_time, now), parse_time("end_time", end_time, now)
        if start >= end:
            raise Problem(HTTPStatus.BAD_REQUEST, "start_time: a time before end_time is expected")
        return TimeRange(start, end)

    return read


def parse_time(field: str, written: str, now: datetime) -> int:
    """Return nanoseconds since the Unix epoch; a `Problem` that names the field where it is no time."""
    if relative := _RELATIVE.fullmatch(written.strip()):
        seconds = int(relative[1]) * _UNITS[relative[2]] if relative[1] else 0
        moment = _nanoseconds(now) - seconds * _NANOSECONDS
    else:
        moment = _absolute(field, written.strip())
    if not 0 <= moment <= _LATEST:
        raise _out_of_range(field, written)
    return moment


def _absolute(field: str, written: str) -> int:
    # datetime knows microseconds only: the fraction is read beside it.
    fraction = _FRACTION.search(written)
    digits = fraction[1][:9].ljust(9, "0") if fraction else "0"
    try:
        moment = datetime.fromisoformat(_FRACTION.sub("", written, count=1))
    except ValueError:
        raise _no_time(field, written) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return _nanoseconds(moment) + int(digits)
    except OverflowError:  # in UTC it is before the year 1, or after 9999
        raise _out_of_range(field, written) from None


def _nanoseconds(moment: datetime) -> int:
    whole = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86_400 + whole.seconds) * _NANOSECONDS + whole.microseconds * 1000


def _no_time(field: str, written: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"{field}: {written[:64]!r} is no time; {_EXPECTED} is expected")


def _out_of_range(field: str, written: str) -> Problem:
    return Problem(
        HTTPStatus.BAD_REQUEST,
        f"{field}: {written[:64]!r} is out of range; a time from 1970-01-01 to 2262-04-11 is expected",
    )
