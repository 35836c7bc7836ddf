"""Data points of one metric, as SQL: whose they are, when, and how they are grouped."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from glasshouse_collector.api.conditions import Conditions, with_attributes
from glasshouse_collector.api.metrics.body import MetricQuery
from glasshouse_collector.api.metrics.model import Kind
from glasshouse_collector.api.metrics.steps import SECOND, Steps
from glasshouse_collector.api.problems import Problem

TABLE_OF: Final = {
    Kind.GAUGE: "otel_metrics_gauge",
    Kind.SUM: "otel_metrics_sum",
    Kind.HISTOGRAM: "otel_metrics_histogram",
    Kind.EXPONENTIAL_HISTOGRAM: "otel_metrics_exp_histogram",
    Kind.SUMMARY: "otel_metrics_summary",
}
BESIDE: Final = 5 * 60 * SECOND
"""How far beside the range a series' neighbouring points are looked for."""
_IDENTITY: Final = "Series"
"""The column that tells one series of a metric from another; temporality does it too."""
_RESOURCE: Final = "resource."
_NO_RECORDED_VALUE: Final = "Flags % 2 = 0"
"""Bit 1 of a point's flags: it tells that its series ended, and has no value."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One query with what is known of its metric: enough to write SQL."""

    query: MetricQuery
    steps: Steps
    kind: Kind
    monotonic: bool
    delta: bool
    """All its points are deltas; of a sum that rises, each point says it of itself."""
    most: int
    bounds: tuple[float, ...] = ()
    """Those that all points of an explicit histogram have, so nothing has to be cut; empty: not known."""


@dataclass(slots=True)
class Points:
    """SQL that selects points, and the values of its parameters.

    Each point has `series`, `labels_key` (its labels, written as one text), `t` and `began` (nanoseconds) and
    what is selected beside.
    """

    asked: Asked
    conditions: Conditions = field(default_factory=Conditions)
    beside: int = 0

    def __post_init__(self) -> None:
        """Demand what the query says."""
        conditions, query, steps = self.conditions, self.asked.query, self.asked.steps
        conditions.one_of("MetricName", [query.name])
        conditions.one_of("ServiceName", query.service_name)
        for bound, moment in ((">=", steps.start - self.beside), ("<", steps.end + self.beside)):
            value = conditions.value(max(0, moment), "Int64")
            conditions.add(f"TimeUnix {bound} fromUnixTimestamp64Nano({value})")
        conditions.add(_NO_RECORDED_VALUE)
        _demand(conditions, query.where)
        if self.asked.kind is Kind.SUM:
            conditions.add("IsMonotonic" if self.asked.monotonic else "NOT IsMonotonic")
            if not self.asked.monotonic:
                conditions.add(f"AggregationTemporality {'=' if self.asked.delta else '!='} 1")

    def labels(self) -> str:
        """Return the texts that a point is grouped by, one each key."""
        return f"[{', '.join(self._label(key) for key in self.asked.query.group_by)}]::Array(String)"

    def labels_key(self) -> str:
        """Return the same as one text of few different ones.

        Points are sorted, compared and grouped by it many times: as a list of texts that took a fifth longer.
        """
        written = ", ',', ".join(f"hex({self._label(key)})" for key in self.asked.query.group_by)
        return f"toLowCardinality(concat('', {written}))" if written else "''"

    def labels_of_key(self) -> str:
        """Return the texts that `labels_key` was written from."""
        if not self.asked.query.group_by:
            return "[]::Array(String)"
        return "arrayMap(text -> unhex(text), splitByChar(',', toString(labels_key)))"

    def select(self, *columns: str, apart: str = "") -> str:
        """Return the points; `apart` is what tells series apart beside."""
        timeless = self.asked.kind in {Kind.GAUGE, Kind.SUMMARY}
        identity = ", ".join(filter(None, (_IDENTITY, "" if timeless else "AggregationTemporality", apart)))
        moments = "toUnixTimestamp64Nano(TimeUnix) AS t, toUnixTimestamp64Nano(StartTimeUnix) AS began"
        return (
            f"SELECT cityHash64({identity}) AS series, {self.labels_key()} AS labels_key, {moments}, "  # noqa: S608
            f"{', '.join(columns)} FROM {TABLE_OF[self.asked.kind]} WHERE {self.conditions.sql}"
        )

    def _label(self, key: str) -> str:
        if key == "service_name":
            return "ServiceName"
        column = "ResourceAttributes" if key.startswith(_RESOURCE) else "Attributes"
        return f"{column}[{self.conditions.value(key.removeprefix(_RESOURCE), 'String')}]"


def _demand(conditions: Conditions, where: Sequence[str]) -> None:
    try:
        with_attributes(conditions, where, "Attributes")
    except Problem as wrong:
        detail = wrong.detail.removeprefix("attribute: ")
        raise Problem(HTTPStatus.BAD_REQUEST, f"where: {detail}") from None


def labelled(keys: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """Return a series' labels."""
    return dict(zip(keys, texts, strict=True))
