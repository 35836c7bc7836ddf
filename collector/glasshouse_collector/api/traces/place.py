"""Where a page of traces ends, and the next one goes on."""

import base64
import binascii
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson

from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.time_range import TimeRange

_MOST_CURSOR: Final = 4000
_MOST_TOLD: Final = 100
TOLD_DIGITS: Final = 12
"""Of a trace's id that a cursor remembers: the last, for the first ones of a 64-bit id are all zero."""
_TOLD: Final = re.compile(rf"([0-9a-f]{{{TOLD_DIGITS}}})*")
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class TracePlace:
    """What a list is sorted by (nanoseconds or a count), and the id where that is equal."""

    value: int
    trace_id: str


@dataclass(frozen=True, slots=True)
class TraceCursor:
    """Where the next page goes on, within the range of time that the first page had.

    `told` are the ends of the ids of the last traces that were told: one whose first span arrived late would
    come again, at its new place.
    """

    range: TimeRange
    after: TracePlace
    told: tuple[str, ...]
    question: str
    """A fingerprint of all else that was asked."""

    def written(self) -> str:
        """Return it as text for an address."""
        place = [self.after.value, self.after.trace_id, "".join(self.told[-_MOST_TOLD:])]
        content = orjson.dumps([self.range.start, self.range.end, *place, self.question])
        return base64.urlsafe_b64encode(content).decode().rstrip("=")


def parse_trace_cursor(written: str, question: str) -> TraceCursor:
    """Return the cursor; a `Problem` where it is none, or another question's."""
    try:
        if len(written) > _MOST_CURSOR:
            raise ValueError  # noqa: TRY301
        content = orjson.loads(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)))
        start, end, value, trace_id, told, asked = content
        if not all(type(number) is int and 0 <= number < 2**63 for number in (start, end, value)):
            raise ValueError  # noqa: TRY301
        if not (_TRACE_ID.fullmatch(trace_id) and _TOLD.fullmatch(told) and isinstance(asked, str)):
            raise ValueError  # noqa: TRY301
    except (ValueError, TypeError, binascii.Error):
        raise _wrong("the next_cursor of an earlier answer is expected") from None
    if asked != question:
        raise _wrong("it belongs to a question with other conditions; leave it out to begin anew")
    ids = tuple(told[at : at + TOLD_DIGITS] for at in range(0, len(told), TOLD_DIGITS))
    return TraceCursor(TimeRange(start, end), TracePlace(value, trace_id), ids, asked)


def _wrong(expected: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"cursor: {expected}")
