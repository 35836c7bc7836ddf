"""Releases and instances of a service."""

from typing import Any, Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.services.counts import Minutes, ratio
from glasshouse_collector.api.services.model import Instance, Release, Service
from glasshouse_collector.api.services.sampling import count_spans, sample_of
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits

_MOST_INSTANCES: Final = 200
_MOST_RELEASES: Final = 50
_SEEN: Final = "toUnixTimestamp64Nano(min(FirstSeen)) AS first, toUnixTimestamp64Nano(max(LastSeen)) AS last"


def read_instances(store: ProjectStore, name: str, minutes: Minutes, limits: QueryLimits) -> list[Instance]:
    """Return what the service ran as, the last seen first; raises `EngineFailure`."""
    where = _seen(name, minutes)
    sql = (
        f"SELECT Instance, Host, Version, Environment, {_SEEN} FROM glasshouse_instances "  # noqa: S608
        f"WHERE {where.sql} AND (Instance != '' OR Host != '') GROUP BY Instance, Host, Version, Environment "
        f"ORDER BY last DESC, Instance, Host LIMIT {_MOST_INSTANCES}"
    )
    return [
        Instance(
            id=row["Instance"],
            host=row["Host"],
            version=row["Version"],
            environment=row["Environment"],
            first_seen=rfc3339(row["first"]),
            last_seen=rfc3339(row["last"]),
        )
        for row in store.query_arrow(sql, where.values, limits=limits).to_pylist()
    ]


def read_releases(
    store: ProjectStore, service: Service, minutes: Minutes, limits: QueryLimits
) -> tuple[list[Release], int]:
    """Return the versions of a service, the last that appeared first, and of one in how many requests.

    Requests are counted by version from the spans themselves, those of a large range from a sample. Raises
    `EngineFailure`.
    """
    where = _seen(service.service_name, minutes)
    sql = (
        "SELECT Version, uniqExact(Instance, Host) AS instances, "  # noqa: S608  (values are parameters)
        f"{_SEEN} FROM glasshouse_instances WHERE {where.sql} AND Version != '' "
        f"GROUP BY Version ORDER BY first DESC, Version LIMIT {_MOST_RELEASES}"
    )
    versions = store.query_arrow(sql, where.values, limits=limits).to_pylist()
    if not versions or not service.requests:
        return [_release(row, None, 1) for row in versions], 1
    sampled, asked = _requests(store, service.service_name, minutes, limits)
    return [_release(row, asked.get(row["Version"]), sampled) for row in versions], sampled


def _requests(
    store: ProjectStore, name: str, minutes: Minutes, limits: QueryLimits
) -> tuple[int, dict[str, dict[str, Any]]]:
    sample = sample_of(minutes, count_spans(store, minutes, limits, [name]))
    where = Conditions()
    where.one_of("ServiceName", [name])
    sample.holds(where)
    sql = (
        "SELECT ResourceAttributes['service.version'] AS Version, count() AS requests, "  # noqa: S608
        "countIf(StatusCode = 'Error') AS failed, quantileTDigest(0.95)(Duration) AS p95 FROM otel_traces "
        f"WHERE {where.sql} AND SpanKind IN ('Server', 'Consumer') GROUP BY Version"
    )
    rows = store.query_arrow(sql, where.values, limits=limits).to_pylist()
    return sample.one_in, {row["Version"]: row for row in rows}


def _seen(name: str, minutes: Minutes) -> Conditions:
    where = Conditions()
    where.one_of("ServiceName", [name])
    minutes.touches(where)
    return where


def _release(row: dict[str, Any], asked: dict[str, Any] | None, one_in: int) -> Release:
    return Release(
        version=row["Version"],
        first_seen=rfc3339(row["first"]),
        last_seen=rfc3339(row["last"]),
        instances=row["instances"],
        requests=asked["requests"] * one_in if asked else None,
        error_ratio=ratio(asked["failed"], asked["requests"]) if asked else None,
        p95_ns=round(asked["p95"]) if asked else None,
    )
