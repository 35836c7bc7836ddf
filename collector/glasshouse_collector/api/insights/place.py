"""Where a page of incidents or of feedback ends, and the next one goes on."""

import base64
import binascii
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson

from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.time_range import TimeRange

_MOST_CURSOR: Final = 1000
_DIGITS: Final = frozenset("0123456789abcdef")
_LATEST: Final = 2**63


@dataclass(frozen=True, slots=True)
class IncidentPlace:
    """The last incident that was told, within the range of time that the first page had.

    `started` is in microseconds since the Unix epoch, as the database keeps it.
    """

    range: TimeRange
    started: int
    incident_id: str

    def written(self, question: str) -> str:
        """Return it as text for an address."""
        return _written([self.range.start, self.range.end, self.started, self.incident_id, question])


def parse_incident_place(written: str, question: str) -> IncidentPlace:
    """Return the place; a `Problem` where it is none, or another question's."""
    match _read(written):
        case [int(start), int(end), int(started), str(incident_id), str(asked)] if (
            0 <= start < end < _LATEST and 0 <= started < _LATEST // 1000 and set(incident_id) <= _DIGITS
        ):
            _same(asked, question)
            return IncidentPlace(TimeRange(start, end), started, incident_id)
    raise _wrong("the next_cursor of an earlier answer is expected")


def written_feedback_place(last: int, question: str) -> str:
    """Return the number of the last feedback that was told as text for an address."""
    return _written([last, question])


def parse_feedback_place(written: str, question: str) -> int:
    """Return the number below which a page goes on; a `Problem` where it is none, or another question's."""
    match _read(written):
        case [int(last), str(asked)] if 0 <= last < _LATEST:
            _same(asked, question)
            return last
    raise _wrong("the next_cursor of an earlier answer is expected")


def _written(content: list[int | str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


def _read(written: str) -> object:
    if len(written) > _MOST_CURSOR:
        return None
    try:
        return orjson.loads(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)))
    except (ValueError, binascii.Error):
        return None


def _same(asked: str, question: str) -> None:
    if asked != question:
        raise _wrong("it belongs to a question with other conditions; leave it out to begin anew")


def _wrong(expected: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"cursor: {expected}")
