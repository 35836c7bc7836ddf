"""Reads attributes of spans and log records from their rollups."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from glasshouse_collector.api.attributes.estimate import estimate_distinct
from glasshouse_collector.api.attributes.model import (
    AttributeKey,
    AttributeKeys,
    AttributeValue,
    AttributeValues,
    Place,
    Signal,
)
from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits

QUARTER: Final = 900 * 10**9
"""The step of the rollups, in nanoseconds."""
_KEYS: Final = {"traces": "glasshouse_span_attributes", "logs": "glasshouse_log_attributes"}
_VALUES: Final = {"traces": "glasshouse_span_attribute_values", "logs": "glasshouse_log_attribute_values"}


@dataclass(frozen=True, slots=True)
class AttributeQuestion:
    """Of which records, and what is asked: all keys, or the values of one."""

    signal: Signal
    range: TimeRange
    limit: int
    services: Sequence[str] = ()
    place: Place | None = None
    key: str = ""
    text: str = ""

    def widened(self, step: int = QUARTER) -> TimeRange:
        """Return the range in whole steps of a rollup."""
        return TimeRange(self.range.start // step * step, -(-self.range.end // step) * step)


def read_keys(store: ProjectStore, asked: AttributeQuestion, limits: QueryLimits) -> AttributeKeys:
    """Return keys, the most frequent first, with how many values they have; raises `EngineFailure`."""
    within = asked.widened()
    conditions = _conditions(asked, within)
    if asked.text:
        conditions.add(f"positionCaseInsensitiveUTF8(Key, {conditions.value(asked.text, 'String')}) > 0")
    most = conditions.value(asked.limit + 1, "UInt64")
    sql = f"""
        SELECT Place, Key, Records, Seen, Found, Shown FROM
            (SELECT Place, Key, sum(Records) AS Records, toUnixTimestamp64Nano(max(LastSeen)) AS Seen
             FROM {_KEYS[asked.signal]} WHERE {conditions.sql} GROUP BY Place, Key
             ORDER BY Records DESC, Key, Place LIMIT {most}) AS Listed
        LEFT JOIN
            (SELECT Place, Key, uniqCombinedMerge(12)(Distinct) AS Found, sum(Sampled) AS Shown
             FROM {_VALUES[asked.signal]} WHERE {conditions.sql} GROUP BY Place, Key) AS Measured
        USING (Place, Key)
        ORDER BY Records DESC, Key, Place
    """  # noqa: S608  (our own names; values are parameters)
    rows = store.query_arrow(sql, conditions.values, limits=limits).to_pylist()
    return AttributeKeys(
        attributes=[
            AttributeKey(
                key=row["Key"],
                place=row["Place"],
                records=row["Records"],
                distinct_values=estimate_distinct(row["Found"], row["Shown"], row["Records"]) or None,
                last_seen=rfc3339(row["Seen"]),
            )
            for row in rows[: asked.limit]
        ],
        truncated=len(rows) > asked.limit,
        start_time=rfc3339(within.start),
        end_time=rfc3339(within.end),
    )


def read_values(store: ProjectStore, asked: AttributeQuestion, limits: QueryLimits) -> AttributeValues | None:
    """Return the most frequent values of a key; None where no record has it. Raises `EngineFailure`.

    Counts are those that the sample is sure of, by its weight in all records.
    """
    within = asked.widened()
    of_key = _conditions(asked, within)
    of_key.add(f"Key = {of_key.value(asked.key, 'String')}")
    total = f"SELECT sum(Records) AS Records FROM {_KEYS[asked.signal]} WHERE {of_key.sql}"  # noqa: S608
    [counted] = store.query_arrow(total, of_key.values, limits=limits).to_pylist()
    if not counted["Records"]:
        return None
    sample = (
        "SELECT uniqCombinedMerge(12)(Distinct) AS Found, sum(Sampled) AS Shown, sum(Weight) AS Weight "  # noqa: S608
        f"FROM {_VALUES[asked.signal]} WHERE {of_key.sql}"
    )
    [measured] = store.query_arrow(sample, of_key.values, limits=limits).to_pylist()
    rows = _top(store, asked, of_key, limits)
    records, shown = counted["Records"], measured["Shown"]
    weight = max(measured["Weight"], 1)
    distinct = estimate_distinct(measured["Found"], shown, records)
    return AttributeValues(
        key=asked.key,
        records=records,
        distinct_values=distinct or None,
        values=[
            AttributeValue(value=row["Value"], records=max(round(row["Sure"] / weight * records), 1))
            for row in rows[: asked.limit]
        ],
        sampled=shown < records,
        truncated=len(rows) > asked.limit or (not asked.text and distinct > len(rows)),
        start_time=rfc3339(within.start),
        end_time=rfc3339(within.end),
    )


def _top(
    store: ProjectStore, asked: AttributeQuestion, of_key: Conditions, limits: QueryLimits
) -> list[dict[str, int | str]]:
    found = Conditions([], {**of_key.values})
    if asked.text:
        found.add(f"positionCaseInsensitiveUTF8(Value, {found.value(asked.text, 'String')}) > 0")
    most = found.value(asked.limit + 1, "UInt64")
    # An item's error is by how much its count may be too high: ids push one another out, and inherit counts.
    sql = f"""
        SELECT toValidUTF8(top.1) AS Value, sum(top.2 - top.3) AS Sure
        FROM (SELECT arrayJoin(finalizeAggregation(Top)) AS top
              FROM {_VALUES[asked.signal]} WHERE {of_key.sql})
        GROUP BY Value HAVING {found.sql} ORDER BY Sure DESC, Value LIMIT {most}
    """  # noqa: S608  (our own names; values are parameters)
    rows: list[dict[str, int | str]] = store.query_arrow(sql, found.values, limits=limits).to_pylist()
    return rows


def _conditions(asked: AttributeQuestion, within: TimeRange) -> Conditions:
    conditions = Conditions()
    for bound, moment in ((">=", within.start), ("<", within.end)):
        conditions.add(f"Quarter {bound} toDateTime({conditions.value(moment // 10**9, 'Int64')})")
    conditions.one_of("ServiceName", asked.services)
    conditions.one_of("Place", [asked.place] if asked.place else [])
    return conditions
