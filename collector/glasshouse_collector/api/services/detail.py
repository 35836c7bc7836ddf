"""Reads one service whole: what it does, on which releases and instances, and with whom."""

from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any, Final, Literal

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.logs.counting import step_for
from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.services.counts import (
    MINUTE,
    QUANTILES,
    SECOND,
    Minutes,
    duration_of,
)
from glasshouse_collector.api.services.dependencies import read_dependencies
from glasshouse_collector.api.services.model import (
    ErrorTrace,
    Operation,
    ServiceDetail,
    ServiceStep,
)
from glasshouse_collector.api.services.reading import read_services
from glasshouse_collector.api.services.releases import read_instances, read_releases
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits

OperationOrder = Literal["calls", "errors", "error_ratio", "p95", "name"]
_ORDERS: Final[dict[OperationOrder, str]] = {
    "calls": "calls DESC",
    "errors": "errors DESC, calls DESC",
    "error_ratio": "errors / calls DESC, calls DESC",
    "p95": "durations[2] DESC, calls DESC",
    "name": "SpanName",
}
_MOST_STEPS: Final = 60
_MOST_ERROR_TRACES: Final = 10
_LONGEST_MESSAGE: Final = 500
_NEAR: Final = 3
_MOST_NAMES: Final = 10_000


def read_service(
    store: ProjectStore,
    name: str,
    minutes: Minutes,
    operations: tuple[OperationOrder, int],
    limits: QueryLimits,
) -> ServiceDetail:
    """Return a service; `operations` is which of them come first, and how many are told.

    Raises `Problem` (404) where it was not seen in the range, and `EngineFailure`.
    """
    found = read_services(store, minutes, limits, 1, [name]).services
    if not found:
        raise _unknown(store, name, minutes, limits)
    order, most = operations
    with ThreadPoolExecutor(max_workers=2) as beside:
        dependencies = beside.submit(read_dependencies, store, name, minutes, limits)
        releases = beside.submit(read_releases, store, found[0], minutes, limits)
        done = _operations(store, name, minutes, order, most + 1, limits)
        instances = read_instances(store, name, minutes, limits)
        step, steps = _steps(store, name, minutes, limits)
        error_traces = _error_traces(store, name, minutes, limits)
        depends = dependencies.result()
        told, releases_sampled = releases.result()
    return ServiceDetail(
        service=found[0],
        operations=done[:most],
        operations_truncated=len(done) > most,
        called_by=depends.called_by,
        calls=depends.calls,
        dependencies_start_time=rfc3339(depends.during.start * SECOND),
        dependencies_end_time=rfc3339(depends.during.end * SECOND),
        dependencies_sampled=depends.one_in,
        releases=told,
        releases_sampled=releases_sampled,
        instances=instances,
        step_seconds=step,
        steps=steps,
        error_traces=error_traces,
        **minutes.told,
    )


def _unknown(store: ProjectStore, name: str, minutes: Minutes, limits: QueryLimits) -> Problem:
    known = [it.service_name for it in read_services(store, minutes, limits, _MOST_NAMES).services]
    lowered = {it.lower(): it for it in known}
    near = [lowered[it] for it in get_close_matches(name.lower(), lowered, n=_NEAR)]
    hint = f"; there is {', '.join(near)}" if near else ""
    return Problem(HTTPStatus.NOT_FOUND, f"no service {name[:200]!r} was seen in this range of time{hint}")


def _of_service(name: str, minutes: Minutes) -> Conditions:
    where = Conditions()
    where.one_of("ServiceName", [name])
    minutes.holds(where, "Minute")
    return where


def _operations(  # noqa: PLR0913, PLR0917  (what is asked, of what, how much)
    store: ProjectStore, name: str, minutes: Minutes, order: OperationOrder, most: int, limits: QueryLimits
) -> list[Operation]:
    where = _of_service(name, minutes)
    sql = (
        "SELECT SpanName, SpanKind, sum(Calls) AS calls, sum(Errors) AS errors, "  # noqa: S608
        f"{QUANTILES} AS durations, toUnixTimestamp(max(Minute)) AS seen FROM glasshouse_operations "
        f"WHERE {where.sql} GROUP BY SpanName, SpanKind ORDER BY {_ORDERS[order]}, SpanName, SpanKind "
        f"LIMIT {most:d}"
    )
    rows = store.query_arrow(sql, where.values, limits=limits).to_pylist()
    return [_operation(row, minutes) for row in rows]


def _operation(row: dict[str, Any], minutes: Minutes) -> Operation:
    p50, p95, p99 = (duration_of(it) for it in row["durations"])
    return Operation(
        name=row["SpanName"],
        kind=row["SpanKind"],
        calls=row["calls"],
        errors=row["errors"],
        rate=row["calls"] / minutes.seconds,
        error_ratio=row["errors"] / row["calls"],
        p50_ns=p50,
        p95_ns=p95,
        p99_ns=p99,
        last_seen=rfc3339(row["seen"] * SECOND),
    )


def _steps(
    store: ProjectStore, name: str, minutes: Minutes, limits: QueryLimits
) -> tuple[int, list[ServiceStep]]:
    """Return the length of a step in seconds, and requests in such steps, which begin at multiples of it."""
    within = TimeRange(minutes.start * SECOND, max(minutes.end, minutes.start + 1) * SECOND)
    step = max(step_for(within, _MOST_STEPS), MINUTE) // SECOND
    where = _of_service(name, minutes)
    sql = (
        f"SELECT intDiv(toUnixTimestamp(Minute), {step:d}) AS step, sum(Calls) AS calls, "  # noqa: S608
        f"sum(Errors) AS errors, {QUANTILES} AS durations FROM glasshouse_operations "
        f"WHERE {where.sql} AND SpanKind IN ('Server', 'Consumer') GROUP BY step"
    )
    counted = {row["step"]: row for row in store.query_arrow(sql, where.values, limits=limits).to_pylist()}
    numbers = range(minutes.start // step, -(-minutes.end // step))
    return step, [_step(number * step, step, counted.get(number)) for number in numbers]


def _step(begins: int, seconds: int, row: dict[str, Any] | None) -> ServiceStep:
    calls = row["calls"] if row else 0
    return ServiceStep(
        time=rfc3339(begins * SECOND),
        requests=calls,
        failed_requests=row["errors"] if row else 0,
        rate=calls / seconds,
        p95_ns=duration_of(row["durations"][1]) if row else None,
    )


def _error_traces(store: ProjectStore, name: str, minutes: Minutes, limits: QueryLimits) -> list[ErrorTrace]:
    """Return the last traces with a failed span of the service, looked for where failures are counted."""
    where = _of_service(name, minutes)
    sql = (
        "SELECT DISTINCT toUnixTimestamp(Minute) AS minute FROM glasshouse_operations "  # noqa: S608
        f"WHERE {where.sql} AND Errors > 0 ORDER BY minute DESC LIMIT {_MOST_ERROR_TRACES}"
    )
    failed = store.query_arrow(sql, where.values, limits=limits)["minute"].to_pylist()
    if not failed:
        return []
    spans = Conditions()
    spans.one_of("ServiceName", [name])
    minutes_of = [f"toDateTime({spans.value(begins, 'UInt32')})" for begins in failed]
    first, last = spans.value(min(failed), "UInt32"), spans.value(max(failed) + 60, "UInt32")
    spans.add(f"toDateTime(Timestamp) >= toDateTime({first}) AND toDateTime(Timestamp) < toDateTime({last})")
    spans.add(f"toStartOfMinute(toDateTime(Timestamp)) IN ({', '.join(minutes_of)})")
    sql = (
        "SELECT TraceId, toUnixTimestamp64Nano(Timestamp) AS nanos, SpanName, "  # noqa: S608
        f"leftUTF8(StatusMessage, {_LONGEST_MESSAGE}) AS message, Duration FROM otel_traces "
        f"WHERE {spans.sql} AND StatusCode = 'Error' AND TraceId != '' "
        f"ORDER BY Timestamp DESC, Duration DESC LIMIT 1 BY TraceId LIMIT {_MOST_ERROR_TRACES}"
    )
    return [
        ErrorTrace(
            trace_id=row["TraceId"],
            time=rfc3339(row["nanos"]),
            operation=row["SpanName"],
            message=row["message"],
            duration_ns=row["Duration"],
        )
        for row in store.query_arrow(sql, spans.values, limits=limits).to_pylist()
    ]
