"""The fields of one item: read as what they should be, or refused by name."""

import re
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from glasshouse_collector.core.errors import GlasshouseError

Item = dict[str, Any]

MOST_NAME: Final = 1024
"""Characters of what names something: a service, an operation, a type."""
LEVELS: Final = {
    "TRACE": 1,
    "DEBUG": 5,
    "INFO": 9,
    "WARN": 13,
    "WARNING": 13,
    "ERROR": 17,
    "CRITICAL": 21,
    "FATAL": 21,
}
"""The severity number of each level (opentelemetry.io/docs/specs/otel/logs/data-model)."""
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)?", re.ASCII | re.IGNORECASE
)
_HEX_ID: Final = re.compile(r"[0-9a-fA-F]{32}", re.ASCII)
_SHOWN: Final = 60
_FIRST_YEAR, _LAST_YEAR = 1970, 2261
"""What fits the nanoseconds of OTLP and of the store."""
_MOST_SECONDS: Final = 10**11
_MOST_NANOS: Final = 1 << 63


class Mistake(GlasshouseError):
    """A field of an item is not what it should be; `field` names it."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: {expected}")
        self.field = field
        self.expected = expected


def text(item: Item, field: str, most: int | None = MOST_NAME) -> str:
    """Return a text, empty where there is none; raises `Mistake`."""
    value = item.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Mistake(field, f"text is expected, not {_shown(value)}")
    if most is not None and len(value) > most:
        raise Mistake(field, f"up to {most:,} characters are expected, not {len(value):,}")
    return value


def message(item: Item) -> str:
    """Return the message, which has to be there; raises `Mistake`."""
    if item.get("message") is None:
        raise Mistake("message", "a text is needed")
    return text(item, "message", None)


def level(item: Item) -> tuple[str, int]:
    """Return the level as it is written and its severity number; raises `Mistake`."""
    written = text(item, "level").strip().upper()
    number = LEVELS.get(written)
    if number is None:
        raise Mistake("level", f"one of {', '.join(LEVELS)} is expected, not {_shown(item.get('level'))}")
    return written, number


def mapping(item: Item, field: str) -> Item:
    """Return an object, empty where there is none; raises `Mistake`."""
    value = item.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Mistake(field, f"an object is expected, not {_shown(value)}")
    return value


def timestamp(item: Item, otherwise: int) -> int:
    """Return the time of the field `timestamp` in ns; raises `Mistake`.

    Of UTC where it names no zone; a number is of seconds, or so large that it can only be of milli-,
    micro- or nanoseconds.
    """
    number = item.get("timestamp")
    if isinstance(number, int | float) and not isinstance(number, bool):
        return _epoch(number)
    written = text(item, "timestamp").strip()
    if not written:
        return otherwise
    match = _TIME.fullmatch(written)
    seconds = _seconds(match[1], match[3]) if match else None
    if match is None or seconds is None:
        raise Mistake(
            "timestamp", f"a time such as 2026-03-01T12:00:00.123Z is expected, not {_shown(written)}"
        )
    return seconds * 10**9 + int((match[2] or "0").ljust(9, "0"))


def _seconds(local: str, zone: str | None) -> int | None:
    """Return whole seconds since the epoch; None for what is no time, or none that can be stored."""
    try:
        moment = datetime.fromisoformat(local + (zone or "Z").upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return int(moment.timestamp()) if _FIRST_YEAR <= moment.year <= _LAST_YEAR else None


def _epoch(number: float) -> int:
    for power in (9, 6, 3, 0):  # the largest unit in which it is before the year 5138
        nanos = number * 10**power
        if 0 < number < _MOST_SECONDS * 10 ** (9 - power) and nanos < _MOST_NANOS:
            return int(nanos)
    raise Mistake("timestamp", f"a time since 1970 is expected, not {_shown(number)}")


def trace_id(written: str) -> bytes:
    """Return the trace id that a text of 32 hex digits, or a UUID, can be; empty where it can be none."""
    compact = written.strip()
    if not _HEX_ID.fullmatch(compact):
        try:
            compact = uuid.UUID(compact).hex if len(compact) == len(str(uuid.UUID(int=0))) else ""
        except ValueError:
            compact = ""
    found = bytes.fromhex(compact)
    return found if any(found) else b""


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
