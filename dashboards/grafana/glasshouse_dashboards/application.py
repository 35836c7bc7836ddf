"""Application overview: requests, users, database, cache, jobs and resources at a glance."""

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.dashboard import Dashboard

from glasshouse_dashboards.expressions import part_of, quantile, rate
from glasshouse_dashboards.frame import (
    APPLICATION,
    Frame,
    Section,
    alerts_shown,
    label_values,
    prometheus_source,
    to_service,
)
from glasshouse_dashboards.panels import (
    BYTES,
    COUNT,
    ERRORS,
    NONE_IS_RIGHT,
    RATE,
    RED,
    YELLOW,
    AnyPanel,
    Scale,
    graph,
    number,
    ranking,
)
from glasshouse_dashboards.queries import now, over_time

_OF = 'project=~"$project",deployment_environment_name=~"$environment",service_name=~"$service"'
_SERVED = "http_server_request_duration_seconds"
_LATENCY = Scale("s", ((1, YELLOW), (3, RED)), least=0)
_QUERIES = Scale("s", ((0.5, YELLOW), (2.5, RED)), least=0)
_HITS = Scale("percentunit", ((0.7, YELLOW), (0.9, "green")), base=RED, least=0, most=1)
_CPU = Scale("percentunit", ((0.8, RED),), least=0)


def application() -> Dashboard:
    """Return the dashboard."""
    return _FRAME.around(
        Section("Now", _now()),
        Section("Requests", _requests()),
        Section("Users and business", _business()),
        Section("Database, cache, jobs", _dependencies()),
        Section("Resources", _resources()),
    )


_FRAME = Frame(
    uid=APPLICATION,
    title="Application overview",
    description="An application by its metrics: HTTP, business, database, cache, jobs, resources.",
    variables=(
        prometheus_source(),
        label_values("project", "target_info", "project", what="Whose telemetry."),
        label_values(
            "environment",
            'process_cpu_utilization_ratio{project=~"$project"}',
            "deployment_environment_name",
            what="The resource's deployment.environment.name.",
        ),
        label_values(
            "service",
            'process_cpu_utilization_ratio{project=~"$project"}',
            "service_name",
            what="Services that send metrics.",
        ),
    ),
    annotations=(alerts_shown('project=~"$project",service_name=~"$service"'),),
)


def _now() -> tuple[AnyPanel, ...]:
    mean = f"{_rate(f'{_SERVED}_sum')} / {_rate(f'{_SERVED}_count')}"
    firing = 'count(ALERTS{alertstate="firing",project=~"$project"}) or vector(0)'
    return (
        number("Request rate now", "Requests a second.", RATE, now(_rate(f"{_SERVED}_count"))),
        number("Average response time", "Mean duration of requests now.", _LATENCY, now(mean)),
        number(
            "Active users",
            "Users that are active now, as the application counts them.",
            COUNT,
            now(_sum("users_active")),
        ),
        number("Alert status", "Alerts that fire now.", NONE_IS_RIGHT, now(firing)),
    )


def _requests() -> tuple[AnyPanel, ...]:
    broken = 'http_response_status_code=~"5.."'
    failed = part_of(_rate(f"{_SERVED}_count", broken), _rate(f"{_SERVED}_count"))
    method = "{{http_request_method}}"
    return (
        graph(
            "Request rate",
            "Requests a second, by method.",
            RATE,
            over_time(_rate(f"{_SERVED}_count", by="http_request_method"), method),
            wide=8,
            stacked=True,
        ),
        graph(
            "Error rate",
            "Share of requests that were answered with a status of 500 and above.",
            ERRORS,
            over_time(failed, "errors"),
            wide=8,
        ),
        graph(
            "P95/P99 latency",
            "Of 100 requests, 95 (99) take no longer; the dots are traces to look at.",
            _LATENCY,
            over_time(quantile(0.95, _SERVED, _OF), "p95", exemplars=True),
            over_time(quantile(0.99, _SERVED, _OF), "p99"),
            wide=8,
        ),
        ranking(
            "Request distribution",
            "Requests a second, by route.",
            RATE,
            now(f"sort_desc({_rate(f'{_SERVED}_count', by='http_route')})", "{{http_route}}"),
            wide=24,
        ),
    )


def _business() -> tuple[AnyPanel, ...]:
    consumed = f"sum by (service_name) (rate(credits_consumed_total{{{_OF}}}[1h])) * 3600"
    return (
        graph(
            "Active users over time",
            "As the application counts them, by service.",
            COUNT,
            over_time(_sum("users_active", "service_name"), "{{service_name}}"),
            wide=6,
        ),
        graph(
            "Credits consumed",
            "Credits an hour, over the last hour.",
            Scale("short", least=0),
            over_time(consumed, "{{service_name}}"),
            wide=6,
        ),
        graph(
            "Queries",
            "Queries of the business a second, by kind.",
            RATE,
            over_time(_rate("queries_total", by="query_type"), "{{query_type}}"),
            wide=6,
        ),
        graph(
            "WebSocket connections",
            "Connections that are open.",
            COUNT,
            over_time(_sum("websocket_connections", "service_name"), "{{service_name}}"),
            wide=6,
        ),
    )


def _dependencies() -> tuple[AnyPanel, ...]:
    state = "db_client_connection_state"
    queries = "db_client_operation_duration_seconds"
    hits = _rate("cache_operations_total", 'cache_outcome="hit"')
    lookups = _rate("cache_operations_total", 'cache_outcome=~"hit|miss"')
    return (
        graph(
            "Database connections",
            "Of the pools, by state, and how many there may be.",
            COUNT,
            over_time(_sum("db_client_connection_count", state), f"{{{{{state}}}}}"),
            over_time(_sum("db_client_connection_max"), "at most"),
            wide=8,
        ),
        graph(
            "Database query performance",
            "Quantiles of query durations.",
            _QUERIES,
            *(over_time(quantile(q, queries, _OF), f"p{q * 100:.0f}") for q in (0.5, 0.95, 0.99)),
            wide=8,
        ),
        graph(
            "Cache hit rate",
            "Share of lookups that found something.",
            _HITS,
            over_time(f"{hits} / {lookups}", "hits"),
            wide=8,
        ),
        graph(
            "Background jobs",
            "Jobs a second that succeeded and that failed.",
            RATE,
            *_outcomes("job"),
            wide=12,
        ),
        graph(
            "Export performance",
            "Exports a second that succeeded and that failed.",
            RATE,
            *_outcomes("export"),
            wide=12,
        ),
    )


def _resources() -> tuple[AnyPanel, ...]:
    name = "{{service_name}}"
    field = to_service("${__field.labels.service_name}")
    return (
        graph(
            "Memory usage",
            "Resident memory of the processes of each service.",
            BYTES,
            over_time(_sum("process_memory_usage_bytes", "service_name"), name),
            link=field,
        ),
        graph(
            "CPU usage",
            "Share of all cores that the busiest process of each service uses.",
            _CPU,
            over_time(f"max by (service_name) (process_cpu_utilization_ratio{{{_OF}}})", name),
            link=field,
        ),
    )


def _outcomes(of: str) -> tuple[Dataquery, Dataquery]:
    counted = f"{of}_duration_seconds_count"
    return (
        over_time(_rate(counted, 'error_type=""'), "succeeded"),
        over_time(_rate(counted, 'error_type!=""'), "failed"),
    )


def _sum(metric: str, by: str = "") -> str:
    return f"sum by ({by}) ({metric}{{{_OF}}})"


def _rate(counter: str, more: str = "", by: str = "") -> str:
    return rate(counter, f"{_OF},{more}" if more else _OF, by)
