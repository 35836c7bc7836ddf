"""Finds the batches of log records that came into the store."""

from collections import defaultdict
from typing import Any, Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.logs.batches import WHOLE, Arrival, BatchName, Told, Unit, parse_batch
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.store import ProjectStore, QueryLimits, log_times

LATE: Final = 3600 * 10**9
"""How far from now a record's time may lie to be shown in a tail."""

_CHANGED: Final = (
    "_part IN (SELECT name FROM system.parts WHERE active AND database = currentDatabase() "
    "AND table IN ('otel_logs', 'otel_logs_local') AND modification_time >= now() - {})"
)
"""The rows of parts that were written in the last seconds, by inserts or merges: all that is new is there."""
_BATCHES: Final = "SELECT DISTINCT BatchId FROM otel_logs WHERE {where}"
_UNITS: Final = (
    "SELECT BatchId, toUInt32(toDate(Timestamp, 'UTC')) AS Day, shardNum() AS Shard, Project, "
    "min(toUnixTimestamp64Nano(Timestamp)) AS First, max(toUnixTimestamp64Nano(Timestamp)) AS Last, "
    "count() AS Records FROM otel_logs WHERE {where} GROUP BY BatchId, Day, Shard, Project"
)


def find_arrivals(
    store: ProjectStore, told: Told, within: TimeRange, changed_seconds: int | None, limits: QueryLimits
) -> list[Arrival]:
    """Return the units of which `told` lacks rows, in the order of their batches; raises `EngineFailure`.

    Looks into parts alone that were written in the last `changed_seconds`; None: into all.
    """
    batches = _batches(store, within, changed_seconds, limits)
    lacking = [batch for batch in batches if told.may_lack(batch)]
    arrivals = _units(store, lacking, within, changed_seconds, limits)
    return [arrival for arrival in arrivals if told.row(arrival.unit) < WHOLE]


def find_newest(store: ProjectStore, within: TimeRange, limits: QueryLimits) -> Told:
    """Return all that is stored, as told; raises `EngineFailure`."""
    newest: dict[str, BatchName] = {}
    for batch in _batches(store, within, None, limits):
        newest[batch.journal] = max(batch, newest.get(batch.journal, batch))
    told = Told()
    for arrival in _units(store, list(newest.values()), within, None, limits):
        told.advance(arrival.unit)
    return told


def _batches(
    store: ProjectStore, within: TimeRange, changed_seconds: int | None, limits: QueryLimits
) -> list[BatchName]:
    asked = _asked(within, changed_seconds)
    found = store.query_arrow(_BATCHES.format(where=asked.sql), asked.values, limits=limits)
    written = found["BatchId"].to_pylist() if found.num_columns else []
    return [batch for batch in map(parse_batch, written) if batch is not None]


def _units(
    store: ProjectStore,
    batches: list[BatchName],
    within: TimeRange,
    changed_seconds: int | None,
    limits: QueryLimits,
) -> list[Arrival]:
    if not batches:
        return []
    asked = _asked(within, changed_seconds)
    of_batches(asked, batches)
    found = store.query_arrow(_UNITS.format(where=asked.sql), asked.values, limits=limits)
    rows: dict[Unit, list[dict[str, Any]]] = defaultdict(list)
    for row in found.to_pylist():
        if batch := parse_batch(row["BatchId"]):
            rows[Unit(batch, row["Day"], row["Shard"])].append(row)
    return [
        Arrival(
            unit,
            min(row["First"] for row in rows[unit]),
            max(row["Last"] for row in rows[unit]),
            {row["Project"]: row["Records"] for row in rows[unit]},
        )
        for unit in sorted(rows)
    ]


def of_batches(conditions: Conditions, batches: list[BatchName]) -> None:
    """Demand one of these batches; their ids hold no comma."""
    written = conditions.value(",".join(dict.fromkeys(batch.id for batch in batches)), "String")
    conditions.add(f"BatchId IN splitByChar(',', {written})")


def _asked(within: TimeRange, changed_seconds: int | None) -> Conditions:
    asked = Conditions()
    asked.add(log_times(asked.value(within.start, "Int64"), asked.value(within.end, "Int64")))
    if changed_seconds is not None:
        asked.add(_CHANGED.format(asked.value(changed_seconds, "UInt32")))
    return asked
