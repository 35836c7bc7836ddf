"""Where a log record stands among all: what its id, and a page's cursor, are made of."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson

from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.time_range import TimeRange

_ID: Final = re.compile(r"([0-9a-f]{1,16})\.([0-9A-Za-z_-]{1,120})\.([0-9a-f]{1,8})")
_MOST_CURSOR: Final = 2000


@dataclass(frozen=True, slots=True, order=True)
class LogPlace:
    """Time (nanoseconds since the Unix epoch), batch and row: no two records have the same."""

    time: int
    batch: str
    row: int

    @property
    def id(self) -> str:
        """The record's id, as it stands in an address."""
        return f"{self.time:x}.{self.batch}.{self.row:x}"


def parse_id(written: str) -> LogPlace:
    """Return the place that an id names; a `Problem` where it can be none."""
    match = _ID.fullmatch(written)
    if match is None:
        raise Problem(
            HTTPStatus.BAD_REQUEST, f"{written[:64]!r} is no id of a log record; GET /logs gives them"
        )
    return LogPlace(int(match[1], 16), match[2], int(match[3], 16))


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page goes on, within the range of time that the first page had."""

    range: TimeRange
    after: LogPlace
    question: str
    """A fingerprint of all else that was asked."""

    def written(self) -> str:
        """Return it as text for an address."""
        place = [self.after.time, self.after.batch, self.after.row]
        content = orjson.dumps([self.range.start, self.range.end, *place, self.question])
        return base64.urlsafe_b64encode(content).decode().rstrip("=")


def parse_cursor(written: str, question: str) -> Cursor:
    """Return the cursor; a `Problem` where it is none, or another question's."""
    try:
        if len(written) > _MOST_CURSOR:
            raise ValueError  # noqa: TRY301
        content = orjson.loads(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)))
        start, end, time, batch, row, asked = content
        for number in (start, end, time, row):
            if not isinstance(number, int) or not 0 <= number < 2**63:
                raise ValueError  # noqa: TRY301
        if not isinstance(batch, str) or not isinstance(asked, str):
            raise TypeError  # noqa: TRY301
    except (ValueError, TypeError, binascii.Error):
        raise _wrong("the next_cursor of an earlier answer is expected") from None
    if asked != question:
        raise _wrong("it belongs to a question with other conditions; leave it out to begin anew")
    return Cursor(TimeRange(start, end), LogPlace(time, batch, row), asked)


def fingerprint(*asked: object) -> str:
    """Return what tells one question from another."""
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]


def _wrong(expected: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"cursor: {expected}")
