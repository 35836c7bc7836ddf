"""Who calls a service, and whom it calls."""

from dataclasses import dataclass
from typing import Any, Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.services.counts import Minutes
from glasshouse_collector.api.services.edges import read_edges
from glasshouse_collector.api.services.map import quantiles_of
from glasshouse_collector.api.services.model import Dependency, NodeKind
from glasshouse_collector.api.services.sampling import count_spans, sample_of
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST: Final = 10_000
_SERVICE: Final = "service"
_LOOKED_AT: Final = 3600
"""Seconds: whom a service calls rarely changes, and the spans of days are many."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Who calls a service, whom it calls, the most frequent first; when, and from one in how many spans."""

    called_by: list[Dependency]
    calls: list[Dependency]
    during: Minutes
    one_in: int


def read_dependencies(store: ProjectStore, name: str, minutes: Minutes, limits: QueryLimits) -> Dependencies:
    """Return a service's dependencies in the last hour of the range up to its last span.

    Raises `EngineFailure`.
    """
    during = _last_hour(store, name, minutes, limits)
    sample = sample_of(during, count_spans(store, during, limits))
    rows = [row for row in read_edges(store, sample, MOST, limits) if not row["OfNode"]]
    return Dependencies(
        [
            _dependency(row["ClientKind"], row["Client"], row, during, sample.one_in)
            for row in rows
            if (row["ServerKind"], row["Server"]) == (_SERVICE, name)
        ],
        [
            _dependency(row["ServerKind"], row["Server"], row, during, sample.one_in)
            for row in rows
            if (row["ClientKind"], row["Client"]) == (_SERVICE, name)
        ],
        during,
        sample.one_in,
    )


def _last_hour(store: ProjectStore, name: str, minutes: Minutes, limits: QueryLimits) -> Minutes:
    where = Conditions()
    where.one_of("ServiceName", [name])
    minutes.holds(where, "Minute")
    sql = f"SELECT toUnixTimestamp(max(Minute)) AS last FROM glasshouse_operations WHERE {where.sql}"  # noqa: S608
    last = store.query_arrow(sql, where.values, limits=limits)["last"][0].as_py()
    end = min(last + 60, minutes.end) if last else minutes.end
    return Minutes(max(minutes.start, end - _LOOKED_AT), end)


def _dependency(kind: NodeKind, name: str, row: dict[str, Any], minutes: Minutes, one_in: int) -> Dependency:
    calls = row["Calls"] * one_in
    _, as_client = quantiles_of(row["ByClients"], row["OfClients"])
    _, as_server = quantiles_of(row["ByServers"], row["OfServers"])
    return Dependency(
        kind=kind,
        name=name,
        calls=calls,
        errors=row["Errors"] * one_in,
        rate=calls / minutes.seconds,
        p95_ns=as_client if as_client is not None else as_server,
    )
