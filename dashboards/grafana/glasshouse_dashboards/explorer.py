"""Traces and logs explorer: look for traces and log records in the store, and read one trace."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from glasshouse_dashboards.frame import (
    EXPLORER,
    Frame,
    Section,
    clickhouse_source,
    store_values,
    text,
    to_trace,
)
from glasshouse_dashboards.panels import (
    COUNT,
    ERRORS,
    LATENCY,
    AnyPanel,
    Column,
    Scale,
    drawn,
    graph,
    records,
    rows,
)
from glasshouse_dashboards.queries import Sql

_WHOSE = """$__timeFilter(Timestamp)
  AND $__conditionalAll(Project IN (${project:sqlstring}), $project)
  AND $__conditionalAll(
    ResourceAttributes['deployment.environment.name'] IN (${environment:sqlstring}), $environment)
  AND $__conditionalAll(ServiceName IN (${service:sqlstring}), $service)"""

_SPANS = (
    _WHOSE
    + """
  AND $__conditionalAll(SpanName IN (${operation:sqlstring}), $operation)
  AND $__conditionalAll(StatusCode IN (${status:sqlstring}), $status)
  AND Duration >= toFloat64OrZero(${min_ms:sqlstring}) * 1e6"""
)

_RECORDS = (
    _WHOSE
    + "\n  AND (${search:sqlstring} = '' OR positionCaseInsensitiveUTF8(Body, ${search:sqlstring}) > 0)"
)

_RATE = """
SELECT $__timeInterval(Timestamp) AS time, ServiceName AS service, count() / $__interval_s AS spans
FROM otel_traces WHERE @spans GROUP BY time, service ORDER BY time
"""

_ERRORS = """
SELECT $__timeInterval(Timestamp) AS time, ServiceName AS service,
  countIf(StatusCode = 'Error') / count() AS errors
FROM otel_traces WHERE @spans GROUP BY time, service ORDER BY time
"""

_DURATIONS = """
SELECT $__timeInterval(Timestamp) AS time, ServiceName AS service, quantile(0.95)(Duration) / 1e6 AS p95
FROM otel_traces WHERE @spans GROUP BY time, service ORDER BY time
"""

_TRACES = """
SELECT TraceId AS Trace, min(Timestamp) AS Start, argMin(ServiceName, Timestamp) AS Service,
  argMin(SpanName, Timestamp) AS Operation, count() AS Spans, countIf(StatusCode = 'Error') AS Failed,
  (max(toUnixTimestamp64Nano(Timestamp) + Duration) - min(toUnixTimestamp64Nano(Timestamp))) / 1e6 AS Took
FROM otel_traces WHERE @spans GROUP BY TraceId ORDER BY Start DESC LIMIT 200
"""

_OPERATIONS = """
SELECT ServiceName AS Service, SpanName AS Operation, SpanKind AS Kind, count() AS Spans,
  countIf(StatusCode = 'Error') / count() AS Errors, quantile(0.5)(Duration) / 1e6 AS p50,
  quantile(0.95)(Duration) / 1e6 AS p95, argMax(TraceId, Duration) AS Slowest
FROM otel_traces WHERE @spans GROUP BY Service, Operation, Kind ORDER BY sum(Duration) DESC LIMIT 100
"""

# The whole trace, whatever the dashboard's time: when it was is asked first, so that little is read.
_WITHIN = """Timestamp >= (
    SELECT min(Start) - INTERVAL 1 SECOND FROM otel_traces_trace_id_ts WHERE TraceId = ${trace_id:sqlstring})
  AND Timestamp <= (
    SELECT max(End) + INTERVAL 1 HOUR FROM otel_traces_trace_id_ts WHERE TraceId = ${trace_id:sqlstring})
  AND TraceId = ${trace_id:sqlstring}"""

_TRACE = """
SELECT TraceId AS traceID, SpanId AS spanID, ParentSpanId AS parentSpanID, ServiceName AS serviceName,
  SpanName AS operationName, toUnixTimestamp64Nano(Timestamp) / 1e6 AS startTime, Duration / 1e6 AS duration,
  arrayMap(key -> map('key', key, 'value', SpanAttributes[key]), mapKeys(SpanAttributes)) AS tags,
  arrayMap(key -> map('key', key, 'value', ResourceAttributes[key]), mapKeys(ResourceAttributes))
    AS serviceTags,
  multiIf(StatusCode = 'Error', 2, StatusCode = 'Ok', 1, 0) AS statusCode, StatusMessage AS statusMessage,
  SpanKind AS kind
FROM otel_traces WHERE @within ORDER BY Timestamp LIMIT 10000
"""

_LOGS_OF_TRACE = """
SELECT Timestamp AS timestamp, Body AS body, lower(SeverityText) AS level,
  mapConcat(LogAttributes, map('service.name', toString(ServiceName))) AS labels, TraceId AS traceID
FROM otel_logs WHERE @within ORDER BY Timestamp LIMIT 1000
"""

_VOLUME = """
SELECT $__timeInterval(Timestamp) AS time, lower(SeverityText) AS severity, count() AS records
FROM otel_logs WHERE @records GROUP BY time, severity ORDER BY time
"""

_LOGS = """
SELECT Timestamp AS timestamp, Body AS body, lower(SeverityText) AS level,
  mapConcat(LogAttributes, map('service.name', toString(ServiceName))) AS labels, TraceId AS traceID
FROM otel_logs WHERE @records ORDER BY Timestamp DESC LIMIT 500
"""

_NEWEST_TRACES = """TraceId IN (
    SELECT TraceId FROM otel_traces WHERE @spans AND ParentSpanId = '' ORDER BY Timestamp DESC LIMIT 2000)"""

_NODES = """
SELECT ServiceName AS id, ServiceName AS title, concat(toString(count()), ' spans') AS mainstat,
  concat(toString(round(avg(Duration) / 1e6, 1)), ' ms') AS secondarystat,
  countIf(StatusCode != 'Error') / count() AS arc__passed,
  countIf(StatusCode = 'Error') / count() AS arc__failed
FROM otel_traces WHERE $__timeFilter(Timestamp) AND @newest GROUP BY ServiceName
"""

_EDGES = """
SELECT concat(caller.ServiceName, ' ', called.ServiceName) AS id, caller.ServiceName AS source,
  called.ServiceName AS target, concat(toString(count()), ' calls') AS mainstat
FROM (SELECT TraceId, ParentSpanId, ServiceName FROM otel_traces
  WHERE $__timeFilter(Timestamp) AND SpanKind IN ('Server', 'Consumer') AND @newest) AS called
INNER JOIN (SELECT TraceId, SpanId, ServiceName FROM otel_traces
  WHERE $__timeFilter(Timestamp) AND @newest) AS caller
ON called.TraceId = caller.TraceId AND called.ParentSpanId = caller.SpanId
GROUP BY source, target
"""


def explorer() -> Dashboard:
    """Return the dashboard."""
    return _FRAME.around(
        Section("Spans", _spans()),
        Section("One trace", _one_trace()),
        Section("Log records", _logs()),
        Section("Who calls whom", _map(), folded=True),
    )


_FRAME = Frame(
    uid=EXPLORER,
    title="Traces and logs explorer",
    description="Look for traces and log records in the store, and read one trace with its log records.",
    variables=(
        clickhouse_source(),
        store_values(
            "project",
            "SELECT DISTINCT Project FROM otel_traces WHERE $__timeFilter(Timestamp)",
            what="Whose telemetry.",
        ),
        store_values(
            "environment",
            "SELECT DISTINCT ResourceAttributes['deployment.environment.name'] AS environment "
            "FROM otel_traces WHERE $__timeFilter(Timestamp) AND environment != ''",
            what="The resource's deployment.environment.name.",
        ),
        store_values(
            "service",
            "SELECT DISTINCT ServiceName FROM otel_traces WHERE $__timeFilter(Timestamp) "
            "AND $__conditionalAll(Project IN (${project:sqlstring}), $project)",
            what="Who sent it.",
        ),
        store_values(
            "operation",
            "SELECT DISTINCT SpanName FROM otel_traces WHERE $__timeFilter(Timestamp) "
            "AND $__conditionalAll(ServiceName IN (${service:sqlstring}), $service) LIMIT 500",
            what="A span's name.",
        ),
        store_values(
            "status",
            "SELECT DISTINCT StatusCode FROM otel_traces WHERE $__timeFilter(Timestamp)",
            what="A span's status.",
        ),
        text("min_ms", "At least (ms)", "0", what="Spans that took at least so many milliseconds."),
        text("search", "Text", "", what="Log records whose body has this in it, in any case of letters."),
        text("trace_id", "Trace", "", what="The trace to show under 'One trace': 32 hexadecimal digits."),
    ),
)


def _spans() -> tuple[AnyPanel, ...]:
    return (
        graph(
            "Spans",
            "Spans a second that the filters leave, by service.",
            Scale("short", least=0),
            _over_time(_RATE),
            wide=8,
            stacked=True,
        ),
        graph("Errors", "Share of these spans whose status is error.", ERRORS, _over_time(_ERRORS), wide=8),
        graph("p95", "Of 20 of these spans, 19 take no longer.", LATENCY, _over_time(_DURATIONS), wide=8),
        rows(
            "Traces",
            "The newest 200 traces with spans that the filters leave; a click on an id shows it below. "
            "Spans, failures and duration are those of the spans found.",
            Sql(_filled(_TRACES)),
            {
                "Trace": Column(link=to_trace(), width=290),
                "Took": Column(LATENCY),
                "Failed": Column(Scale("short", ((1, "red"),))),
            },
        ),
        rows(
            "Operations",
            "Where time goes: operations by the time that they took in all, each with its slowest trace.",
            Sql(_filled(_OPERATIONS)),
            {
                "Errors": Column(ERRORS),
                "p50": Column(LATENCY),
                "p95": Column(LATENCY),
                "Slowest": Column(link=to_trace()),
            },
        ),
    )


def _one_trace() -> tuple[AnyPanel, ...]:
    return (
        drawn(
            "traces",
            "Trace $trace_id",
            "The trace chosen above, whenever it was.",
            Sql(_filled(_TRACE), "traces"),
        ),
        records(
            "Log records of the trace", "What its services logged.", Sql(_filled(_LOGS_OF_TRACE), "logs")
        ),
    )


def _logs() -> tuple[AnyPanel, ...]:
    return (
        graph("Log records", "By severity.", COUNT, _over_time(_VOLUME), wide=24, stacked=True, bars=True),
        records(
            "Newest log records",
            "The newest 500 that the filters leave.",
            Sql(_filled(_LOGS), "logs"),
            high=16,
        ),
    )


def _map() -> tuple[AnyPanel, ...]:
    what = "Services and their calls in the 2,000 newest traces that the filters leave."
    return (drawn("nodeGraph", "Service map", what, Sql(_filled(_NODES)), Sql(_filled(_EDGES))),)


def _over_time(sql: str) -> Sql:
    return Sql(_filled(sql), "timeseries")


def _filled(sql: str) -> str:
    sql = sql.replace("@newest", _NEWEST_TRACES)
    return sql.replace("@spans", _SPANS).replace("@records", _RECORDS).replace("@within", _WITHIN)
