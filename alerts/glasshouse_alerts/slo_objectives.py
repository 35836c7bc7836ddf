"""Service level objectives as a user writes them."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.registry import describe

SPAN_METRICS_BUCKETS = (2, 4, 6, 8, 10, 50, 100, 200, 400, 800, 1000, 1400, 2000, 5000, 10000, 15000)
"""Milliseconds: the bounds that the Prometheus exporter gives durations of spans unless told otherwise."""

FASTEST_BURN_BUDGET = 0.02
"""Part of the budget that an hour may use up before somebody is woken (Site Reliability Workbook, ch. 5)."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DAYS = re.compile(r"(\d+)([dw])")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("should be small letters, digits and single hyphens, like checkout-availability")
    return value


def _window(value: object) -> object:
    match = _DAYS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("should be days or weeks, like 30d or 4w")
    return timedelta(days=int(match[1]) * (7 if match[2] == "w" else 1))


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("should be one line of printable characters")
    return value


Name = Annotated[str, Field(max_length=60), AfterValidator(_name)]
Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Window = Annotated[timedelta, BeforeValidator(_window), Field(ge=timedelta(days=7), le=timedelta(days=90))]


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Latency(_Written):
    """A request is good when it is served within so many milliseconds; a bound of the histogram's buckets."""

    latency_milliseconds: Annotated[float, Field(gt=0)]


class Objective(_Written):
    """So many per cent of the requests to a service are good, over a window of time.

    `sli` is "availability" (the span has no status ERROR) or a latency. Without `project` each project
    that has the service has a budget of its own; without `environment` all of them count together;
    `operations` are names of spans, by default all that the service has.
    """

    name: Name
    service: Text
    objective: Annotated[float, Field(gt=0, lt=100)]
    window: Window = timedelta(days=30)
    sli: Literal["availability"] | Latency
    description: Annotated[str, Field(max_length=200), AfterValidator(_one_line)] = ""
    project: Text | None = None
    environment: Text | None = None
    operations: tuple[Text, ...] = ()

    @field_validator("sli", mode="before")
    @classmethod
    def _known(cls, value: object) -> object:
        if value != "availability" and not isinstance(value, (dict, Latency)):
            raise ValueError("should be availability, or {latency_milliseconds: 400}")
        return value

    @model_validator(mode="after")
    def _can_burn(self) -> Self:
        hours = self.window.total_seconds() / 3600
        most = FASTEST_BURN_BUDGET * hours
        lowest = 100 * (1 - 1 / most)
        if self.objective <= lowest:
            raise ValueError(
                f"objective: should be above {lowest:.2f} over {self.days} days; below, not even an outage "
                f"uses up {FASTEST_BURN_BUDGET:.0%} of the budget in an hour, and the alert could never fire"
            )
        return self

    @property
    def budget(self) -> float:
        """The share of requests that may be bad."""
        # Decimal digits as written: 100 - 99.9 is 0.09999999999999432 in binary.
        return round((100 - self.objective) / 100, 10)

    @property
    def days(self) -> int:
        """The window's length."""
        return self.window.days


class Objectives(_Written):
    """The file: objectives with distinct names, and the exporter's buckets where they are not the default."""

    slos: tuple[Objective, ...]
    buckets: tuple[float, ...] = SPAN_METRICS_BUCKETS

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        names = [each.name for each in self.slos]
        for index, each in enumerate(self.slos):
            if names.index(each.name) != index:
                raise ValueError(f"slos.{index}.name: {each.name} is taken by slos.{names.index(each.name)}")
            if isinstance(each.sli, Latency) and each.sli.latency_milliseconds not in self.buckets:
                bounds = ", ".join(f"{bound:g}" for bound in self.buckets)
                raise ValueError(
                    f"slos.{index}.sli.latency_milliseconds: {each.sli.latency_milliseconds:g} is no bound "
                    f"of the histogram's buckets; those are: {bounds}"
                )
        return self


def read(source: Path) -> Objectives:
    """Return the objectives of a YAML file. ConfigurationError names the wrong field, a line each."""
    try:
        written: Any = yaml.safe_load(source.read_text(encoding="utf-8"))
    except OSError as failed:
        raise ConfigurationError(f"--input: {source} cannot be read: {failed.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as broken:
        told = " ".join(str(broken).split())
        raise ConfigurationError(f"{source}: no YAML: {told}") from None
    if not isinstance(written, dict):
        raise ConfigurationError(f"{source}: should be a mapping with the key slos")
    try:
        return Objectives.model_validate(written)
    except ValidationError as invalid:
        raise ConfigurationError(describe(invalid)) from None
