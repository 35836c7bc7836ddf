"""Durations as people write them: `250ms`, `1.5s`, `3m`."""

import re
from decimal import Decimal
from http import HTTPStatus
from typing import Final

from glasshouse_collector.api.problems import Problem

_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_WRITTEN: Final = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)\s*(ns|us|µs|ms|s|m|h)", re.ASCII)
_LONGEST: Final = 2**63 - 1
EXAMPLE: Final = "250ms"
EXPECTED: Final = "a number with ns, us, ms, s, m or h, such as 250ms, 1.5s or 3m"


def parse_duration(field: str, written: str) -> int:
    """Return nanoseconds; a `Problem` that names the field where it is no duration."""
    match = _WRITTEN.fullmatch(written.strip())
    nanoseconds = int(Decimal(match[1]) * _UNITS[match[2]]) if match else _LONGEST + 1
    if nanoseconds > _LONGEST:
        raise Problem(
            HTTPStatus.BAD_REQUEST, f"{field}: {written[:64]!r} is no duration; {EXPECTED} is expected"
        )
    return nanoseconds
