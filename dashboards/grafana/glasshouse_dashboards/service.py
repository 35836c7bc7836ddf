"""Service: one service from all sides."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from glasshouse_dashboards.expressions import part_of, quantile, rate
from glasshouse_dashboards.frame import (
    SERVICE,
    Frame,
    Section,
    alerts_shown,
    clickhouse_source,
    label_values,
    prometheus_source,
    to_service,
    to_trace,
)
from glasshouse_dashboards.panels import (
    BYTES,
    COUNT,
    ERRORS,
    LATENCY,
    RATE,
    RED,
    SECONDS,
    YELLOW,
    AnyPanel,
    Column,
    Scale,
    graph,
    listing,
    number,
    records,
    rows,
)
from glasshouse_dashboards.queries import Sql, now, over_time
from glasshouse_dashboards.span_metrics import CALLS, EDGES, ENTRIES, duration, errors, requests

_OF = 'project=~"$project",deployment_environment_name=~"$environment",service_name="$service"'
_CHOSEN = f'{_OF},span_name=~"$operation",{ENTRIES}'
_BROKEN = f'{_OF},error_type!=""'
_CPU = Scale("percentunit", ((0.8, RED),), least=0)
_HITS = Scale("percentunit", ((0.7, YELLOW), (0.9, "green")), base=RED, least=0, most=1)
_SLOW_QUERIES = Scale("s", ((0.5, YELLOW), (2.5, RED)), least=0)

_VOLUME = """
SELECT $__timeInterval(Timestamp) AS time, lower(SeverityText) AS severity, count() AS records
FROM otel_logs
WHERE $__timeFilter(Timestamp) AND ServiceName = ${service:sqlstring}
  AND match(Project, concat('^(', '${project:pipe}', ')$'))
GROUP BY time, severity ORDER BY time
"""

_EXCEPTIONS = """
SELECT Type, substring(Message, 1, 200) AS Message, count() AS Count, max(At) AS Last,
  argMax(TraceId, At) AS Trace
FROM (
  SELECT e.3['exception.type'] AS Type, e.3['exception.message'] AS Message, e.1 AS At, TraceId
  FROM otel_traces
  ARRAY JOIN arrayZip(Events.Timestamp, Events.Name, Events.Attributes) AS e
  WHERE $__timeFilter(Timestamp) AND ServiceName = ${service:sqlstring} AND e.2 = 'exception'
    AND match(Project, concat('^(', '${project:pipe}', ')$'))
  UNION ALL
  SELECT LogAttributes['exception.type'], LogAttributes['exception.message'], Timestamp, TraceId
  FROM otel_logs
  WHERE $__timeFilter(Timestamp) AND ServiceName = ${service:sqlstring}
    AND mapContains(LogAttributes, 'exception.type')
    AND match(Project, concat('^(', '${project:pipe}', ')$'))
)
GROUP BY Type, Message ORDER BY Count DESC LIMIT 50
"""

_NEWEST = """
SELECT Timestamp AS timestamp, Body AS body, lower(SeverityText) AS level, LogAttributes AS labels,
  TraceId AS traceID
FROM otel_logs
WHERE $__timeFilter(Timestamp) AND ServiceName = ${service:sqlstring}
  AND match(Project, concat('^(', '${project:pipe}', ')$'))
ORDER BY Timestamp DESC LIMIT 200
"""


def service() -> Dashboard:
    """Return the dashboard."""
    return _FRAME.around(
        Section("Requests, errors, durations", _red()),
        Section("Who calls it, and what it calls", _neighbours()),
        Section("Process", _process()),
        Section("HTTP", _http()),
        Section("Database", _database()),
        Section("Cache and jobs", _cache_and_jobs()),
        Section("Errors and logs", _errors_and_logs()),
        Section("Its telemetry", _telemetry()),
    )


_FRAME = Frame(
    uid=SERVICE,
    title="Service",
    description="One service: requests, process, database, cache, jobs, errors and log records.",
    variables=(
        prometheus_source(),
        clickhouse_source(),
        label_values("project", CALLS, "project", what="Whose telemetry."),
        label_values(
            "environment",
            f'{CALLS}{{project=~"$project"}}',
            "deployment_environment_name",
            what="The resource's deployment.environment.name.",
        ),
        label_values(
            "service",
            f'{CALLS}{{project=~"$project"}}',
            "service_name",
            every=False,
            what="The service to look at.",
        ),
        label_values(
            "operation",
            f'{CALLS}{{project=~"$project",service_name="$service",{ENTRIES}}}',
            "span_name",
            what="Spans of requests that come in.",
        ),
    ),
    annotations=(alerts_shown('project=~"$project",service_name="$service"'),),
)


def _red() -> tuple[AnyPanel, ...]:
    by, name = "span_name", "{{span_name}}"
    asked, failed = requests(_CHOSEN), errors(_CHOSEN)
    quantiles = [
        over_time(duration(q, _CHOSEN), f"p{q * 100:.0f}", exemplars=q > _MEDIAN) for q in _QUANTILES
    ]
    up = f"max(time() - timestamp(process_cpu_utilization_ratio{{{_OF}}}))"
    return (
        number("Requests", "Requests a second now.", RATE, now(asked)),
        number("Errors", "Share of requests whose span has the status error.", ERRORS, now(failed)),
        number("p95", "Of 20 requests, 19 take no longer.", LATENCY, now(duration(0.95, _CHOSEN))),
        number("Last heard of", "Since Prometheus last saw a metric of it.", SECONDS, now(up)),
        graph(
            "Requests by operation",
            "Requests a second.",
            RATE,
            over_time(requests(_CHOSEN, by), name),
            wide=8,
            stacked=True,
        ),
        graph(
            "Errors by operation",
            "Share of requests that fail.",
            ERRORS,
            over_time(errors(_CHOSEN, by), name),
            wide=8,
        ),
        graph("Durations", "Quantiles; the dots are traces to look at.", LATENCY, *quantiles, wide=8),
    )


_MEDIAN = 0.5
_QUANTILES = (_MEDIAN, 0.95, 0.99)


def _neighbours() -> tuple[AnyPanel, ...]:
    return (
        listing(
            "Callers",
            "Who asks something of it.",
            {"client": "Client", "connection_type": "Kind"},
            _edge_numbers('project=~"$project",server="$service"', "client", "server"),
            _EDGE_COLUMNS,
            wide=12,
        ),
        listing(
            "Called",
            "Services, databases and others that it asks something of.",
            {"server": "Server", "connection_type": "Kind"},
            _edge_numbers('project=~"$project",client="$service"', "server", "client"),
            _EDGE_COLUMNS,
            wide=12,
        ),
    )


_EDGE_COLUMNS = {
    "Requests/s": Column(RATE),
    "Errors": Column(ERRORS),
    "p95": Column(LATENCY),
    "Client": Column(link=to_service()),
    "Server": Column(link=to_service()),
}


def _edge_numbers(selector: str, other: str, side: str) -> dict[str, str]:
    by = f"{other}, connection_type"
    asked = rate(f"{EDGES}_total", selector, by)
    return {
        "Requests/s": asked,
        "Errors": part_of(rate(f"{EDGES}_failed_total", selector, by), asked),
        "p95": f"1000 * {quantile(0.95, f'{EDGES}_{side}_seconds', selector, by)}",
    }


def _process() -> tuple[AnyPanel, ...]:
    instance = "{{instance}}"
    spent = rate("process_cpu_time_seconds_total", _OF, "instance, cpu_mode")
    return (
        graph(
            "CPU",
            "Share of all its cores that the process uses.",
            _CPU,
            over_time(f"process_cpu_utilization_ratio{{{_OF}}}", instance),
            wide=6,
        ),
        graph(
            "CPU time",
            "Seconds of CPU a second, by mode.",
            Scale("short", least=0),
            over_time(spent, "{{cpu_mode}} " + instance),
            wide=6,
        ),
        graph(
            "Memory",
            "Resident and virtual memory of the process.",
            BYTES,
            over_time(f"process_memory_usage_bytes{{{_OF}}}", instance),
            over_time(f"process_memory_virtual_bytes{{{_OF}}}", "virtual " + instance),
            wide=6,
        ),
        graph(
            "Threads and files",
            "Threads, and file descriptors that are open.",
            COUNT,
            over_time(f"process_thread_count{{{_OF}}}", "threads " + instance),
            over_time(f"process_unix_file_descriptor_count{{{_OF}}}", "files " + instance),
            wide=6,
        ),
    )


def _http() -> tuple[AnyPanel, ...]:
    return (
        graph(
            "Requests in progress",
            "Requests that are being served now.",
            COUNT,
            over_time(
                f"sum by (http_request_method) (http_server_active_requests{{{_OF}}})",
                "{{http_request_method}}",
            ),
            wide=8,
        ),
        graph(
            "Size of answers",
            "p95 of the bytes of a request's body and of its answer's.",
            BYTES,
            over_time(_p95("http_server_response_body_size_bytes"), "answers"),
            over_time(_p95("http_server_request_body_size_bytes"), "requests"),
            wide=8,
        ),
        graph(
            "Calls to others by HTTP",
            "p95 of HTTP calls that it makes, by server.",
            _SLOW_QUERIES,
            over_time(_p95("http_client_request_duration_seconds", "server_address"), "{{server_address}}"),
            wide=8,
        ),
    )


def _database() -> tuple[AnyPanel, ...]:
    state = "db_client_connection_state"
    calls = "db_client_operation_duration_seconds"
    counts = rate(f"{calls}_count", _BROKEN, "error_type")
    spans = f'{_OF},span_kind="SPAN_KIND_CLIENT"'
    return (
        graph(
            "Query durations",
            "p95 by operation.",
            _SLOW_QUERIES,
            over_time(_p95(calls, "db_operation_name"), "{{db_operation_name}}"),
            wide=6,
        ),
        graph(
            "Query errors", "Failures a second, by type.", RATE, over_time(counts, "{{error_type}}"), wide=6
        ),
        graph(
            "Connections",
            "Of the pools, by state, and how many there may be.",
            COUNT,
            over_time(f"sum by ({state}) (db_client_connection_count{{{_OF}}})", f"{{{{{state}}}}}"),
            over_time(f"sum (db_client_connection_max{{{_OF}}})", "at most"),
            over_time(f"sum by (state) (db_client_connections_usage{{{_OF}}})", "{{state}} (SQLAlchemy)"),
            wide=6,
        ),
        graph(
            "Slowest calls it makes",
            "p95 of the ten slowest client spans, databases included.",
            LATENCY,
            over_time(f"topk(10, {duration(0.95, spans, 'span_name')})", "{{span_name}}", exemplars=True),
            wide=6,
        ),
    )


def _cache_and_jobs() -> tuple[AnyPanel, ...]:
    lookups = rate("cache_operations_total", f'{_OF},cache_outcome=~"hit|miss"')
    hits = rate("cache_operations_total", f'{_OF},cache_outcome="hit"')
    done = rate("job_duration_seconds_count", _OF, "job_name")
    broken = rate("job_duration_seconds_count", _BROKEN, "job_name")
    return (
        graph(
            "Cache hits",
            "Share of lookups that found something.",
            _HITS,
            over_time(f"{hits} / {lookups}", "hits"),
            wide=6,
        ),
        graph(
            "Cache size",
            "Bytes that the caches hold.",
            BYTES,
            over_time(f"sum by (cache_name) (cache_size_bytes{{{_OF}}})", "{{cache_name}}"),
            wide=6,
        ),
        graph(
            "Jobs",
            "Background jobs a second, and those that failed.",
            RATE,
            over_time(done, "{{job_name}}"),
            over_time(broken, "{{job_name}} failed"),
            wide=6,
        ),
        graph(
            "Job durations",
            "p95 by job.",
            SECONDS,
            over_time(_p95("job_duration_seconds", "job_name"), "{{job_name}}"),
            wide=6,
        ),
    )


def _errors_and_logs() -> tuple[AnyPanel, ...]:
    return (
        graph(
            "Log records", "By severity.", COUNT, Sql(_VOLUME, "timeseries"), wide=12, stacked=True, bars=True
        ),
        rows(
            "Exceptions",
            "Of spans and log records, most frequent first, each with its newest trace.",
            Sql(_EXCEPTIONS),
            {"Trace": Column(link=to_trace())},
            wide=12,
            high=8,
        ),
        records("Newest log records", "The newest 200.", Sql(_NEWEST, "logs")),
    )


def _telemetry() -> tuple[AnyPanel, ...]:
    sent = "glasshouse_delivery"
    return (
        graph(
            "Batches",
            "Batches of telemetry a second that the SDK is rid of, by what became of them.",
            RATE,
            over_time(rate(f"{sent}_batches_total", _OF, "outcome"), "{{outcome}}"),
            wide=8,
        ),
        graph(
            "Waiting for the collector",
            "Bytes of telemetry that the SDK keeps until the collector takes them, in memory and on disk.",
            BYTES,
            over_time(f"sum by (where) ({sent}_waiting_bytes{{{_OF}}})", "{{where}}"),
            wide=8,
        ),
        graph(
            "Rejected records",
            "Records a second that the collector left out of requests it accepted.",
            RATE,
            over_time(rate(f"{sent}_rejected_total", _OF), "rejected"),
            wide=8,
        ),
    )


def _p95(histogram: str, by: str = "") -> str:
    return quantile(0.95, histogram, _OF, by)
