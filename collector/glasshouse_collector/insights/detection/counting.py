"""Reads what services did, minute by minute, from the tables that are filled as records come in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glasshouse_collector.core.incidents import INSIGHTS_SERVICE
from glasshouse_collector.insights.detection.axis import Axis
from glasshouse_collector.insights.detection.judging import Change, Counted, Numbers, Truths
from glasshouse_collector.insights.detection.signals import SignalKind
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_SERIES: Final = 5000
"""Operations that are looked at, the most frequent ones; of exceptions and of logs as many."""
_BEYOND: Final = 4
"""Buckets, eight an octave: a call is slow that takes 1.41 times what half of all (19 in 20) took."""
_MORE: Final = Change(up=True, factor=3.0)
_FEWER: Final = Change(up=False, factor=3.0)
_NONE: Final = Change(up=False, factor=10.0)

_LEVELS: Final = f"""
SELECT cityHash64(ServiceName, SpanName, SpanKind) AS Series, any(ServiceName) AS Service,
    any(SpanName) AS Operation, any(SpanKind IN ('Server', 'Consumer')) AS Entry,
    if(sumIf(Calls, {{normal}}) > 0,
        quantilesExactWeightedIf(0.5, 0.95)(DurationBucket, Calls, {{normal}}),
        quantilesExactWeighted(0.5, 0.95)(DurationBucket, Calls)) AS Levels,
    toUInt32(Levels[1]) + {_BEYOND} AS Slow, toUInt32(Levels[2]) + {_BEYOND} AS Slowest
FROM glasshouse_operations WHERE {{when}} AND ServiceName != ''
GROUP BY Series ORDER BY sum(Calls) DESC, Series LIMIT {MOST_SERIES}
"""  # noqa: S608  (our own expressions)
_CALLS: Final = """
SELECT Series, toUInt32(intDiv(toUnixTimestamp(Minute), 60)) AS Minute, sum(Calls) AS Called,
    sum(Errors) AS Failed, sumIf(Calls, DurationBucket > Slow) AS Slow,
    sumIf(Calls, DurationBucket > Slowest) AS Slowest
FROM (SELECT cityHash64(ServiceName, SpanName, SpanKind) AS Series, Minute, Calls, Errors, DurationBucket
    FROM glasshouse_operations WHERE {when}) AS o
INNER JOIN ({levels}) AS l ON o.Series = l.Series
GROUP BY Series, Minute
"""
_LOGS: Final = f"""
SELECT ServiceName AS Service, toUInt32(intDiv(toUnixTimestamp(Minute), 60)) AS Minute,
    sum(Records) AS Records
FROM glasshouse_log_counts WHERE {{when}} AND ServiceName NOT IN ('', '{INSIGHTS_SERVICE}')
GROUP BY Service, Minute
"""  # noqa: S608
_THROWN: Final = "SELECT ServiceName, Type, Time FROM {table} WHERE {when} AND ServiceName != ''"
_EXCEPTIONS: Final = f"""
SELECT ServiceName AS Service, Type, toUInt32(intDiv(toUnixTimestamp(Time), 60)) AS Minute, count() AS Thrown
FROM ({{thrown}}) GROUP BY Service, Type, Minute ORDER BY Thrown DESC LIMIT {100 * MOST_SERIES}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Family:
    """Series that are judged alike: one kind of signal, by service and operation."""

    kind: SignalKind
    counted: Counted
    change: Change
    services: Sequence[str]
    operations: Sequence[str]
    bounds: npt.NDArray[np.int64] | None = None
    """Nanoseconds that a slow call takes longer than."""
    entries: Truths | None = None
    severe: Truths | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """What was read: the families, and what all services did together a minute."""

    families: list[Family]
    whole: Numbers
    """Calls and log records of the whole project a minute."""


@dataclass(slots=True)
class _Calls:
    """Calls by operation (rows) and minute (columns)."""

    services: npt.NDArray[np.object_]
    operations: list[str]
    entries: Truths
    levels: dict[str, npt.NDArray[np.int64]]
    counts: dict[str, Numbers] = field(default_factory=dict)


def read_activity(store: ProjectStore, axis: Axis, normal: str, limits: QueryLimits) -> Activity:
    """Return what the minutes of an axis have; raises `EngineFailure`.

    `normal` is SQL about a column Minute: of which minutes the usual durations are taken.
    """
    calls = _read_calls(store, axis, normal, limits)
    names, logs = _read_logs(store, axis, limits)
    called = calls.counts["Called"]
    whole = called.sum(axis=0) + logs.sum(axis=0)
    families = [*_of_calls(calls, axis), *_of_services(calls, axis, whole)]
    families.append(_silent(axis, names, logs))
    families.append(_exceptions(store, axis, _exposure(calls, whole), limits))
    return Activity([each for each in families if each.counted.series], whole)


def duration_of(bucket: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return nanoseconds: the upper end of buckets of eight an octave."""
    return (2.0 ** ((bucket + 1) / 8)).astype(np.int64)


def _read_calls(store: ProjectStore, axis: Axis, normal: str, limits: QueryLimits) -> _Calls:
    levels = _LEVELS.format(normal=normal, when=axis.holds("Minute"))
    series = store.query_arrow(levels, limits=limits)
    rows = store.query_arrow(_CALLS.format(when=axis.holds("Minute"), levels=levels), limits=limits)
    calls = _Calls(
        services=np.array(_texts(series, "Service"), dtype=np.object_),
        operations=_texts(series, "Operation"),
        entries=np.array(_numbers(series, "Entry"), dtype=np.bool_),
        levels={name: _numbers(series, name).astype(np.int64) for name in ("Slow", "Slowest")},
    )
    ids = _numbers(series, "Series").astype(np.uint64)
    order = np.argsort(ids)
    place = order[np.searchsorted(ids[order], _numbers(rows, "Series").astype(np.uint64))]
    columns = axis.columns(_numbers(rows, "Minute"))
    for name in ("Called", "Failed", "Slow", "Slowest"):
        calls.counts[name] = _matrix(len(ids), axis, place, columns, _numbers(rows, name))
    return calls


def _of_calls(calls: _Calls, axis: Axis) -> list[Family]:
    """Return what shares of calls fail and are slow."""
    called = calls.counts["Called"]
    kinds = {"Failed": SignalKind.ERRORS, "Slow": SignalKind.SLOW, "Slowest": SignalKind.SLOWEST}
    return [
        Family(
            kind,
            Counted(axis.minutes, calls.counts[name], called, shares=True),
            _MORE,
            list(calls.services),
            calls.operations,
            bounds=duration_of(calls.levels[name]) if name in calls.levels else None,
            entries=calls.entries,
        )
        for name, kind in kinds.items()
    ]


def _of_services(calls: _Calls, axis: Axis, whole: Numbers) -> list[Family]:
    """Return how many requests services get beside the others, and how many calls they make for each."""
    called = calls.counts["Called"]
    names = sorted(set(calls.services[calls.entries]))
    asked = np.array([called[calls.entries & (calls.services == name)].sum(axis=0) for name in names])
    asked = asked.reshape(len(names), len(axis.minutes))
    number = {name: row for row, name in enumerate(names)}
    inner = np.flatnonzero(
        ~calls.entries & np.array([name in number for name in calls.services], dtype=np.bool_)
    )
    for_each = asked[[number[name] for name in calls.services[inner]]]
    made = Counted(axis.minutes, called[inner], for_each.reshape(len(inner), len(axis.minutes)), shares=False)
    by, of = list(calls.services[inner]), [calls.operations[row] for row in inner]
    minutes = np.broadcast_to((whole > 0).astype(np.float64), asked.shape)
    return [
        _silent(axis, names, asked),
        Family(SignalKind.MISSING_CALLS, made, _FEWER, by, of),
        Family(SignalKind.MORE_CALLS, made, _MORE, by, of),
        Family(
            SignalKind.TRAFFIC,
            Counted(axis.minutes, asked, minutes, shares=False),
            _MORE,
            names,
            [""] * len(names),
        ),
    ]


def _silent(axis: Axis, names: list[str], counts: Numbers) -> Family:
    """Return services beside what the others do: where all are silent, it is not one of them that is."""
    others = counts.sum(axis=0) - counts
    counted = Counted(axis.minutes, counts, others, shares=False)
    return Family(SignalKind.SILENT, counted, _NONE, names, [""] * len(names))


def _exposure(calls: _Calls, whole: Numbers) -> dict[str, Numbers]:
    """Return what exceptions are beside: a service's calls; of one without spans (""), minutes."""
    called, found = calls.counts["Called"], {"": (whole > 0).astype(np.float64)}
    for name in set(calls.services):
        found[name] = called[calls.services == name].sum(axis=0)
    return found


def _exceptions(store: ProjectStore, axis: Axis, exposure: dict[str, Numbers], limits: QueryLimits) -> Family:
    thrown = " UNION ALL ".join(
        _THROWN.format(table=table, when=axis.holds("Time"))
        for table in ("glasshouse_span_exceptions", "glasshouse_log_exceptions")
    )
    rows = store.query_arrow(_EXCEPTIONS.format(thrown=thrown), limits=limits)
    keys = list(zip(_texts(rows, "Service"), _texts(rows, "Type"), strict=True))
    series = list(dict.fromkeys(keys))[:MOST_SERIES]
    number = {key: row for row, key in enumerate(series)}
    kept = np.array([key in number for key in keys], dtype=np.bool_)
    place = [number[key] for key in keys if key in number]
    columns = axis.columns(_numbers(rows, "Minute")[kept])
    counts = _matrix(len(series), axis, place, columns, _numbers(rows, "Thrown")[kept])
    beside = np.array([exposure.get(service, exposure[""]) for service, _ in series])
    beside = np.maximum(beside.reshape(counts.shape), counts > 0)
    return Family(
        SignalKind.EXCEPTION,
        Counted(axis.minutes, counts, beside, shares=False),
        _MORE,
        [service for service, _ in series],
        [kind for _, kind in series],
    )


def _read_logs(store: ProjectStore, axis: Axis, limits: QueryLimits) -> tuple[list[str], Numbers]:
    rows = store.query_arrow(_LOGS.format(when=axis.holds("Minute")), limits=limits)
    keys = _texts(rows, "Service")
    names = sorted(set(keys))[:MOST_SERIES]
    number = {name: row for row, name in enumerate(names)}
    kept = np.array([key in number for key in keys], dtype=np.bool_)
    columns = axis.columns(_numbers(rows, "Minute")[kept])
    place = [number[key] for key in keys if key in number]
    return names, _matrix(len(names), axis, place, columns, _numbers(rows, "Records")[kept])


def _matrix(
    series: int, axis: Axis, place: Sequence[int] | npt.NDArray[Any], columns: npt.NDArray[Any], values: Any
) -> Numbers:
    made = np.zeros((series, len(axis.minutes)))
    made[np.asarray(place, dtype=np.int64), columns] = values
    return made


def _numbers(rows: pa.Table, name: str) -> npt.NDArray[Any]:
    return np.asarray(rows.column(name)) if rows.num_columns else np.empty(0)


def _texts(rows: pa.Table, name: str) -> list[str]:
    return rows.column(name).to_pylist() if rows.num_columns else []
