"""Alerts and SLOs: what fires, what has fired, how much error budget is left and how fast it burns."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from glasshouse_dashboards.frame import (
    ALERTS,
    Frame,
    Section,
    clickhouse_source,
    label_values,
    prometheus_source,
    to_service,
    to_trace,
)
from glasshouse_dashboards.panels import (
    COUNT,
    GREEN,
    NONE_IS_RIGHT,
    RED,
    YELLOW,
    AnyPanel,
    Column,
    Scale,
    graph,
    listing,
    number,
    rows,
    states,
)
from glasshouse_dashboards.queries import Sql, now, over_time

_SEVERITIES = ("critical", "high", "medium", "low")
_OF = 'project=~"$project",service_name=~"$service"'
_SLO = 'slo=~"$slo"'
_BUDGET = Scale("percentunit", ((0.000001, YELLOW), (0.25, GREEN)), base=RED, most=1)
# From a burn rate of 1 on the budget does not last; the others are those that alerts are made of.
_BURN = Scale("short", ((1, YELLOW), (6, "orange"), (14.4, RED)), least=0)
_FIRING = Scale("short", ((1, RED),), least=0)
_AGO = Scale("dateTimeFromNow")
_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")

_BY_DAY = """
SELECT toStartOfDay(toDateTime(StartsAt)) AS time, severity, count() AS alerts
FROM (
  SELECT StartsAt, any(Severity) AS severity FROM glasshouse_alerts
  WHERE @chosen GROUP BY Project, Fingerprint, StartsAt)
GROUP BY time, severity ORDER BY time
"""

_HISTORY = """
SELECT StartsAt AS Started, any(AlertName) AS Alert, any(Severity) AS Severity, Project,
  any(ServiceName) AS Service, if(countIf(Status = 'resolved') > 0, 'resolved', 'firing') AS State,
  if(State = 'resolved', dateDiff('second', Started, maxIf(EndsAt, Status = 'resolved')), NULL) AS Lasted,
  any(Annotations['summary']) AS Summary, any(Annotations['runbook_url']) AS Runbook,
  argMax(TraceIds, length(TraceIds))[1] AS Trace
FROM glasshouse_alerts
WHERE @chosen
GROUP BY Project, Fingerprint, StartsAt ORDER BY Started DESC LIMIT 200
"""

_CHOSEN = """$__timeFilter(StartsAt) AND match(Project, concat('^(', '${project:pipe}', ')$'))
  AND match(ServiceName, concat('^(', '${service:pipe}', ')$'))"""


def alerts_slos() -> Dashboard:
    """Return the dashboard."""
    return _FRAME.around(
        Section("Now", (*_now(), _when())),
        Section("Objectives", (*_objectives(), *_burning())),
        Section("History", _history()),
    )


_FRAME = Frame(
    uid=ALERTS,
    title="Alerts and SLOs",
    description="What fires, what has fired, how much error budget is left, and how fast it burns.",
    since="now-24h",
    variables=(
        prometheus_source(),
        clickhouse_source(),
        label_values("project", "target_info", "project", what="Whose telemetry."),
        label_values(
            "service",
            'traces_span_metrics_calls_total{project=~"$project"}',
            "service_name",
            what="Alerts of these services; those of no service are shown with 'All' alone.",
        ),
        label_values("slo", "slo:objective:ratio", "slo", what="Objectives of alerts/slo.yaml."),
    ),
)


def _now() -> tuple[AnyPanel, ...]:
    firing = 'count(ALERTS{{alertstate="firing",severity="{}",{}}}) or vector(0)'
    keys = {
        "alertname": "Alert",
        "severity": "Severity",
        "alertstate": "State",
        "project": "Project",
        "service_name": "Service",
    }
    by = ", ".join(keys)
    since = ", ".join(key for key in keys if key != "alertstate")
    return (
        *(
            number(
                severity.capitalize(),
                f"Alerts of severity {severity} that fire.",
                NONE_IS_RIGHT,
                now(firing.format(severity, _OF)),
            )
            for severity in _SEVERITIES
        ),
        listing(
            "Pending and firing",
            "Pending: the condition holds, but not yet for as long as the rule wants.",
            keys,
            {
                "Number": f"count by ({by}) (ALERTS{{{_OF}}})",
                "Since": f"1000 * min by ({since}) (ALERTS_FOR_STATE{{{_OF}}})",
            },
            {
                "Service": Column(link=to_service()),
                "Since": Column(_AGO),
                "Number": Column(hidden=True),
            },
        ),
    )


def _when() -> AnyPanel:
    return states(
        "When which fired",
        "A bar for each alert while it fired.",
        _FIRING,
        over_time(
            f'max by (alertname, service_name) (ALERTS{{alertstate="firing",{_OF}}})',
            "{{alertname}} {{service_name}}",
        ),
    )


def _objectives() -> tuple[AnyPanel, ...]:
    by = "slo, service_name"
    return (
        listing(
            "Objectives",
            "A budget below 0 % is overspent: the objective is missed. At a burn rate of 1 the budget "
            "lasts exactly as long as the window.",
            {"slo": "Objective", "service_name": "Service"},
            {
                "Wanted": f"max by ({by}) (slo:objective:ratio{{{_SLO}}})",
                "Bad now": f"max by ({by}) (slo:sli_error:ratio_rate5m{{{_SLO}}})",
                "Burn rate": f"max by ({by}) (slo:current_burn_rate:ratio{{{_SLO}}})",
                "Budget left": f"min by ({by}) (slo:period_error_budget_remaining:ratio{{{_SLO}}})",
                "Window": f"max by ({by}) (slo:time_period:days{{{_SLO}}})",
            },
            {
                "Wanted": Column(Scale("percentunit")),
                "Bad now": Column(Scale("percentunit")),
                "Burn rate": Column(_BURN),
                "Budget left": Column(_BUDGET),
                "Window": Column(Scale("d")),
                "Service": Column(link=to_service()),
            },
        ),
    )


def _burning() -> tuple[AnyPanel, ...]:
    bad = [
        over_time(f"max by (slo) (slo:sli_error:ratio_rate{window}{{{_SLO}}})", f"{{{{slo}}}} {window}")
        for window in _WINDOWS
    ]
    return (
        graph(
            "Error budget left",
            "Of the objective's window, by objective.",
            _BUDGET,
            over_time(f"min by (slo) (slo:period_error_budget_remaining:ratio{{{_SLO}}})", "{{slo}}"),
            wide=8,
        ),
        graph(
            "Burn rate",
            "How many times faster than it may the budget is used up, over 5 minutes.",
            _BURN,
            over_time(f"max by (slo) (slo:current_burn_rate:ratio{{{_SLO}}})", "{{slo}}"),
            wide=8,
        ),
        graph(
            "Share of bad requests",
            "Over each of the windows that alerts compare.",
            Scale("percentunit", least=0),
            *bad,
            wide=8,
        ),
    )


def _history() -> tuple[AnyPanel, ...]:
    return (
        graph(
            "Alerts by day",
            "Alerts that began on the day (UTC), by severity, as the webhook has kept them.",
            COUNT,
            Sql(_BY_DAY.replace("@chosen", _CHOSEN), "timeseries"),
            wide=24,
            stacked=True,
            bars=True,
        ),
        rows(
            "Alerts",
            "The newest 200, each with a trace of its time.",
            Sql(_HISTORY.replace("@chosen", _CHOSEN)),
            {
                "Service": Column(link=to_service()),
                "Lasted": Column(Scale("s")),
                "Trace": Column(link=to_trace()),
            },
        ),
    )
