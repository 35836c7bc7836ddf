"""What a benchmark found, as a Markdown table and as JSON, beside what was asked for (`targets.toml`)."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

_TARGETS = Path(__file__).with_name("targets.toml")


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should reach. `at_most` says that less is better."""

    target: float | None
    stretch: float | None
    at_most: bool

    def verdict(self, value: float) -> str:
        """Say whether the value reaches the target, and the stretch."""
        if self.target is None:
            return "-"
        if not self._reaches(value, self.target):
            return "not met"
        if self.stretch is not None and self._reaches(value, self.stretch):
            return "met, stretch too"
        return "met"

    def _reaches(self, value: float, goal: float) -> bool:
        return value <= goal if self.at_most else value >= goal


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity, once for each repeat. `key` names its target."""

    key: str
    label: str
    unit: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        """The middle of the repeats."""
        return median(self.values)


@dataclass(slots=True)
class Report:
    """One subject's figures."""

    subject: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, key: str, label: str, unit: str, *values: float) -> None:
        """Add a figure; several values are repeats."""
        self.figures.append(Figure(key, label, unit, values))

    def markdown(self) -> str:
        """Return the table, and the notes under it."""
        lines = [
            f"### {self.title}",
            "",
            "| | unit | target | stretch | measured | min-max | |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [self._row(figure) for figure in self.figures]
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes)]).rstrip() + "\n"

    def _row(self, figure: Figure) -> str:
        target = target_of(self.subject, figure.key)
        low, high = min(figure.values), max(figure.values)
        spread = f"{shown(low)}-{shown(high)}" if len(figure.values) > 1 else ""
        cells = (
            figure.label,
            figure.unit,
            _goal(target.target, target.at_most),
            _goal(target.stretch, target.at_most),
            shown(figure.median),
            spread,
            target.verdict(figure.median),
        )
        return "| " + " | ".join(cells) + " |"

    def as_json(self) -> dict[str, Any]:
        """Return the same for a program."""
        return {
            "subject": self.subject,
            "title": self.title,
            "figures": [self._figure_json(figure) for figure in self.figures],
            "notes": self.notes,
        }

    def _figure_json(self, figure: Figure) -> dict[str, Any]:
        target = target_of(self.subject, figure.key)
        return {
            "key": figure.key,
            "label": figure.label,
            "unit": figure.unit,
            "target": target.target,
            "stretch": target.stretch,
            "median": figure.median,
            "values": list(figure.values),
            "verdict": target.verdict(figure.median),
        }


def target_of(subject: str, key: str) -> Target:
    """Return what `targets.toml` asks of a figure."""
    with _TARGETS.open("rb") as file:
        written = tomllib.load(file).get(subject, {}).get(key, {})
    return Target(written.get("target"), written.get("stretch"), written.get("at_most", False))


def shown(value: float) -> str:
    """Return a number as a reader wants it: three digits that matter, thousands apart."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _goal(value: float | None, at_most: bool) -> str:
    return "-" if value is None else f"{'≤' if at_most else '≥'} {shown(value)}"
