"""A pattern: the records of one template, added up."""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from glasshouse_collector.patterns.shapes import LEVELS, Example, Shape

MOST_EXAMPLES: Final = 3
_MUCH: Final = 1.5
_BEYOND_CHANCE: Final = 2.0


class Trend(StrEnum):
    """How the second half of a range compares with the first."""

    NEW = "new"
    RISING = "rising"
    STEADY = "steady"
    FALLING = "falling"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the records of one template have in common; times are nanoseconds since the Unix epoch."""

    id: str
    template: str
    count: int
    levels: dict[str, int]
    services: list[str]
    first_seen: int
    last_seen: int
    steps: list[int]
    trend: Trend
    examples: list[Example]


@dataclass(frozen=True, slots=True)
class FoundPatterns:
    """Patterns, the frequent ones first, and how many of all records they were found in."""

    patterns: list[Pattern]
    total: int
    looked_at: int


def pattern_id(template: str) -> str:
    """Return 16 hex digits, the same for the same template anywhere and at any time."""
    return hashlib.sha256(template.encode()).hexdigest()[:16]


def add_up(template: str, shapes: Sequence[Shape], one_in: int) -> Pattern:
    """Return the pattern of these shapes; counts are multiplied by `one_in`, of which one was looked at."""
    first_half = sum(shape.first_half for shape in shapes)
    count = sum(shape.count for shape in shapes)
    levels = [one_in * number for number in _sums(shape.levels for shape in shapes)]
    return Pattern(
        id=pattern_id(template),
        template=template,
        count=one_in * count,
        levels={name: number for name, number in zip(LEVELS, levels, strict=True) if number},
        services=sorted({service for shape in shapes for service in shape.services}),
        first_seen=min(shape.first.time for shape in shapes),
        last_seen=max(shape.last.time for shape in shapes),
        steps=[one_in * number for number in _sums(shape.steps for shape in shapes)],
        trend=trend(first_half, count - first_half),
        examples=_examples(shapes),
    )


def trend(before: int, after: int) -> Trend:
    """Compare counts of two halves: rising is half as much again, and more than chance would bring.

    Counts that come by chance scatter by the root of what is expected (Poisson).
    """
    if not before or not after:
        return Trend.GONE if before else Trend.NEW
    if abs(after - before) <= _BEYOND_CHANCE * math.sqrt(before + after):
        return Trend.STEADY
    if after > _MUCH * before:
        return Trend.RISING
    return Trend.FALLING if before > _MUCH * after else Trend.STEADY


def _sums(rows: Iterable[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)]


def _examples(shapes: Sequence[Shape]) -> list[Example]:
    """Return some records: of different lines as far as there are, the newest of the most frequent first."""
    frequent = sorted(shapes, key=lambda shape: (-shape.count, shape.first.time))[:MOST_EXAMPLES]
    every = [shape.last for shape in frequent] + [shape.first for shape in frequent]
    return list({example.line: example for example in reversed(every)}.values())[::-1][:MOST_EXAMPLES]
