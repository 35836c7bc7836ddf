"""The times an analysis is about; nanoseconds since the Unix epoch, ends exclusive."""

from dataclasses import dataclass
from typing import Self

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` until `end`; raises ValueError where that is no time."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError("a window ends after it starts")

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start) / SECOND

    def overlaps(self, other: Self) -> bool:
        """Tell whether the two have a time in common."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Question:
    """An incident's window, and the normal times to compare it with.

    Baselines do not overlap the incident; none is allowed where nothing is known of normal times, and
    an analysis then goes by what fails alone. `focus` names services to look for the cause among; empty
    means all.
    """

    incident: Window
    baselines: tuple[Window, ...]
    focus: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if any(self.incident.overlaps(baseline) for baseline in self.baselines):
            raise ValueError("a baseline overlaps the incident")
