"""Finds gauges of some services that shifted: every value since then lies beyond all values before.

It says more about an incident, and never makes one: what a gauge shows is often nobody's trouble, and its
neighbouring values are too alike for a test that would hold by itself.
"""

from collections.abc import Collection
from typing import Final

from glasshouse_collector.insights.detection.signals import MINUTE, Signal, SignalKind
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_SHIFTS: Final = 5
_MOST_SERVICES: Final = 20
_BEFORE: Final = 60
_LEAST_BEFORE, _LEAST_AFTER = 20, 3
"""Of as many values each, all of one side lie beyond all others by chance once in 1,771 series."""
_SHIFTS: Final = f"""
SELECT ServiceName AS Service, MetricName AS Metric,
    groupArrayIf(Value, Later) AS After, quantileExactIf(0.5)(Value, Later) AS Now,
    quantileExactIf(0.5)(Value, NOT Later) AS Usual,
    minIf(Value, NOT Later) AS Least, maxIf(Value, NOT Later) AS Most,
    greatest(Most - Least, abs(Usual) / 100, 1e-300) AS Spread,
    greatest(arrayMin(After) - Most, Least - arrayMax(After)) / Spread AS Beyond
FROM (
    SELECT ServiceName, MetricName, cityHash64(Attributes, ResourceAttributes) AS Series, Value,
        TimeUnix >= fromUnixTimestamp64Nano({{since}}) AS Later
    FROM otel_metrics_gauge
    WHERE TimeUnix >= fromUnixTimestamp64Nano({{first}}) AND TimeUnix < fromUnixTimestamp64Nano({{last}})
        AND ServiceName IN ({{services}}) AND isFinite(Value)
)
GROUP BY Service, Metric, Series
HAVING countIf(NOT Later) >= {_LEAST_BEFORE} AND countIf(Later) >= {_LEAST_AFTER} AND Beyond > 0.5
ORDER BY Beyond DESC, Service, Metric LIMIT {MOST_SHIFTS}
"""  # noqa: S608  (our own numbers; values are parameters)


def read_shifts(
    store: ProjectStore, services: Collection[str], since: int, until: int, limits: QueryLimits
) -> list[Signal]:
    """Return the gauges that shifted furthest since a time, measured by their spread in the hour before.

    Nanoseconds since the Unix epoch. Raises `EngineFailure`.
    """
    named = {f"service{number}": service for number, service in enumerate(sorted(services)[:_MOST_SERVICES])}
    sql = _SHIFTS.format(
        since=since,
        first=max(since - _BEFORE * MINUTE, 0),
        last=until,
        services=", ".join(f"{{{name}:String}}" for name in named) or "''",
    )
    rows = store.query_arrow(sql, named, limits=limits).to_pylist()
    return [
        Signal(
            SignalKind.METRIC,
            row["Service"],
            row["Metric"],
            since=since,
            until=until,
            surprise=0.0,
            before=row["Usual"],
            after=row["Now"],
        )
        for row in rows
    ]
