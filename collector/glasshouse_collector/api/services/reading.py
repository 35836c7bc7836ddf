"""Reads how services do, from the tables of counts."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.services.counts import QUANTILES, Minutes, counted_spans, duration_of, ratio
from glasshouse_collector.api.services.model import Service, ServiceList, Status
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits

CRITICAL: Final = 0.3
"""From this share of errors on a service is critical."""
_MOST_NAMED: Final = 20

Rows = dict[str, dict[str, Any]]
"""What was found, by service."""


def read_services(
    store: ProjectStore, minutes: Minutes, limits: QueryLimits, most: int, only: Sequence[str] = ()
) -> ServiceList:
    """Return the services that were seen, by name, at most `most`; raises `EngineFailure`.

    A service is seen by any record of any signal, one without a name never. `only` leaves out all others.
    """
    names = list(only)
    with ThreadPoolExecutor(max_workers=2) as beside:
        logs = beside.submit(_logs, store, minutes, names, limits, most + 1)
        seen = beside.submit(_instances, store, minutes, names, limits, most + 1)
        spans = _spans(store, minutes, names, limits, most + 1)
        found = logs.result(), seen.result()
    known = sorted({*spans, *found[0], *found[1]})
    return ServiceList(
        services=[
            _told(name, spans.get(name, {}), found[0].get(name, {}), found[1].get(name, {}), minutes)
            for name in known[:most]
        ],
        truncated=len(known) > most,
        **minutes.told,
    )


def _spans(store: ProjectStore, minutes: Minutes, names: list[str], limits: QueryLimits, most: int) -> Rows:
    counted, values = counted_spans(minutes, names)
    sql = (
        "SELECT ServiceName, sum(Calls) AS spans, sumIf(Calls, Entry) AS requests, "  # noqa: S608
        "sumIf(Errors, Entry) AS failed, "
        f"{QUANTILES.replace('Weighted', 'WeightedIf').replace('Calls)', 'Calls, Entry)')} AS durations "
        f"FROM ({counted}) WHERE ServiceName != '' GROUP BY ServiceName ORDER BY ServiceName LIMIT {most:d}"
    )
    return _by_service(store, sql, values, limits)


def _logs(store: ProjectStore, minutes: Minutes, names: list[str], limits: QueryLimits, most: int) -> Rows:
    where = Conditions()
    minutes.holds(where, "Minute")
    where.one_of("ServiceName", names)
    sql = (
        "SELECT ServiceName, sum(Records) AS records, sum(Warnings) AS warnings, "  # noqa: S608
        "sum(glasshouse_log_counts.Errors) AS errors, toUnixTimestamp64Nano(max(LastSeen)) AS seen, "
        "toUnixTimestamp64Nano(max(LastHeartbeat)) AS beat FROM glasshouse_log_counts "
        f"WHERE {where.sql} AND ServiceName != '' GROUP BY ServiceName ORDER BY ServiceName LIMIT {most:d}"
    )
    return _by_service(store, sql, where, limits)


def _instances(
    store: ProjectStore, minutes: Minutes, names: list[str], limits: QueryLimits, most: int
) -> Rows:
    where = Conditions()
    minutes.touches(where)
    where.one_of("ServiceName", names)
    sql = (
        "SELECT ServiceName, toUnixTimestamp64Nano(max(LastSeen)) AS seen, "  # noqa: S608
        "argMaxIf(Version, LastSeen, Version != '') AS version, "
        f"groupUniqArrayIf({_MOST_NAMED})(Version, Version != '') AS versions, "
        "argMaxIf(Environment, LastSeen, Environment != '') AS environment, "
        f"groupUniqArrayIf({_MOST_NAMED})(Environment, Environment != '') AS environments, "
        "uniqExactIf((Instance, Host), Instance != '' OR Host != '') AS instances "
        f"FROM glasshouse_instances WHERE {where.sql} AND ServiceName != '' "
        f"GROUP BY ServiceName ORDER BY ServiceName LIMIT {most:d}"
    )
    return _by_service(store, sql, where, limits)


def _by_service(store: ProjectStore, sql: str, asked: Conditions, limits: QueryLimits) -> Rows:
    return {
        row["ServiceName"]: row for row in store.query_arrow(sql, asked.values, limits=limits).to_pylist()
    }


def _told(
    name: str, spans: dict[str, Any], logs: dict[str, Any], seen: dict[str, Any], minutes: Minutes
) -> Service:
    requests, failed = spans.get("requests", 0), spans.get("failed", 0)
    records, errors = logs.get("records", 0), logs.get("errors", 0)
    p50, p95, p99 = (duration_of(it) for it in spans["durations"]) if requests else (None, None, None)
    beat = logs.get("beat", 0)
    return Service(
        service_name=name,
        status=status_of((errors, records), (failed, requests)),
        total_logs=records,
        error_count=errors,
        warning_count=logs.get("warnings", 0),
        requests=requests,
        failed_requests=failed,
        rate=requests / minutes.seconds,
        error_ratio=ratio(failed, requests),
        p50_ns=p50,
        p95_ns=p95,
        p99_ns=p99,
        spans=spans.get("spans", 0),
        last_seen=rfc3339(max(logs.get("seen", 0), seen.get("seen", 0)) or minutes.start * 10**9),
        last_heartbeat=rfc3339(beat) if beat > 0 else None,
        version=seen.get("version") or None,
        versions=sorted(seen.get("versions", ())),
        environment=seen.get("environment") or None,
        environments=sorted(seen.get("environments", ())),
        instances=seen.get("instances", 0),
    )


def status_of(*errors_of: tuple[int, int]) -> Status:
    """Return how a service does, by errors and what they are among: the worst of them counts."""
    if not any(errors for errors, _ in errors_of):
        return "healthy"
    worst = max(errors / whole for errors, whole in errors_of if whole)
    return "critical" if worst >= CRITICAL else "degraded"
