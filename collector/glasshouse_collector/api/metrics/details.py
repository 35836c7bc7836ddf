"""Tells all about one metric: facts from the table of names, values from a sample of its newest points."""

from typing import Any, Final

from glasshouse_collector.api.metrics.facts import days
from glasshouse_collector.api.metrics.model import Kind, MetricAttribute, MetricDetails, ValueCount
from glasshouse_collector.api.metrics.names import FACTS, facts_of
from glasshouse_collector.api.metrics.points import TABLE_OF
from glasshouse_collector.api.metrics.reading import no_such_metric
from glasshouse_collector.api.metrics.statement import fitting
from glasshouse_collector.api.metrics.steps import SECOND
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits

_SAMPLED: Final = 3600 * SECOND
_MOST_SAMPLED: Final = 200_000
_MOST_VALUES: Final = 20
_MOST_KEYS: Final = 200
_LONGEST: Final = 200
"""Characters of a value that are told."""


def read_details(store: ProjectStore, name: str, within: TimeRange, limits: QueryLimits) -> MetricDetails:
    """Return what is known of a metric. Raises `Problem` where there is none, `EngineFailure`."""
    parameters: dict[str, str | int | float] = {"name": name}
    sql = (
        f"SELECT {FACTS}, arraySort(groupUniqArrayArray(Keys)) AS keys, "  # noqa: S608
        "arraySort(groupUniqArrayArray(ResourceKeys)) AS resource_keys "
        "FROM glasshouse_metric_names AS names "
        f"WHERE MetricName = {{name:String}} AND {days(within, parameters)} GROUP BY name"
    )
    rows: list[dict[str, Any]] = store.query_arrow(sql, parameters, limits=limits).to_pylist()
    if not rows:
        raise no_such_metric(store, name, limits)
    row = rows[0]
    kind, newest = Kind(row["kind"]), row["last_seen"].value
    until = min(within.end, newest + 1)
    sample = TimeRange(max(within.start, until - _SAMPLED), until)
    counted, points = _values(store, name, kind, sample, limits)
    keys = [*row["keys"], *(f"resource.{key}" for key in row["resource_keys"])][:_MOST_KEYS]
    return MetricDetails(
        **facts_of(row),
        functions=list(fitting(kind, monotonic=row["monotonic"])),
        attributes=[counted.get(key, MetricAttribute(key=key, values=[], distinct=0)) for key in keys],
        sample_start_time=rfc3339(sample.start),
        sampled_points=points,
    )


def _values(
    store: ProjectStore, name: str, kind: Kind, sample: TimeRange, limits: QueryLimits
) -> tuple[dict[str, MetricAttribute], int]:
    """Return the most frequent values by key, and how many points were looked at."""
    points = (
        f"SELECT Attributes, ResourceAttributes FROM {TABLE_OF[kind]} WHERE MetricName = {{name:String}} "  # noqa: S608
        "AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) "
        f"AND TimeUnix < fromUnixTimestamp64Nano({{end:Int64}}) LIMIT {_MOST_SAMPLED}"
    )
    # Points of one resource and attributes are counted first: there are far fewer of these than points.
    sql = (
        "SELECT key, sum(alike) AS points, value, sampled, "  # noqa: S608
        "uniqCombined(12)(value) OVER (PARTITION BY key) AS distinct FROM (SELECT arrayJoin(arrayConcat("
        "arrayZip(arrayMap(key -> toString(key), mapKeys(Attributes)), mapValues(Attributes)), "
        "arrayZip(arrayMap(key -> concat('resource.', toString(key)), mapKeys(ResourceAttributes)), "
        "mapValues(ResourceAttributes)))) AS pair, "
        f"pair.1 AS key, leftUTF8(pair.2, {_LONGEST}) AS value, alike, sampled FROM ("
        "SELECT Attributes, ResourceAttributes, count() AS alike, sum(alike) OVER () AS sampled "
        f"FROM ({points}) GROUP BY Attributes, ResourceAttributes)) "
        f"GROUP BY key, value, sampled ORDER BY points DESC, value LIMIT {_MOST_VALUES} BY key "
        f"LIMIT {_MOST_VALUES * _MOST_KEYS}"
    )
    parameters: dict[str, str | int] = {"name": name, "start": sample.start, "end": sample.end}
    found: dict[str, MetricAttribute] = {}
    sampled = 0
    for row in store.query_arrow(sql, parameters, limits=limits).to_pylist():
        sampled = row["sampled"]
        told = found.setdefault(
            row["key"], MetricAttribute(key=row["key"], values=[], distinct=row["distinct"])
        )
        told.values.append(ValueCount(value=row["value"], points=row["points"]))
    return found, sampled
