"""Shows spans and the metrics of applications on the collector's `/metrics`."""

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from glasshouse_collector.core.batch import Batch, Signal
from glasshouse_collector.core.components import ComponentConfig, Services
from glasshouse_collector.core.exposition import MetricsPage
from glasshouse_collector.core.metrics import Metrics
from glasshouse_exporters.prometheus.columns import column
from glasshouse_exporters.prometheus.config import PrometheusConfig, ServiceGraphConfig
from glasshouse_exporters.prometheus.exposition import render
from glasshouse_exporters.prometheus.otlp.metrics import OtlpMetrics, OtlpMetricsSettings
from glasshouse_exporters.prometheus.otlp.series import LabelSettings
from glasshouse_exporters.prometheus.own_names import own_names
from glasshouse_exporters.prometheus.remote_write.push import RemoteWrite
from glasshouse_exporters.prometheus.resources import OWN_PROJECT, resources_of
from glasshouse_exporters.prometheus.series import FamilySnapshot, Kind, SeriesTable, shown_names
from glasshouse_exporters.prometheus.service_graph.edges import EdgeSeries
from glasshouse_exporters.prometheus.service_graph.graph import ServiceGraph, ServiceGraphSettings
from glasshouse_exporters.prometheus.spans.metrics import SpanMetrics, SpanMetricsSettings
from glasshouse_exporters.prometheus.target_info import TARGET_INFO, TargetInfo

log = logging.getLogger(__name__)

_EXPIRE_EVERY_SECONDS = 10.0
FAILED = "failed"
"""Why points and spans of a batch are not shown that made the exporter fail: a defect, with a log record."""


class PrometheusExporter:
    """Keeps series in memory, and gives them to the page when it is asked for.

    A restart begins all counters anew, as Prometheus expects of a restart. A batch is counted once in a
    process's life; the collector's own telemetry is left out, as the page has it already. A delivery never
    fails and waits for nothing, so this exporter holds up no other.
    """

    Config: ClassVar[type[ComponentConfig]] = PrometheusConfig

    def __init__(self, config: PrometheusConfig, services: Services) -> None:
        self._services = services
        self._metrics = metrics = services.get(Metrics)
        self._table = table = SeriesTable(config.max_series, time.monotonic, self._count_overflow)
        self._spans = SpanMetrics(table, _span_settings(config))
        self._graph = None if config.service_graph is None else _graph(table, config, config.service_graph)
        self._targets = TargetInfo(table, config.metrics_expire_seconds)
        self._points = OtlpMetrics(table, _point_settings(config), self._count_dropped)
        self._remote_write = (
            None
            if config.remote_write is None
            else RemoteWrite(config.remote_write, self._families, metrics.registry, self._count_dropped)
        )
        table.reserve(shown_names(TARGET_INFO, Kind.INFO), TARGET_INFO)
        metrics.prometheus_max_series.set(config.max_series)
        self._expired_at = table.now()

    async def start(self) -> None:
        """Show the series from now on. Raises `ConfigurationError` where remote write cannot begin."""
        self._table.reserve(own_names(self._metrics.registry))
        self._metrics.prometheus_series.set_function(lambda: self._table.lines)
        if self._remote_write is not None:
            await asyncio.to_thread(self._remote_write.start)
        self._services.get(MetricsPage).add(self._page)

    async def export(self, batch: Batch) -> None:
        """Add a batch of spans or data points to the series; logs make none."""
        if batch.signal is not Signal.LOGS:
            await asyncio.to_thread(self._take, batch)

    async def stop(self) -> None:
        """Show the series no more."""
        if self._remote_write is not None:
            await asyncio.to_thread(self._remote_write.stop)
        try:
            page = self._services.get(MetricsPage)
        except LookupError:
            return
        page.remove(self._page)

    def _take(self, batch: Batch) -> None:
        try:
            self._show(batch)
        except Exception:
            # Delivered again, the part of the batch that was counted would be counted twice.
            log.exception("a batch of %s made no series: a defect", batch.signal)
            self._count_dropped(FAILED, batch.records.num_rows)

    def _show(self, batch: Batch) -> None:
        if batch.signal is Signal.TRACES:
            resources = resources_of(batch.records)
            self._targets.take(batch.records, resources)
            self._spans.take(batch.records, resources)
            if self._graph is not None:
                self._graph.take(batch.records)
        else:
            records = _of_applications(batch.records)
            self._targets.take(records, resources_of(records))
            self._points.take(batch.signal, records)
        if self._table.now() - self._expired_at > _EXPIRE_EVERY_SECONDS:
            self._expired_at = self._table.now()
            self._table.expire()

    def _page(self, openmetrics: bool) -> Iterator[bytes]:
        return render(self._families(), openmetrics=openmetrics)

    def _families(self) -> list[FamilySnapshot]:
        if self._graph is not None:
            self._graph.expire()
        return self._table.snapshot()

    def _count_overflow(self, family: str, count: int) -> None:
        self._metrics.prometheus_overflow.labels(family).inc(count)

    def _count_dropped(self, reason: str, count: int) -> None:
        self._metrics.prometheus_dropped_points.labels(reason).inc(count)


def _of_applications(records: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows that are not the collector's own."""
    projects = column(records, "Project")
    if OWN_PROJECT not in projects.dictionary.to_pylist():
        return records
    return records.filter(pc.not_equal(projects.cast(pa.string()), OWN_PROJECT))


def _span_settings(config: PrometheusConfig) -> SpanMetricsSettings:
    return SpanMetricsSettings(
        config.buckets, config.dimensions, config.resource_labels, config.spans_expire_seconds
    )


def _point_settings(config: PrometheusConfig) -> OtlpMetricsSettings:
    labels = LabelSettings(config.resource_labels, config.scope_labels)
    return OtlpMetricsSettings(labels, config.exponential_scale, config.metrics_expire_seconds)


def _graph(table: SeriesTable, config: PrometheusConfig, graph: ServiceGraphConfig) -> ServiceGraph:
    series = EdgeSeries(table, graph.buckets, config.spans_expire_seconds)
    settings = ServiceGraphSettings(graph.wait_seconds, graph.max_waiting, graph.peer_attributes)
    return ServiceGraph(series, settings)
