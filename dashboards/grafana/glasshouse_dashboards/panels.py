"""The kinds of panels that the dashboards are made of; each has a title, a description, a unit and a size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    logs,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Panel,
    Threshold,
    ThresholdsMode,
)

from glasshouse_dashboards.queries import CLICKHOUSE, PROMETHEUS, Sql, rows_now

AnyPanel: TypeAlias = Builder[Panel]
_P = TypeVar(
    "_P",
    bargauge.Panel,
    dashboard.Panel,
    logs.Panel,
    stat.Panel,
    statetimeline.Panel,
    table.Panel,
    timeseries.Panel,
)
_V = TypeVar("_V", bargauge.Panel, stat.Panel, table.Panel, timeseries.Panel)

GREEN, YELLOW, RED = "green", "yellow", "red"


@dataclass(frozen=True)
class Scale:
    """How values read: a unit by Grafana's name, bounds, and from which value on they are of which colour."""

    unit: str
    steps: tuple[tuple[float, str], ...] = ()
    base: str = GREEN
    least: float | None = None
    most: float | None = None

    def thresholds(self) -> dashboard.ThresholdsConfig:
        """Return the colours; the first holds for whatever is below all steps."""
        steps = [Threshold(color=self.base), *(Threshold(value, color) for value, color in self.steps)]
        return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


RATE = Scale("reqps", least=0)
COUNT = Scale("short", least=0)
BYTES = Scale("bytes", least=0)
SECONDS = Scale("s", least=0)
ERRORS = Scale("percentunit", ((0.01, YELLOW), (0.05, RED)), least=0)
LATENCY = Scale("ms", ((1000, YELLOW), (3000, RED)), least=0)
NONE_IS_RIGHT = Scale("short", ((1, RED),), least=0)


@dataclass(frozen=True)
class Link:
    """Where a click on a value leads; `url` may have Grafana's `${__value.raw}` and the like in it."""

    title: str
    url: str

    def build(self) -> dict[str, object]:
        """Return it as a field's setting."""
        return {"title": self.title, "url": self.url}


@dataclass(frozen=True)
class Column:
    """A column of a table: how its values read, and where they lead."""

    scale: Scale | None = None
    link: Link | None = None
    width: int | None = None
    hidden: bool = False

    def settings(self) -> list[DynamicConfigValue]:
        """Return the overrides that make it so."""
        made = []
        if self.scale is not None:
            made.append(DynamicConfigValue("unit", self.scale.unit))
            if self.scale.steps:
                made.append(DynamicConfigValue("thresholds", self.scale.thresholds().build()))
                made.append(DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        if self.link is not None:
            made.append(DynamicConfigValue("links", [self.link.build()]))
        if self.width is not None:
            made.append(DynamicConfigValue("custom.width", self.width))
        if self.hidden:
            made.append(DynamicConfigValue("custom.hidden", value=True))
        return made


def graph(  # noqa: PLR0913 - a panel has that many sides
    title: str,
    description: str,
    scale: Scale,
    *queries: PrometheusQuery | Sql,
    wide: int = 12,
    stacked: bool = False,
    bars: bool = False,
    link: Link | None = None,
) -> timeseries.Panel:
    """Draw values over time."""
    panel = _asking(_sized(timeseries.Panel(), title, description, wide, 8), queries)
    panel = _reading(panel, scale).fill_opacity(60 if bars else 12).line_width(1)
    panel = panel.show_points(shapes.VisibilityMode.AUTO if not bars else shapes.VisibilityMode.NEVER)
    panel = panel.draw_style(shapes.GraphDrawStyle.BARS if bars else shapes.GraphDrawStyle.LINE)
    colour = dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME)
    legend = common.VizLegendOptions().display_mode(shapes.LegendDisplayMode.LIST).show_legend(True)
    panel = panel.legend(legend.placement(shapes.LegendPlacement.BOTTOM)).color_scheme(colour)
    tooltip = common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI)
    panel = panel.tooltip(tooltip.sort(shapes.SortOrder.DESCENDING))
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL).group("A"))
    if scale.steps:
        style = common.GraphThresholdsStyleConfig().mode(shapes.GraphTresholdsStyleMode.DASHED)
        panel = panel.thresholds_style(style)
    if link is not None:
        panel = panel.data_links([_data_link(link)])
    return panel


def number(
    title: str, description: str, scale: Scale, *queries: PrometheusQuery | Sql, wide: int = 6
) -> stat.Panel:
    """Show the newest value large, coloured by the scale."""
    panel = _asking(_sized(stat.Panel(), title, description, wide, 4), queries)
    colour = dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS)
    panel = _reading(panel, scale).color_scheme(colour).graph_mode(shapes.BigValueGraphMode.NONE)
    newest = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")
    return panel.color_mode(shapes.BigValueColorMode.VALUE).reduce_options(newest)


def ranking(
    title: str, description: str, scale: Scale, *queries: PrometheusQuery | Sql, wide: int = 12
) -> bargauge.Panel:
    """Draw the newest value of each series as a bar."""
    panel = _asking(_sized(bargauge.Panel(), title, description, wide, 8), queries)
    colour = dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS)
    each = isinstance(queries[0], Sql)
    newest = common.ReduceDataOptions().calcs(["lastNotNull"]).values(each).fields("")
    panel = _reading(panel, scale).color_scheme(colour).reduce_options(newest)
    return panel.orientation(shapes.VizOrientation.HORIZONTAL)


def states(title: str, description: str, scale: Scale, *queries: PrometheusQuery) -> statetimeline.Panel:
    """Draw which series was in which state when."""
    panel = _asking(_sized(statetimeline.Panel(), title, description, 24, 8), queries)
    colour = dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS)
    panel = panel.unit(scale.unit).thresholds(scale.thresholds()).color_scheme(colour)
    return panel.show_value(shapes.VisibilityMode.NEVER)


def listing(  # noqa: PLR0913 - a panel has that many sides
    title: str,
    description: str,
    keys: Mapping[str, str],
    values: Mapping[str, str],
    columns: Mapping[str, Column],
    *,
    wide: int = 24,
) -> table.Panel:
    """Put expressions of like labels side by side.

    `keys` are the labels with their headings, `values` headings with their expressions, and `columns`
    says by heading how they read.
    """
    queries = [rows_now(expression) for expression in values.values()]
    panel = _asking(_sized(table.Panel(), title, description, wide, 9), queries)
    names = {f"Value #{_letter(at)}": heading for at, heading in enumerate(values)}
    if len(values) == 1:
        names["Value"] = next(iter(values))
    order = {label: at for at, label in enumerate(keys)}
    arranged = {
        "excludeByName": {"Time": True, "__name__": True},
        "indexByName": order,
        "renameByName": {**keys, **names},
    }
    panel = panel.with_transformation(DataTransformerConfig("merge", options={}))
    panel = panel.with_transformation(DataTransformerConfig("organize", options=arranged))
    return _with_columns(_reading(panel, Scale("short")), columns)


def rows(  # noqa: PLR0913 - a panel has that many sides
    title: str,
    description: str,
    query: Sql,
    columns: Mapping[str, Column],
    *,
    wide: int = 24,
    high: int = 9,
) -> table.Panel:
    """Show what the store answers as it is; `columns` says by heading how values read."""
    panel = _asking(_sized(table.Panel(), title, description, wide, high), [query])
    return _with_columns(_reading(panel, Scale("short")), columns)


def records(title: str, description: str, query: Sql, *, high: int = 12) -> logs.Panel:
    """Show log records, newest first."""
    panel = _asking(_sized(logs.Panel(), title, description, 24, high), [query])
    panel = panel.unit("string").show_time(True).enable_log_details(True).wrap_log_message(True)
    return panel.sort_order(shapes.LogsSortOrder.DESCENDING)


def drawn(kind: str, title: str, description: str, *queries: Sql, high: int = 14) -> dashboard.Panel:
    """Let Grafana draw a trace (`traces`) or a graph of nodes and edges (`nodeGraph`)."""
    panel = _sized(dashboard.Panel().type(kind), title, description, 24, high).unit("ms")
    return _asking(panel, queries)


def _sized(panel: _P, title: str, description: str, wide: int, high: int) -> _P:
    return panel.title(title).description(description).span(wide).height(high)


def _asking(panel: _P, queries: Sequence[PrometheusQuery | Sql]) -> _P:
    panel = panel.datasource(CLICKHOUSE if isinstance(queries[0], Sql) else PROMETHEUS)
    for at, query in enumerate(queries):
        panel = panel.with_target(query.ref_id(_letter(at)))
    return panel


def _reading(panel: _V, scale: Scale) -> _V:
    panel = panel.unit(scale.unit).thresholds(scale.thresholds())
    if scale.least is not None:
        panel = panel.min(scale.least)
    return panel if scale.most is None else panel.max(scale.most)


def _with_columns(panel: table.Panel, columns: Mapping[str, Column]) -> table.Panel:
    for heading, column in columns.items():
        panel = panel.override_by_name(heading, column.settings())
    return panel


def _data_link(link: Link) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(link.title).type(DashboardLinkType.LINK).url(link.url)


def _letter(at: int) -> str:
    return "ABCDEFGHIJ"[at]
