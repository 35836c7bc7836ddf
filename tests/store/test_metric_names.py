"""The table of metrics' names follows the points, and is filled of those that were there before."""

from collections.abc import Callable
from datetime import timedelta

from glasshouse_collector.store import Store, StoreSettings
from sent_metrics import counter, gauge, number, send

Open = Callable[[StoreSettings], Store]
TOLD = (
    "SELECT MetricName, ServiceName, Kind, Unit, sum(Points) AS points, "
    "uniqCombinedMerge(12)(Series) AS series, "
    "arraySort(groupUniqArrayArray(Keys)) AS keys FROM glasshouse_metric_names GROUP BY ALL ORDER BY ALL"
)


def _fill(store: Store) -> None:
    points = [number(second, second, route=f"/{second % 3}") for second in range(30)]
    send(store, counter("http.requests", *points, unit="1"))
    send(store, gauge("queue", number(5, 1), unit="{job}"), service="cart")


def test_a_store_that_had_points_before_tells_their_names(settings: StoreSettings, opened: Open) -> None:
    """The table is filled once, fed from then on, and kept as long as metrics are."""
    store = opened(settings)
    store.migrate()
    _fill(store)
    before = store.query_arrow(TOLD).to_pylist()
    assert [(row["points"], row["series"], row["keys"]) for row in before] == [(30, 3, ["route"]), (1, 1, [])]
    for kind in ("gauge", "sum", "histogram", "exp_histogram", "summary"):
        store.engine.command(f"DROP VIEW glasshouse_metric_names_of_{kind}_mv")
    store.engine.command("DROP TABLE glasshouse_metric_names")
    store.engine.command("DELETE FROM glasshouse_migrations WHERE name = '0008_metric_names'")
    store.close()
    store = opened(StoreSettings(settings.dsn, retention={"metrics": timedelta(days=9999)}))
    assert "0008_metric_names" in store.migrate()
    assert store.query_arrow(TOLD).to_pylist() == before
    send(store, gauge("queue", number(6, 1), unit="{job}"), service="cart")
    assert store.query_arrow(TOLD)["points"].to_pylist() == [30, 2]
    sql = "SELECT create_table_query AS made FROM system.tables WHERE name = 'glasshouse_metric_names'"
    assert "TTL toDateTime(LastSeen) + toIntervalSecond(" in store.query_arrow(sql)["made"][0].as_py()
