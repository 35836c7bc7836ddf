"""Where a tail stands: what the ids of its events are made of."""

import re
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from glasshouse_collector.api.logs.batches import Told, parse_told
from glasshouse_collector.api.problems import Problem

_PLACE: Final = re.compile(r"[^~]{0,200}~([0-9a-f]{1,10})(?:~(.*))?")
_MOST_TEXT: Final = 20_000


@dataclass(slots=True)
class TailPlace:
    """What was told, and when that was so (seconds since the Unix epoch)."""

    told: Told
    at: int = field(default_factory=lambda: int(time.time()))

    def written(self, log_id: str = "") -> str:
        """Return it as text, behind the id of a log record."""
        return f"{log_id}~{self.at:x}~{self.told.written()}"


def parse_place(written: str) -> TailPlace:
    """Return the place that an event's id names; a `Problem` where it can be none."""
    match = _PLACE.fullmatch(written) if len(written) <= _MOST_TEXT else None
    if match is None:
        raise _wrong()
    try:
        return TailPlace(parse_told(match[2] or ""), int(match[1], 16))
    except ValueError:
        raise _wrong() from None


def _wrong() -> Problem:
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "cursor: the id of an event of a tail is expected (or leave it out, and Last-Event-ID too)",
    )
