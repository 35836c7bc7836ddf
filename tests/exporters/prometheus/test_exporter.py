"""The exporter as the collector runs it: batches in, a page out."""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import BaseModel

from glasshouse_collector.core.batch import Batch
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.exposition import MetricsPage
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.registry import configure
from glasshouse_exporters.prometheus import PrometheusConfig, PrometheusExporter
from glasshouse_exporters.prometheus.spans.metrics import CALLS, DURATION
from shown_series import openmetrics_families
from span_batches import SentSpan, batch_of


class Shown:
    """An exporter with a page and metrics of its own."""

    def __init__(self, config: PrometheusConfig | None = None) -> None:
        self.services = Services()
        self.services.provide(Metrics, Metrics())
        self.services.provide(MetricsPage, MetricsPage())
        self.exporter = PrometheusExporter(config or PrometheusConfig(), self.services)

    def take(self, *batches: Batch) -> None:
        """Start if need be, and deliver."""

        async def deliver() -> None:
            for batch in batches:
                await self.exporter.export(batch)

        asyncio.run(deliver())

    def page(self, *, openmetrics: bool = False) -> str:
        """Return what the exporter adds to the page."""
        return self.services.get(MetricsPage).render(openmetrics=openmetrics).decode()

    def own(self, name: str, **labels: str) -> float | None:
        """Return one of the collector's own metrics."""
        return self.services.get(Metrics).registry.get_sample_value(name, labels)


@pytest.fixture
def shown() -> Iterator[Shown]:
    """Return an exporter that has started."""
    shown = Shown()
    asyncio.run(shown.exporter.start())
    yield shown
    asyncio.run(shown.exporter.stop())


_SPAN = SentSpan(resource={"service.instance.id": "7", "host.name": "box"})


def test_the_page_shows_what_was_delivered_until_the_stop(shown: Shown) -> None:
    """Span metrics, the graph, and the target; afterwards nothing."""
    shown.take(batch_of([_SPAN]))
    lines = shown.page().splitlines()
    calls = "traces_span_metrics_calls_total"
    span = (
        'service_name="shop",span_name="GET /",span_kind="SPAN_KIND_SERVER",status_code="STATUS_CODE_UNSET"'
    )
    edge = 'client="user",server="shop",connection_type="virtual_node"'
    for line in (
        f'{calls}{{project="default",{span}}} 1.0',
        f'traces_service_graph_request_total{{project="default",{edge}}} 1.0',
        'target_info{project="default",job="shop",instance="7",host_name="box"} 1.0',
    ):
        assert line in lines
    assert shown.own("glasshouse_prometheus_series") == sum(not line.startswith("#") for line in lines)
    assert shown.own("glasshouse_prometheus_max_series") == 100_000
    asyncio.run(shown.exporter.stop())
    assert shown.page() == ""


def test_a_restart_begins_at_zero(shown: Shown) -> None:
    """A counter of a new process counts what that process was given; Prometheus takes it for a reset."""
    batch = batch_of([_SPAN])
    shown.take(batch, batch)
    assert '"STATUS_CODE_UNSET"} 2.0\n' in shown.page()
    again = Shown()
    asyncio.run(again.exporter.start())
    assert again.page() == ""
    again.take(batch)
    assert '"STATUS_CODE_UNSET"} 1.0\n' in again.page()


def test_the_collectors_own_telemetry_is_left_out(shown: Shown) -> None:
    """Alone in a batch, or among others."""
    shown.take(batch_of([SentSpan(project="_self")]))
    assert shown.page() == ""
    shown.take(batch_of([SentSpan(project="_self", service="glasshouse-collector"), _SPAN]))
    assert "_self" not in shown.page()
    assert "glasshouse-collector" not in shown.page()
    assert 'service_name="shop"' in shown.page()


def test_no_application_takes_a_name_of_the_collectors_own(shown: Shown) -> None:
    """One family is one block on the page."""
    metrics = shown.services.get(Metrics)
    shown.take(batch_of([_SPAN]))
    names = [line.split()[2] for line in shown.page().splitlines() if line.startswith("# TYPE")]
    own = {family.name for family in metrics.registry.collect()}
    assert len(set(names)) == len(names)
    assert not own & set(names)


def test_scrapes_and_deliveries_do_not_disturb_each_other(shown: Shown) -> None:
    """Each page is whole, counters never fall, and in the end nothing is missing."""
    batches = [
        batch_of([SentSpan(name=f"GET /{name % 50}", span=name + 1) for name in range(start, start + 100)])
        for start in range(0, 1000, 100)
    ]

    def scrape(_turn: int) -> float:
        counts = dict.fromkeys((CALLS, f"{DURATION}_count"), 0.0)
        for family in openmetrics_families(shown.page(openmetrics=True)):
            for sample in family.samples:
                if sample.name in counts:
                    counts[sample.name] += sample.value
        calls, durations = counts.values()
        assert calls == durations
        return calls

    with ThreadPoolExecutor(3) as pool:
        deliveries = pool.submit(shown.take, *batches)
        seen = list(pool.map(scrape, range(20), timeout=120))
        deliveries.result()
    assert scrape(0) == 1000
    assert max(seen) <= 1000


def test_a_batch_that_cannot_be_shown_is_counted_and_holds_nothing_up(
    shown: Shown, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect is logged; the delivery does not fail, as it would be tried for ever."""
    batch = batch_of([_SPAN])
    broken = batch.with_records(batch.records.drop_columns(["Duration"]))
    with caplog.at_level(logging.ERROR):
        shown.take(broken, batch)
    assert "a batch of traces made no series" in caplog.text
    assert shown.own("glasshouse_prometheus_dropped_points_total", reason="failed") == 1
    assert "traces_span_metrics_calls_total{" in shown.page()


def test_an_empty_batch_and_one_without_kinds_are_taken(shown: Shown) -> None:
    """No rows, or none that the graph is made of."""
    batch = batch_of([SentSpan(kind="INTERNAL")])
    shown.take(batch.with_records(batch.records.slice(0, 0)), batch)
    assert shown.own("glasshouse_prometheus_dropped_points_total", reason="failed") is None
    assert "traces_span_metrics_calls_total{" in shown.page()


def test_a_part_of_a_batch_is_taken_as_that_part(shown: Shown) -> None:
    """Rows before and after it in the same buffers do not count."""
    spans = [
        SentSpan(service=f"s{number}", span=number, parent=number % 2, links=[(1, 2)] * (number % 3),
                 kind=("SERVER", "CLIENT", "CONSUMER")[number % 3], attributes={"peer.service": f"p{number}"})
        for number in range(1, 31)
    ]  # fmt: skip
    batch = batch_of(spans)
    shown.take(batch.with_records(batch.records.slice(10, 5)))
    whole = Shown()
    asyncio.run(whole.exporter.start())
    whole.take(batch_of(spans[10:15]))
    assert shown.page() == whole.page()


def test_overflow_is_counted_by_family() -> None:
    """And said to whoever watches the collector."""
    shown = Shown(PrometheusConfig(max_series=1000))
    asyncio.run(shown.exporter.start())
    shown.take(batch_of([SentSpan(name=f"GET /{number}", span=number) for number in range(1, 200)]))
    family = "traces_span_metrics_duration_milliseconds"
    counted = shown.own("glasshouse_prometheus_overflow_total", family=family)
    assert counted is not None
    assert counted > 100
    assert f'{family}_count{{project="default",otel_metric_overflow="true"}} {counted:.0f}\n' in shown.page()


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"buckets": []}, "buckets: 1 to 100 bounds are needed, there are 0"),
        ({"buckets": [1, 1]}, "buckets: bounds must ascend"),
        ({"buckets": [0, 1]}, "buckets: bounds are positive numbers"),
        ({"buckets": [1, float("inf")]}, "buckets: bounds are positive numbers"),
        ({"dimensions": ["span.name"]}, "dimensions: span.name would be the label span_name"),
        ({"dimensions": ["a.b", "a_b"]}, "dimensions: two of the attributes would be the label a_b"),
        ({"dimensions": [""]}, "dimensions: an attribute's key is needed"),
        ({"dimensions": ["service.name"]}, "dimensions: service.name is the label of service.name already"),
        ({"resource_labels": ["job"]}, "resource_labels: job would be the label job"),
        ({"max_series": 10}, "max_series: .*greater than or equal to 1000"),
        ({"service_graph": {"buckets": [2, 1]}}, r"service_graph\.buckets: bounds must ascend"),
        ({"service_graph": {"wait_seconds": 0}}, r"service_graph\.wait_seconds: .*greater than 0"),
    ],
)
def test_a_wrong_setting_is_told_by_name(written: dict[str, object], told: str) -> None:
    """And what would be right."""
    with pytest.raises(ConfigurationError, match=told) as error:
        configure("exporters", "prometheus", written)
    assert len(str(error.value).splitlines()) == 1


def test_without_a_graph_there_is_none() -> None:
    """Null switches it off."""
    config: PrometheusConfig = configure("exporters", "prometheus", {"service_graph": None})
    shown = Shown(config)
    asyncio.run(shown.exporter.start())
    shown.take(batch_of([_SPAN]))
    assert "traces_span_metrics_calls_total" in shown.page()
    assert "traces_service_graph" not in shown.page()


def test_logs_make_no_series(shown: Shown) -> None:
    """Whatever their columns are."""
    batch = batch_of([_SPAN])
    logs = Batch("logs", pa.record_batch({"Body": ["x"]}), batch.origin)  # type: ignore[arg-type]
    shown.take(logs)
    assert shown.page() == ""


def _settings(model: type[BaseModel], before: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{before}{name}"
        if name == "service_graph":
            yield from _settings(type(field.default), f"{name}.")


@pytest.mark.parametrize("setting", list(_settings(PrometheusConfig)))
def test_every_setting_is_documented(setting: str) -> None:
    """In the table of docs/prometheus.md."""
    documented = (Path(__file__).parents[3] / "docs" / "prometheus.md").read_text()
    assert f"| `{setting}` |" in documented
