"""The map of services: nodes and the calls between them."""

from typing import Any

from glasshouse_collector.api.services.counts import Minutes, ratio
from glasshouse_collector.api.services.edges import read_edges
from glasshouse_collector.api.services.model import ServiceEdge, ServiceList, ServiceMap, ServiceNode
from glasshouse_collector.api.services.reading import read_services
from glasshouse_collector.api.services.sampling import MOST_SPANS, count_spans, sample_of
from glasshouse_collector.store import ProjectStore, QueryLimits

_SERVICE = "service"


def read_service_map(
    store: ProjectStore, minutes: Minutes, limits: QueryLimits, most: int, most_spans: int = MOST_SPANS
) -> ServiceMap:
    """Return the map of a range of time, with at most `most` nodes and edges; raises `EngineFailure`.

    Services with spans are nodes, called or not. Their numbers are counts of all their requests; those of
    edges and of what sends no spans are of a sample, where the range has more than `most_spans` spans.
    """
    sample = sample_of(minutes, count_spans(store, minutes, limits), most_spans)
    rows = read_edges(store, sample, most + 1, limits)
    called = [row for row in rows if row["OfNode"]]
    edges = [row for row in rows if not row["OfNode"]]
    services = read_services(store, minutes, limits, most)
    nodes = [*_services(services), *(_called(row, minutes, sample.one_in) for row in called)]
    known = {node.id: node for node in reversed(nodes[:most])}
    drawn = [_edge(row, minutes, sample.one_in) for row in edges[:most]]
    drawn = [edge for edge in drawn if edge.client in known and edge.server in known]
    return ServiceMap(
        nodes=sorted(known.values(), key=lambda node: (node.kind != _SERVICE, node.id)),
        edges=drawn,
        sampled=sample.one_in,
        truncated=services.truncated or len(nodes) > most or len(drawn) < len(edges),
        **minutes.told,
    )


def _services(found: ServiceList) -> list[ServiceNode]:
    return [
        ServiceNode(
            id=node_id(_SERVICE, it.service_name),
            kind="service",
            name=it.service_name,
            system="",
            requests=it.requests,
            rate=it.rate,
            error_ratio=it.error_ratio,
            p95_ns=it.p95_ns,
        )
        for it in found.services
        if it.spans
    ]


def _called(row: dict[str, Any], minutes: Minutes, one_in: int) -> ServiceNode:
    """Return what is called as its callers tell of it; of a service its own counts come first."""
    calls, errors = row["Calls"] * one_in, row["Errors"] * one_in
    _, p95 = quantiles_of(row["ByClients"], row["OfClients"])
    return ServiceNode(
        id=node_id(row["ServerKind"], row["Server"]),
        kind=row["ServerKind"],
        name=row["Server"],
        system=row["System"] if row["ServerKind"] != _SERVICE else "",
        requests=calls,
        rate=calls / minutes.seconds,
        error_ratio=ratio(errors, calls),
        p95_ns=p95,
    )


def _edge(row: dict[str, Any], minutes: Minutes, one_in: int) -> ServiceEdge:
    calls = row["Calls"] * one_in
    client_p50, client_p95 = quantiles_of(row["ByClients"], row["OfClients"])
    server_p50, server_p95 = quantiles_of(row["ByServers"], row["OfServers"])
    return ServiceEdge(
        client=node_id(row["ClientKind"], row["Client"]),
        server=node_id(row["ServerKind"], row["Server"]),
        calls=calls,
        errors=row["Errors"] * one_in,
        rate=calls / minutes.seconds,
        client_p50_ns=client_p50,
        client_p95_ns=client_p95,
        server_p50_ns=server_p50,
        server_p95_ns=server_p95,
    )


def node_id(kind: str, name: str) -> str:
    """Return what edges call a node."""
    return f"{kind}:{name}"


def quantiles_of(found: list[float], of: int) -> tuple[int | None, int | None]:
    """Return median and p95 in nanoseconds, none of nothing."""
    return (round(found[0]), round(found[1])) if of else (None, None)
