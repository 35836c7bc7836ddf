"""Levels of log records, by name and by OpenTelemetry's severity number."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.problems import Problem

LEVELS: Final = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
"""The lowest severity number of each; it has four (opentelemetry.io/docs/specs/otel/logs/data-model)."""
_ALSO: Final = {"warning": "warn", "critical": "fatal"}
_NUMBERS: Final = 4


def with_level(conditions: Conditions, written: Sequence[str]) -> None:
    """Demand a level: `warn` is it and all above, `warn,info` just these. Raises `Problem`."""
    named = [name.strip().lower() for text in written for name in text.split(",") if name.strip()]
    lowest = [_lowest(name) for name in named]
    if len(lowest) == 1:
        conditions.add(f"SeverityNumber >= {lowest[0]}")
    elif lowest:
        within = (f"SeverityNumber BETWEEN {low} AND {low + _NUMBERS - 1}" for low in sorted(set(lowest)))
        conditions.add(" OR ".join(within))


def _lowest(name: str) -> int:
    number = LEVELS.get(_ALSO.get(name, name))
    if number is None:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            f"level: {name[:64]!r} is no level; one of {', '.join(LEVELS)} is expected",
        )
    return number
