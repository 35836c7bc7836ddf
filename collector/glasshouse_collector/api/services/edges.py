"""Reads who calls whom from the spans themselves.

    CLIENT    (trace, its span id)      SERVER    (trace, its parent's span id)
    PRODUCER  (trace, its span id)      CONSUMER  each of its links, else its parent

A client span of a database is a call by itself. A producer's goes to the queue it names, and from there to
the consumers; without a queue's name it goes to the consumer directly. A client span without a server span
calls the peer it names, and none where it names none.
"""

from typing import Any, Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.services.peers import DATABASE, DATABASE_SYSTEM, HOST, QUEUE, QUEUE_SYSTEM
from glasshouse_collector.api.services.sampling import Sample
from glasshouse_collector.store import ProjectStore, QueryLimits

_LATER: Final = 60 * 10**9
"""How much later than its client a server may begin."""

_CLIENTS: Final = f"""
SELECT cityHash64(TraceId, SpanId) AS Pair, ServiceName AS Service, false AS Produces,
    StatusCode = 'Error' AS Failed, Duration, {DATABASE} AS Database, '' AS Queue,
    {DATABASE_SYSTEM} AS System, if(Database = '', {HOST}, '') AS Host
FROM otel_traces WHERE SpanKind = 'Client' AND ServiceName != '' AND ({{when}})
"""  # noqa: S608  (our own expressions; values are parameters)
_PRODUCERS: Final = f"""
SELECT cityHash64(TraceId, SpanId) AS Pair, ServiceName AS Service, true AS Produces,
    StatusCode = 'Error' AS Failed, Duration, '' AS Database, {QUEUE} AS Queue,
    {QUEUE_SYSTEM} AS System, {HOST} AS Host
FROM otel_traces WHERE SpanKind = 'Producer' AND ServiceName != '' AND ({{when}})
"""  # noqa: S608
_SERVERS: Final = """
SELECT cityHash64(TraceId, ParentSpanId) AS Pair, ServiceName AS Service, StatusCode = 'Error' AS Failed,
    Duration, toUInt64(0) AS Own, '' AS Queue, '' AS System
FROM otel_traces WHERE SpanKind = 'Server' AND ServiceName != '' AND ({when})
"""
_CONSUMERS: Final = f"""
SELECT arrayJoin(if(notEmpty(Links.SpanId),
        arrayDistinct(arrayMap((trace, span) -> cityHash64(trace, span), Links.TraceId, Links.SpanId)),
        [cityHash64(TraceId, ParentSpanId)])) AS Pair, ServiceName AS Service, StatusCode = 'Error' AS Failed,
    Duration, cityHash64(TraceId, SpanId) AS Own, {QUEUE} AS Queue, {QUEUE_SYSTEM} AS System
FROM otel_traces WHERE SpanKind = 'Consumer' AND ServiceName != '' AND ({{when}})
"""  # noqa: S608
_CALLS: Final = """
SELECT 'service' AS ClientKind, c.Service AS Client,
    multiIf(c.Database != '', 'database', Queue != '', 'queue', s.Service != '', 'service',
        c.Host != '', 'external', '') AS ServerKind,
    multiIf(ServerKind = 'database', c.Database, ServerKind = 'queue', Queue,
        ServerKind = 'service', s.Service, c.Host) AS Server,
    if(c.Produces, if(c.Queue != '', c.Queue, s.Queue), '') AS Queue,
    if(c.System != '', c.System, s.System) AS System,
    ServerKind = 'service' AS Paired, c.Failed OR (Paired AND s.Failed) AS Failed,
    c.Duration AS ClientDuration, s.Duration AS ServerDuration, true AS ByClient
FROM ({clients}) AS c ANY LEFT JOIN ({servers}) AS s ON c.Pair = s.Pair
WHERE ServerKind != ''
"""
_CONSUMED: Final = """
SELECT 'queue' AS ClientKind, if(s.Queue != '', s.Queue, c.Queue) AS Client, 'service' AS ServerKind,
    s.Service AS Server, '' AS Queue, if(s.System != '', s.System, c.System) AS System, true AS Paired,
    s.Failed AS Failed, toUInt64(0) AS ClientDuration, s.Duration AS ServerDuration, false AS ByClient
FROM ({consumers}) AS s ANY LEFT JOIN ({producers}) AS c ON s.Pair = c.Pair
WHERE Client != '' LIMIT 1 BY s.Own
"""
"""A consumer that has links is there once a link; it counts once, by one that leads to a queue."""
_EDGES: Final = """
SELECT ClientKind, Client, ServerKind, Server, any(System) AS System, count() AS Calls,
    countIf(Failed) AS Errors, countIf(ByClient) AS OfClients, countIf(Paired) AS OfServers,
    quantilesTDigestIf(0.5, 0.95)(ClientDuration, ByClient) AS ByClients,
    quantilesTDigestIf(0.5, 0.95)(ServerDuration, Paired) AS ByServers, grouping(ClientKind) AS OfNode
FROM ({calls} UNION ALL {consumed})
GROUP BY GROUPING SETS ((ClientKind, Client, ServerKind, Server), (ServerKind, Server))
ORDER BY OfNode, Calls DESC, Client, Server LIMIT {most} BY OfNode
"""


def read_edges(store: ProjectStore, sample: Sample, most: int, limits: QueryLimits) -> list[dict[str, Any]]:
    """Return calls by client and server, the most frequent first, then the same by server alone (`OfNode`).

    At most `most` of each. Raises `EngineFailure`.
    """
    asked = Conditions()
    begun, later = Conditions(values=asked.values), Conditions(values=asked.values)
    sample.holds(begun)
    sample.holds(later, later=_LATER)
    calls = _CALLS.format(
        clients=f"{_CLIENTS.format(when=begun.sql)} UNION ALL {_PRODUCERS.format(when=begun.sql)}",
        servers=f"{_SERVERS.format(when=later.sql)} UNION ALL {_CONSUMERS.format(when=later.sql)}",
    )
    consumed = _CONSUMED.format(
        consumers=_CONSUMERS.format(when=begun.sql), producers=_PRODUCERS.format(when=begun.sql)
    )
    sql = _EDGES.format(calls=calls, consumed=consumed, most=asked.value(most, "UInt64"))
    rows: list[dict[str, Any]] = store.query_arrow(sql, asked.values, limits=limits).to_pylist()
    return rows
