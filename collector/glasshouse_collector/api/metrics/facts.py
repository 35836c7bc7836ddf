"""What is known of a metric before its points are read: from the table of names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from glasshouse_collector.api.metrics.body import MetricQuery
from glasshouse_collector.api.metrics.model import Kind, Temporality
from glasshouse_collector.api.metrics.points import BESIDE
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.store import ProjectStore, QueryLimits

_DELTA: Final = 1
_TEMPORALITIES: Final = {1: Temporality.DELTA, 2: Temporality.CUMULATIVE}
_MOST_FACTS: Final = 100
_NEAR: Final = 5


@dataclass(frozen=True, slots=True)
class Fact:
    """One way in which a metric was sent."""

    kind: Kind
    unit: str
    temporality: int
    monotonic: bool
    points: int


def read_facts(store: ProjectStore, query: MetricQuery, within: TimeRange, limits: QueryLimits) -> list[Fact]:
    """Return how the metric was sent around the range, else ever, the most frequent way first.

    Empty where there is no such metric. Raises `EngineFailure`.
    """
    around = TimeRange(max(0, within.start - BESIDE), within.end + BESIDE)
    return _facts(store, query, limits, around) or _facts(store, query, limits, None)


def _facts(
    store: ProjectStore, query: MetricQuery, limits: QueryLimits, within: TimeRange | None
) -> list[Fact]:
    parameters: dict[str, str | int | float] = {"name": query.name}
    sql = (
        "SELECT Kind, Unit, Temporality, IsMonotonic, sum(Points) AS points FROM glasshouse_metric_names "  # noqa: S608
        f"WHERE MetricName = {{name:String}} AND {days(within, parameters) if within else '1'} "
        f"GROUP BY Kind, Unit, Temporality, IsMonotonic ORDER BY points DESC, Unit LIMIT {_MOST_FACTS}"
    )
    rows = store.query_arrow(sql, parameters, limits=limits).to_pylist()
    return [
        Fact(Kind(row["Kind"]), row["Unit"], row["Temporality"], row["IsMonotonic"], row["points"])
        for row in rows
    ]


def days(within: TimeRange, parameters: dict[str, str | int | float]) -> str:
    """Return the condition that a row of the table is of the range: its day, and when it was seen on it."""
    parameters["within_start"], parameters["within_end"] = within.start, within.end
    start, end = (f"fromUnixTimestamp64Nano({{within_{edge}:Int64}})" for edge in ("start", "end"))
    return (
        f"Day >= toDate({start}, 'UTC') AND Day <= toDate({end}, 'UTC') AND LastSeen >= {start} "
        f"AND FirstSeen < {end}"
    )


def temporality_of(facts: Sequence[Fact]) -> Temporality | None:
    """Return the temporality of the most frequent way; None: the kind has none."""
    if facts[0].kind in {Kind.GAUGE, Kind.SUMMARY}:
        return None
    return _TEMPORALITIES.get(facts[0].temporality, Temporality.UNSPECIFIED)


def is_delta(fact: Fact) -> bool:
    """Whether points of this way are deltas."""
    return fact.temporality == _DELTA


def near_names(store: ProjectStore, name: str, limits: QueryLimits) -> list[str]:
    """Return names of metrics that are written nearly so, the nearest first. Raises `EngineFailure`."""
    sql = (
        "SELECT MetricName AS name, ngramDistanceCaseInsensitive(toString(MetricName), {name:String}) AS far "  # noqa: S608
        "FROM (SELECT DISTINCT MetricName FROM glasshouse_metric_names LIMIT 100000) "
        f"WHERE far < 0.7 ORDER BY far, name LIMIT {_NEAR}"
    )
    rows: list[dict[str, Any]] = store.query_arrow(sql, {"name": name}, limits=limits).to_pylist()
    return [row["name"] for row in rows]
