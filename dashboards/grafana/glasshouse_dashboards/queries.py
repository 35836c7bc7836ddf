"""Questions to the two data sources, each named by a variable of the dashboard."""

from grafana_foundation_sdk.builders import prometheus as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${prometheus}")
CLICKHOUSE = DataSourceRef(type_val="grafana-clickhouse-datasource", uid="${clickhouse}")

Query = Builder[Dataquery]

_PLUGIN_VERSION = "4.20.0"
# The numbers that the ClickHouse plugin gives its formats.
_FORMATS = {"timeseries": 0, "table": 1, "logs": 2, "traces": 3}


def over_time(expression: str, legend: str = "", *, exemplars: bool = False) -> builders.Dataquery:
    """Ask Prometheus for the expression over the dashboard's time; `legend` has `{{label}}` in it."""
    asked = builders.Dataquery().expr(expression).range().format(PromQueryFormat.TIME_SERIES)
    asked = asked.legend_format(legend or "__auto")
    return asked.exemplar(True) if exemplars else asked


def now(expression: str, legend: str = "") -> builders.Dataquery:
    """Ask Prometheus for the expression at the end of the dashboard's time."""
    return builders.Dataquery().expr(expression).instant().legend_format(legend or "__auto")


def rows_now(expression: str) -> builders.Dataquery:
    """Ask Prometheus for the expression at the end of the dashboard's time, a row each series."""
    return builders.Dataquery().expr(expression).instant().format(PromQueryFormat.TABLE)


class ClickHouseQuery(Dataquery):
    """SQL as the plugin `grafana-clickhouse-datasource` keeps it: `kind` is one of its query types."""

    def __init__(self, sql: str, kind: str) -> None:
        self.sql, self.kind, self.ref_id = sql, kind, ""

    def to_json(self) -> dict[str, object]:
        """Return what the plugin reads."""
        return {
            "datasource": CLICKHOUSE,
            "editorType": "sql",
            "format": _FORMATS[self.kind],
            "pluginVersion": _PLUGIN_VERSION,
            "queryType": self.kind,
            "rawSql": self.sql,
            "refId": self.ref_id,
        }


class Sql(Builder[Dataquery]):
    """SQL to the store; its time comes by the plugin's macros, `$__timeFilter` and others."""

    def __init__(self, sql: str, kind: str = "table") -> None:
        self._query = ClickHouseQuery(sql.strip(), kind)

    def build(self) -> Dataquery:
        """Return the query."""
        return self._query

    def ref_id(self, name: str) -> "Sql":
        """Name the query within its panel."""
        self._query.ref_id = name
        return self
