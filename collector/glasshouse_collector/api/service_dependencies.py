"""Who calls a service, and whom it calls."""

from typing import Any, Final

from glasshouse_collector.api.service_counts import Minutes
from glasshouse_collector.api.service_edges import read_edges
from glasshouse_collector.api.service_map import quantiles_of
from glasshouse_collector.api.service_model import Dependency, NodeKind
from glasshouse_collector.api.service_sampling import count_spans, sample_of
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST: Final = 10_000
_SERVICE: Final = "service"


def read_dependencies(
    store: ProjectStore, name: str, minutes: Minutes, limits: QueryLimits
) -> tuple[list[Dependency], list[Dependency], int]:
    """Return who calls a service, whom it calls, and from about one in how many traces that is known.

    The most frequent first. Raises `EngineFailure`.
    """
    sample = sample_of(minutes, count_spans(store, minutes, limits))
    rows = [row for row in read_edges(store, sample, MOST, limits) if not row["OfNode"]]
    return (
        [
            _dependency(row["ClientKind"], row["Client"], row, minutes, sample.one_in)
            for row in rows
            if (row["ServerKind"], row["Server"]) == (_SERVICE, name)
        ],
        [
            _dependency(row["ServerKind"], row["Server"], row, minutes, sample.one_in)
            for row in rows
            if (row["ClientKind"], row["Client"]) == (_SERVICE, name)
        ],
        sample.one_in,
    )


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
