"""The body of a question for root causes: which window, compared with which normal times."""

from datetime import UTC, datetime
from http import HTTPStatus
from itertools import combinations
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.time_range import parse_time
from glasshouse_collector.insights.windows import SECOND, Window

LONGEST: Final = 24 * 3600 * SECOND
MOST_BASELINES: Final = 10
MOST_SERVICES: Final = 20
_MOST_NAME: Final = 500

_Time = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_ABOUT: Final = "RFC 3339, or now, now-15m, now-1h, now-7d"


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BaselineAsked(_Asked):
    """A time when all was well."""

    start: _Time = Field(description=f"{_ABOUT}. Included", examples=["2026-11-21T11:00:00Z"])
    end: _Time = Field(description="Not included", examples=["2026-11-21T12:00:00Z"])


class AnalyzeQuestion(_Asked):
    """A window in which something was wrong."""

    start: _Time = Field(description=f"{_ABOUT}. Included", examples=["now-15m"])
    end: _Time = Field(description="Not included; at most 24 hours after `start`", examples=["now"])
    baseline_start: _Time | None = Field(
        default=None,
        description="When all was well, from here; without a baseline, times are chosen: before the window, "
        "and the same time of earlier days",
    )
    baseline_end: _Time | None = Field(default=None, description="To here, not included")
    baselines: Annotated[list[BaselineAsked], Field(max_length=MOST_BASELINES)] = Field(
        default=[], description="Several times when all was well, instead of the one"
    )
    services: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=_MOST_NAME)]],
        Field(max_length=MOST_SERVICES),
    ] = Field(default=[], description="Look for the cause among these alone", examples=[["checkout"]])

    def windows(self) -> tuple[Window, tuple[Window, ...]]:
        """Return the incident's window and the baselines that are named; a `Problem` names the field."""
        now = datetime.now(UTC)
        incident = _window(("start", self.start), ("end", self.end), now)
        baselines = tuple(
            (field, _window((f"{field}start", start), (f"{field}end", end), now))
            for field, start, end in self._baselines()
        )
        for field, baseline in baselines:
            if baseline.overlaps(incident):
                raise _wrong(f"{field}start", "a time outside of the incident's start and end is expected")
        for (_, one), (field, other) in combinations(baselines, 2):
            if one.overlaps(other):
                raise _wrong(f"{field}start", "baselines that do not overlap are expected")
        return incident, tuple(baseline for _, baseline in baselines)

    def _baselines(self) -> list[tuple[str, str, str]]:
        """Return the baselines as written, with what their fields begin with."""
        if self.baseline_start is None and self.baseline_end is None:
            return [(f"baselines.{number}.", it.start, it.end) for number, it in enumerate(self.baselines)]
        if self.baselines:
            raise _wrong("baselines", "either these, or baseline_start and baseline_end, are expected")
        if self.baseline_start is None or self.baseline_end is None:
            missing = "baseline_start" if self.baseline_start is None else "baseline_end"
            raise _wrong(missing, "a time is expected, as the other end of the baseline is given")
        return [("baseline_", self.baseline_start, self.baseline_end)]


def _window(start: tuple[str, str], end: tuple[str, str], now: datetime) -> Window:
    """Return a window of two fields with their values."""
    first, last = parse_time(*start, now), parse_time(*end, now)
    if last <= first:
        raise _wrong(end[0], f"a time after {start[0]} is expected")
    if last - first > LONGEST:
        raise _wrong(end[0], f"a time at most 24 hours after {start[0]} is expected")
    return Window(first, last)


def _wrong(field: str, expected: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"{field}: {expected}")
