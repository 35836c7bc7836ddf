"""Services: how much is asked of each, what fails, how long it takes, and who calls whom."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from glasshouse_dashboards.expressions import part_of, quantile, rate
from glasshouse_dashboards.frame import (
    SERVICES,
    Frame,
    Section,
    alerts_shown,
    label_values,
    prometheus_source,
    to_explorer_of_service,
    to_service,
)
from glasshouse_dashboards.panels import (
    COUNT,
    ERRORS,
    LATENCY,
    RATE,
    AnyPanel,
    Column,
    graph,
    listing,
    number,
)
from glasshouse_dashboards.queries import now, over_time
from glasshouse_dashboards.span_metrics import CALLS, EDGES, ENTRIES, FAILED, duration, errors, requests

_CHOSEN = (
    'project=~"$project",deployment_environment_name=~"$environment",service_name=~"$service",'
    f'span_name=~"$operation",{ENTRIES}'
)
_FAILED = f"{_CHOSEN},{FAILED}"
_EDGE = 'project=~"$project",server=~"$service"'


def services() -> Dashboard:
    """Return the dashboard."""
    return _FRAME.around(
        Section("All together", _all_together()),
        Section("By service", _by_service()),
        Section("By operation", _by_operation()),
        Section("Who calls whom", (*_edges(), *_unpaired())),
    )


_FRAME = Frame(
    uid=SERVICES,
    title="Services",
    description="Requests, errors and durations of every service and operation, made from spans.",
    variables=(
        prometheus_source(),
        label_values("project", CALLS, "project", what="Whose telemetry."),
        label_values(
            "environment",
            f'{CALLS}{{project=~"$project"}}',
            "deployment_environment_name",
            what="The resource's deployment.environment.name.",
        ),
        label_values(
            "service",
            f'{CALLS}{{project=~"$project",{ENTRIES}}}',
            "service_name",
            what="Services that are asked by others.",
        ),
        label_values(
            "operation",
            f'{CALLS}{{project=~"$project",service_name=~"$service",{ENTRIES}}}',
            "span_name",
            what="Spans of requests that come in.",
        ),
    ),
    annotations=(alerts_shown('project=~"$project",service_name=~"$service"'),),
)


def _all_together() -> tuple[AnyPanel, ...]:
    asked, failed, slow = requests(_CHOSEN), errors(_CHOSEN), duration(0.95, _CHOSEN)
    names = f"count(count by (service_name) ({CALLS}{{{_CHOSEN}}}))"
    return (
        number("Requests", "Requests a second to the chosen services.", RATE, now(asked)),
        number("Errors", "Share of requests whose span has the status error.", ERRORS, now(failed)),
        number("p95", "Of 20 requests, 19 take no longer than this.", LATENCY, now(slow)),
        number("Services asked", "Services that others have asked something of.", COUNT, now(names)),
    )


def _by_service() -> tuple[AnyPanel, ...]:
    by, name = "service_name", "{{service_name}}"
    field = "${__field.labels.service_name}"
    what = _numbers("project, service_name")
    return (
        graph(
            "Requests by service",
            "Requests a second to each service.",
            RATE,
            over_time(requests(_CHOSEN, by), name),
            wide=8,
            link=to_service(field),
        ),
        graph(
            "Errors by service",
            "Share of each service's requests that fail.",
            ERRORS,
            over_time(errors(_CHOSEN, by), name),
            wide=8,
            link=to_explorer_of_service(field),
        ),
        graph(
            "p95 by service",
            "Of 20 requests, 19 take no longer; the dots are traces to look at.",
            LATENCY,
            over_time(duration(0.95, _CHOSEN, by), name, exemplars=True),
            wide=8,
            link=to_service(field),
        ),
        listing(
            "Services",
            "Every service with its numbers now; a click on a name leads to it.",
            {"project": "Project", "service_name": "Service"},
            what,
            {**_COLUMNS, "Service": Column(link=to_service())},
        ),
    )


def _by_operation() -> tuple[AnyPanel, ...]:
    by = "service_name, span_name"
    name = "{{service_name}} {{span_name}}"
    return (
        graph(
            "Busiest operations",
            "The ten operations with most requests a second.",
            RATE,
            over_time(f"topk(10, {requests(_CHOSEN, by)})", name),
            wide=8,
        ),
        graph(
            "Operations that fail most",
            "The ten operations with most failures a second.",
            RATE,
            over_time(f"topk(10, {requests(f'{_CHOSEN},{FAILED}', by)})", name),
            wide=8,
        ),
        graph(
            "Slowest operations",
            "p95 of the ten slowest; the dots are traces to look at.",
            LATENCY,
            over_time(f"topk(10, {duration(0.95, _CHOSEN, by)})", name, exemplars=True),
            wide=8,
        ),
        listing(
            "Operations",
            "Every operation with its numbers now.",
            {"service_name": "Service", "span_name": "Operation"},
            _numbers(by),
            {**_COLUMNS, "Service": Column(link=to_service())},
        ),
    )


_COLUMNS = {
    "Requests/s": Column(RATE),
    "Errors": Column(ERRORS),
    "p50": Column(LATENCY),
    "p95": Column(LATENCY),
    "p99": Column(LATENCY),
}


def _numbers(by: str) -> dict[str, str]:
    return {
        "Requests/s": requests(_CHOSEN, by),
        "Errors": errors(_CHOSEN, by),
        "p50": duration(0.5, _CHOSEN, by),
        "p95": duration(0.95, _CHOSEN, by),
        "p99": duration(0.99, _CHOSEN, by),
    }


def _edges() -> tuple[AnyPanel, ...]:
    by = "project, client, server, connection_type"
    asked = rate(f"{EDGES}_total", _EDGE, by)
    failed = rate(f"{EDGES}_failed_total", _EDGE, by)
    durations = {
        side: f"1000 * {quantile(0.95, f'{EDGES}_{side}_seconds', _EDGE, by)}"
        for side in ("client", "server")
    }
    headings = {"project": "Project", "client": "Client", "server": "Server", "connection_type": "Kind"}
    values = {
        "Requests/s": asked,
        "Errors": part_of(failed, asked),
        "p95 at the client": durations["client"],
        "p95 at the server": durations["server"],
    }
    columns = {
        "Requests/s": Column(RATE),
        "Errors": Column(ERRORS),
        "p95 at the client": Column(LATENCY),
        "p95 at the server": Column(LATENCY),
        "Server": Column(link=to_service()),
    }
    return (
        listing(
            "Edges",
            "Calls from one service to another, to databases and to what sends no telemetry (virtual_node). "
            "The difference of the two p95 is what lies between.",
            headings,
            values,
            columns,
        ),
        graph(
            "Calls by edge",
            "Calls a second along each edge.",
            RATE,
            over_time(asked, "{{client}} → {{server}}"),
            wide=16,
        ),
    )


def _unpaired() -> tuple[AnyPanel, ...]:
    lost = 'sum by (project) (increase(traces_service_graph_{}_total{{project=~"$project"}}[$__range]))'
    return (
        number(
            "Spans without their other side",
            "Whose caller or callee did not come in time.",
            COUNT,
            now(lost.format("unpaired_spans"), "{{project}}"),
            wide=4,
        ),
        number(
            "Spans not paired for want of room",
            "Above the limit of spans that wait.",
            COUNT,
            now(lost.format("dropped_spans"), "{{project}}"),
            wide=4,
        ),
    )
