"""Metrics read back from the SDK, by name."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.metrics import _internal as metrics_globals
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util._once import Once


class Reading:
    """What a meter provider has measured."""

    def __init__(self, provider: MeterProvider, reader: InMemoryMetricReader) -> None:
        self.provider = provider
        self._reader = reader

    def metric(self, name: str) -> Any:
        """Collect, and return the metric of that name; AssertionError where there is none."""
        collected = self._reader.get_metrics_data()
        found = {
            metric.name: metric
            for resource in (collected.resource_metrics if collected else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        assert name in found, f"{name} is not among {sorted(found)}"
        return found[name]

    def points(self, name: str) -> list[tuple[Any, Mapping[str, Any]]]:
        """Collect, and return value (count, of a histogram) and attributes of each point of a metric."""
        return [
            (getattr(point, "value", getattr(point, "count", None)), dict(point.attributes))
            for point in self.metric(name).data.data_points
        ]

    def names(self) -> set[str]:
        """Collect, and return the names of all metrics."""
        collected = self._reader.get_metrics_data()
        return {
            metric.name
            for resource in (collected.resource_metrics if collected else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@contextmanager
def reading() -> Iterator[Reading]:
    """Set a meter provider for a block, as `configure` would, and forget it afterwards."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    assert metrics.get_meter_provider() is provider
    try:
        yield Reading(provider, reader)
    finally:
        provider.shutdown()
        metrics_globals._METER_PROVIDER = None
        metrics_globals._METER_PROVIDER_SET_ONCE = Once()


@contextmanager
def tracing(*processors: SpanProcessor) -> Iterator[InMemorySpanExporter]:
    """Set a tracer provider for a block, and forget it afterwards."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    for processor in (*processors, SimpleSpanProcessor(exporter)):
        provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    assert trace.get_tracer_provider() is provider
    try:
        yield exporter
    finally:
        provider.shutdown()
        trace._TRACER_PROVIDER = None
        trace._TRACER_PROVIDER_SET_ONCE = Once()
