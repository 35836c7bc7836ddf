"""What the dashboards have in common: names, variables, links to each other, places on the grid."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    RowPanel,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from glasshouse_dashboards.panels import AnyPanel, Link
from glasshouse_dashboards.queries import CLICKHOUSE, PROMETHEUS

TAG = "glasshouse"
PROMETHEUS_UID = "glasshouse-prometheus"
CLICKHOUSE_UID = "glasshouse-clickhouse"
SERVICES = "glasshouse-services"
SERVICE = "glasshouse-service"
APPLICATION = "glasshouse-application"
EXPLORER = "glasshouse-explorer"
LLM_COST = "glasshouse-llm-cost"
ALERTS = "glasshouse-alerts"
COLLECTOR = "glasshouse-collector"

_KEPT = "${project:queryparam}&${__url_time_range}"

Variable = builders.QueryVariable | builders.DatasourceVariable | builders.TextBoxVariable


@dataclass(frozen=True)
class Section:
    """A row of the dashboard: a heading over panels, whose widths fill lines of 24."""

    title: str
    panels: tuple[AnyPanel, ...]
    folded: bool = False


@dataclass(frozen=True)
class Frame:
    """A dashboard without its panels."""

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    since: str = "now-1h"
    refresh: str = "30s"
    annotations: tuple[builders.AnnotationQuery, ...] = ()

    def around(self, *sections: Section) -> Dashboard:
        """Return the dashboard with the sections, one under the other."""
        board = builders.Dashboard(self.title).uid(self.uid).description(self.description)
        board = board.tags([TAG]).editable().timezone("browser").time(self.since, "now").refresh(self.refresh)
        board = board.tooltip(DashboardCursorSync.CROSSHAIR).link(_others())
        for variable in self.variables:
            board = board.with_variable(variable)
        for annotation in self.annotations:
            board = board.annotation(annotation)
        for section in sections:
            board = _with_section(board, section)
        made = board.build()
        _number(made)
        return made


def to_service(label: str = "${__value.raw}") -> Link:
    """Lead to the dashboard of the service that `label` names."""
    return Link("The service", f"/d/{SERVICE}?var-service={label}&{_KEPT}")


def to_explorer_of_service(label: str) -> Link:
    """Lead to the traces and log records of the service that `label` names."""
    return Link("Its traces and logs", f"/d/{EXPLORER}?var-service={label}&{_KEPT}")


def to_trace(trace_id: str = "${__value.raw}") -> Link:
    """Lead to one trace."""
    return Link("The trace", f"/d/{EXPLORER}?var-trace_id={trace_id}&{_KEPT}")


def prometheus_source() -> builders.DatasourceVariable:
    """Let the reader choose the Prometheus."""
    return _source("prometheus", "Prometheus", "prometheus", PROMETHEUS_UID)


def clickhouse_source() -> builders.DatasourceVariable:
    """Let the reader choose the store."""
    return _source("clickhouse", "ClickHouse", "grafana-clickhouse-datasource", CLICKHOUSE_UID)


def label_values(
    name: str, selector: str, of: str, *, every: bool = True, what: str
) -> builders.QueryVariable:
    """Let the reader choose among the values of Prometheus's label `of`: several and all, or one."""
    asked = f"label_values({selector}, {of})"
    query: dict[str, object] = {"qryType": 1, "query": asked, "refId": name}
    return _query_variable(name, PROMETHEUS, query, every=every, what=what)


def store_values(name: str, sql: str, *, what: str) -> builders.QueryVariable:
    """Let the reader choose among the values that the store answers, several or all."""
    query: dict[str, object] = {"editorType": "sql", "format": 1, "rawSql": sql, "refId": name}
    return _query_variable(name, CLICKHOUSE, query, every=True, what=what)


def text(name: str, label: str, default: str, *, what: str) -> builders.TextBoxVariable:
    """Let the reader write something."""
    written = VariableOption(text=default, value=default)
    variable = builders.TextBoxVariable(name).label(label).description(what)
    return variable.default_value(default).current(written)


def alerts_shown(selector: str) -> builders.AnnotationQuery:
    """Mark in all graphs when an alert fired."""
    marks = builders.AnnotationQuery().name("Alerts").datasource(PROMETHEUS).enable(True).icon_color("red")
    return marks.expr(f'ALERTS{{alertstate="firing",{selector}}}')


def _query_variable(
    name: str, source: DataSourceRef, query: dict[str, object], *, every: bool, what: str
) -> builders.QueryVariable:
    variable = builders.QueryVariable(name).label(name.capitalize()).description(what)
    variable = variable.datasource(source).query(query)
    variable = variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    if not every:
        return variable
    chosen = VariableOption(text=["All"], value=["$__all"])
    variable = variable.multi(True).include_all(True).current(chosen)
    # A label that a series lacks is empty to Prometheus, which ".*" takes as well.
    return variable.all_value(".*") if source is PROMETHEUS else variable


def _source(name: str, label: str, kind: str, uid: str) -> builders.DatasourceVariable:
    variable = builders.DatasourceVariable(name).label(label).type(kind)
    variable = variable.description("The data source that is asked.").hide(VariableHide.DONT_HIDE)
    return variable.current(VariableOption(text=label, value=uid))


def _others() -> builders.DashboardLink:
    link = builders.DashboardLink("Glasshouse").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(True).include_vars(True).keep_time(True)


def _with_section(board: builders.Dashboard, section: Section) -> builders.Dashboard:
    heading = builders.Row(section.title)
    if section.folded:
        heading = heading.collapsed(True)
        for panel in section.panels:
            heading = heading.with_panel(panel)
        return board.with_row(heading)
    board = board.with_row(heading)
    for panel in section.panels:
        board = board.with_panel(panel)
    return board


def _number(board: Dashboard) -> None:
    # Links to a panel name it by its number, which therefore is the same at each generation.
    at = 0
    for panel in board.panels or ():
        at = panel.id_val = at + 1
        if isinstance(panel, RowPanel):
            for inner in panel.panels:
                at = inner.id_val = at + 1
