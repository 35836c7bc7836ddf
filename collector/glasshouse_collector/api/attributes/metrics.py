"""Reads attributes of metrics: keys from the rollup of their names, values from the newest data points."""

from typing import Any, Final

from glasshouse_collector.api.attributes.model import (
    AttributeKey,
    AttributeKeys,
    AttributeValue,
    AttributeValues,
)
from glasshouse_collector.api.attributes.reading import QUARTER, AttributeQuestion
from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits

_DAY: Final = 86_400 * 10**9
_MOST_METRICS: Final = 200
"""Metrics whose points are read for the values of a key."""
_TABLES: Final = {
    "gauge": "otel_metrics_gauge",
    "sum": "otel_metrics_sum",
    "histogram": "otel_metrics_histogram",
    "exponential_histogram": "otel_metrics_exp_histogram",
    "summary": "otel_metrics_summary",
}
_PLACES: Final = {"own": ("Keys", "Attributes"), "resource": ("ResourceKeys", "ResourceAttributes")}


def read_metric_keys(store: ProjectStore, asked: AttributeQuestion, limits: QueryLimits) -> AttributeKeys:
    """Return the keys of metrics, the most frequent first; raises `EngineFailure`."""
    within = asked.widened(_DAY)
    conditions = _of_names(asked, within)
    wanted = [asked.place] if asked.place else list(_PLACES)
    each = " UNION ALL ".join(
        f"SELECT '{place}' AS Place, arrayJoin({_PLACES[place][0]}) AS Key, Points, LastSeen "  # noqa: S608
        f"FROM glasshouse_metric_names WHERE {conditions.sql}"
        for place in wanted
        if place in _PLACES
    )
    if not each:
        return _keys([], asked, within)
    found = Conditions([], conditions.values)
    if asked.text:
        found.add(f"positionCaseInsensitiveUTF8(Key, {found.value(asked.text, 'String')}) > 0")
    most = found.value(asked.limit + 1, "UInt64")
    sql = (
        "SELECT Place, Key, sum(Points) AS Records, toUnixTimestamp64Nano(max(LastSeen)) AS Seen "  # noqa: S608
        f"FROM ({each}) WHERE {found.sql} GROUP BY Place, Key ORDER BY Records DESC, Key, Place LIMIT {most}"
    )
    return _keys(store.query_arrow(sql, found.values, limits=limits).to_pylist(), asked, within)


def _keys(rows: list[dict[str, Any]], asked: AttributeQuestion, within: TimeRange) -> AttributeKeys:
    return AttributeKeys(
        attributes=[
            AttributeKey(
                key=row["Key"],
                place=row["Place"],
                records=row["Records"],
                distinct_values=None,
                last_seen=rfc3339(row["Seen"]),
            )
            for row in rows[: asked.limit]
        ],
        truncated=len(rows) > asked.limit,
        start_time=rfc3339(within.start),
        end_time=rfc3339(within.end),
    )


def read_metric_values(
    store: ProjectStore, asked: AttributeQuestion, limits: QueryLimits
) -> AttributeValues | None:
    """Return the values that a key has in the last quarter hour in which a metric that has it came.

    Series report again and again, so the newest points show what there is. None where no metric has
    the key. Raises `EngineFailure`.
    """
    within = asked.widened(_DAY)
    places = [place for place in ([asked.place] if asked.place else _PLACES) if place in _PLACES]
    conditions = _of_names(asked, within)
    key = conditions.value(asked.key, "String")
    conditions.add(" OR ".join(f"has({_PLACES[place][0]}, {key})" for place in places) or "0")
    most = conditions.value(_MOST_METRICS, "UInt64")
    sql = (
        "SELECT Kind, MetricName, sum(Points) AS Records, toUnixTimestamp64Nano(max(LastSeen)) AS Seen "  # noqa: S608
        f"FROM glasshouse_metric_names WHERE {conditions.sql} "
        f"GROUP BY Kind, MetricName ORDER BY Records DESC, MetricName LIMIT {most}"
    )
    metrics = store.query_arrow(sql, conditions.values, limits=limits).to_pylist()
    if not metrics:
        return None
    last = min(max(row["Seen"] for row in metrics) + 1, asked.range.end)
    newest = TimeRange(max(last - QUARTER, 0), last)
    rows = _values(store, asked, metrics, places, newest, limits)
    return AttributeValues(
        key=asked.key,
        records=sum(row["Records"] for row in metrics),
        distinct_values=None,
        values=[AttributeValue(value=row["Value"], records=row["Points"]) for row in rows[: asked.limit]],
        sampled=True,
        truncated=len(rows) > asked.limit,
        start_time=rfc3339(newest.start),
        end_time=rfc3339(newest.end),
    )


def _values(  # noqa: PLR0913, PLR0917  (what is asked, and where)
    store: ProjectStore,
    asked: AttributeQuestion,
    metrics: list[dict[str, Any]],
    places: list[Any],
    newest: TimeRange,
    limits: QueryLimits,
) -> list[dict[str, Any]]:
    conditions = Conditions()
    for bound, moment in ((">=", newest.start), ("<", newest.end)):
        conditions.add(f"TimeUnix {bound} fromUnixTimestamp64Nano({conditions.value(moment, 'Int64')})")
    conditions.one_of("ServiceName", asked.services)
    key = conditions.value(asked.key, "String")
    each = []
    for kind in dict.fromkeys(row["Kind"] for row in metrics):
        named = Conditions([*conditions.terms], conditions.values)
        named.one_of("MetricName", [row["MetricName"] for row in metrics if row["Kind"] == kind])
        each += [
            f"SELECT leftUTF8({_PLACES[place][1]}[{key}], 200) AS Value FROM {_TABLES[kind]} "  # noqa: S608
            f"WHERE {named.sql} AND mapContains({_PLACES[place][1]}, {key})"
            for place in places
        ]
    found = Conditions([], conditions.values)
    if asked.text:
        found.add(f"positionCaseInsensitiveUTF8(Value, {found.value(asked.text, 'String')}) > 0")
    most = found.value(asked.limit + 1, "UInt64")
    sql = (
        f"SELECT toValidUTF8(Value) AS Value, count() AS Points FROM ({' UNION ALL '.join(each)}) "  # noqa: S608
        f"WHERE {found.sql} GROUP BY Value ORDER BY Points DESC, Value LIMIT {most}"
    )
    rows: list[dict[str, Any]] = store.query_arrow(sql, found.values, limits=limits).to_pylist()
    return rows


def _of_names(asked: AttributeQuestion, within: TimeRange) -> Conditions:
    conditions = Conditions()
    for bound, moment in ((">=", within.start), ("<", within.end)):
        conditions.add(f"Day {bound} toDate(toDateTime({conditions.value(moment // 10**9, 'Int64')}, 'UTC'))")
    conditions.one_of("ServiceName", asked.services)
    return conditions
