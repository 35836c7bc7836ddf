"""Reads what errors are like: their last message, place and trend, and where they occurred."""

from collections.abc import Sequence
from typing import Any, Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.errors.message import masked
from glasshouse_collector.api.errors.model import ErrorGroup, Source
from glasshouse_collector.api.errors.place import place_of
from glasshouse_collector.api.errors.rows import exceptions
from glasshouse_collector.api.json_values import json_values
from glasshouse_collector.api.logs.place import LogPlace
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits

_MOST_EXAMPLES: Final = 3
_LIKE: Final = {
    "ErrorId": ("ErrorId", "Text"),
    **{name: (f"argMax({name}, Time)", "String") for name in ("ServiceName", "Type", "Message", "Frame")},
    **{
        f"{name}s": (f"arraySort(groupUniqArrayIf(10)({name}, {name} != ''))", "Array(String)")
        for name in ("Operation", "Version", "Environment")
    },
    "Sources": ("arraySort(groupUniqArray(2)(if(OfLog, 'logs', 'spans')))", "Array(String)"),
    "Traces": (
        "arrayMap(it -> it.2, groupArraySortedIf(12)((-Nanos, TraceId), TraceId != ''))",
        "Array(String)",
    ),
    "Logs": (
        (
            "arrayMap(it -> [toString(-it.1), it.2, toString(it.3)], "
            "groupArraySortedIf(3)((-Nanos, Batch, BatchRow), OfLog))"
        ),
        "Array(Array(String))",
    ),
}
_COLUMNS: Final = (
    "ErrorId, Time, toUnixTimestamp64Nano(Time) AS Nanos, ServiceName, Type, Message, Frame, Operation, "
    "Version, Environment, TraceId, toString(BatchId) AS Batch, BatchRow"
)


def read_groups(  # noqa: PLR0913, PLR0917  (which, and how)
    store: ProjectStore,
    conditions: Conditions,
    source: Source | None,
    within: TimeRange,
    step: int,
    counted: Sequence[dict[str, Any]],
    limits: QueryLimits,
) -> list[ErrorGroup]:
    """Return the errors of `counted` (ErrorId, Count, First, Last), in that order; raises `EngineFailure`."""
    if not counted:
        return []
    of_these = Conditions([*conditions.terms], {**conditions.values})
    ids = "[" + ",".join(str(row["ErrorId"]) for row in counted) + "]"
    of_these.add(f"ErrorId IN {of_these.value(ids, 'Array(UInt64)')}")
    like = _read_likes(store, of_these, source, within, limits)
    trends = _read_trends(store, of_these, source, within, step, limits)
    return [
        _group(row, like[row["ErrorId"]], trends.get(row["ErrorId"], []))
        for row in counted
        if row["ErrorId"] in like
    ]


def _read_likes(
    store: ProjectStore,
    conditions: Conditions,
    source: Source | None,
    within: TimeRange,
    limits: QueryLimits,
) -> dict[int, dict[str, Any]]:
    rows = exceptions(conditions, within, source, _COLUMNS)
    listed = ", ".join(
        f"{sql} AS {'Id' if name == 'ErrorId' else f'Any{name}'}" for name, (sql, _) in _LIKE.items()
    )
    table = store.query_arrow(
        f"SELECT {listed} FROM ({rows.sql}) GROUP BY ErrorId",  # noqa: S608
        rows.conditions.values,
        limits=limits,
    )
    if not table.num_rows:
        return {}
    values = [
        table["Id"].to_pylist() if name == "ErrorId" else json_values(table[f"Any{name}"], kind)
        for name, (_, kind) in _LIKE.items()
    ]
    told = (dict(zip(_LIKE, row, strict=True)) for row in zip(*values, strict=True))
    return {row["ErrorId"]: row for row in told}


def _read_trends(  # noqa: PLR0913, PLR0917  (which, and how)
    store: ProjectStore,
    conditions: Conditions,
    source: Source | None,
    within: TimeRange,
    step: int,
    limits: QueryLimits,
) -> dict[int, list[int]]:
    rows = exceptions(
        conditions,
        within,
        source,
        f"ErrorId, Occurrence, intDiv(toUnixTimestamp64Nano(Time), {step}) AS Step",
    )
    sql = f"""
        SELECT ErrorId, Step, sum(greatest(Events, Records)) AS Count
        FROM (SELECT ErrorId, min(Step) AS Step, countIf(NOT OfLog) AS Events, countIf(OfLog) AS Records
              FROM ({rows.sql}) GROUP BY ErrorId, Occurrence)
        GROUP BY ErrorId, Step
    """  # noqa: S608  (our own names; values are parameters)
    first, last = within.start // step, (within.end - 1) // step
    trends: dict[int, list[int]] = {}
    for row in store.query_arrow(sql, rows.conditions.values, limits=limits).to_pylist():
        trends.setdefault(row["ErrorId"], [0] * (last - first + 1))[row["Step"] - first] = row["Count"]
    return trends


def _group(counted: dict[str, Any], like: dict[str, Any], trend: list[int]) -> ErrorGroup:
    return ErrorGroup(
        id=f"{counted['ErrorId']:016x}",
        service_name=like["ServiceName"],
        type=like["Type"],
        message=like["Message"],
        masked_message=masked(like["Message"]),
        place=place_of(like["Frame"]) if like["Frame"] else None,
        count=counted["Count"],
        first_seen=rfc3339(counted["First"]),
        last_seen=rfc3339(counted["Last"]),
        trend=trend,
        operations=like["Operations"],
        versions=like["Versions"],
        environments=like["Environments"],
        sources=like["Sources"],
        trace_ids=list(dict.fromkeys(like["Traces"]))[:_MOST_EXAMPLES],
        log_ids=[LogPlace(int(nanos), batch, int(row)).id for nanos, batch, row in like["Logs"]],
    )
