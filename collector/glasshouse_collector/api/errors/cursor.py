"""Where the next page of errors goes on."""

import base64
import binascii
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson

from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.time_range import TimeRange

_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class ErrorCursor:
    """The range of the first page, and the last error that was told: its value in the order, and its id."""

    range: TimeRange
    value: int
    error: int
    question: str

    def written(self) -> str:
        """Return it as text for an address."""
        content = orjson.dumps(
            [self.range.start, self.range.end, self.value, f"{self.error:016x}", self.question]
        )
        return base64.urlsafe_b64encode(content).decode().rstrip("=")


def parse_cursor(written: str, question: str) -> ErrorCursor:
    """Return the cursor; a `Problem` where it is none, or another question's."""
    try:
        if len(written) > _MOST:
            raise ValueError  # noqa: TRY301
        content = orjson.loads(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)))
        start, end, value, error, asked = content
        for number in (start, end, value):
            if not isinstance(number, int) or not 0 <= number < 2**63:
                raise ValueError  # noqa: TRY301
        cursor = ErrorCursor(TimeRange(start, end), value, int(error, 16), str(asked))
        if not 0 <= cursor.error < 2**64 or start >= end:
            raise ValueError  # noqa: TRY301
    except (ValueError, TypeError, binascii.Error):
        raise _wrong("the next_cursor of an earlier answer is expected") from None
    if asked != question:
        raise _wrong("it belongs to a question with other conditions; leave it out to begin anew")
    return cursor


def _wrong(expected: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"cursor: {expected}")
