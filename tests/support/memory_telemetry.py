"""OpenTelemetry providers that keep what they are given in memory, as the global ones for one test."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import _internal as logs_globals
from opentelemetry.metrics import _internal as metrics_globals
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util._once import Once

from glasshouse import breadcrumbs, context
from glasshouse.settings import Settings


@dataclass
class MemoryTelemetry:
    """What was recorded, by name where a name is unique."""

    finished: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    emitted: InMemoryLogRecordExporter = field(default_factory=InMemoryLogRecordExporter)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    def span(self, name: str) -> ReadableSpan:
        """Return the one finished span of that name."""
        (found,) = [span for span in self.finished.get_finished_spans() if span.name == name]
        return found

    def spans(self) -> list[str]:
        """Return the names of all finished spans, in the order of their ends."""
        return [span.name for span in self.finished.get_finished_spans()]

    def records(self) -> list[Any]:
        """Return all log records emitted."""
        emitted: tuple[ReadableLogRecord, ...] = self.emitted.get_finished_logs()
        return [each.log_record for each in emitted]

    def record(self) -> Any:
        """Return the one log record emitted."""
        (found,) = self.records()
        return found

    def counters(self) -> dict[str, float]:
        """Return the sums of all counters, by name."""
        collected = self.reader.get_metrics_data()
        found: dict[str, float] = {}
        for resource in collected.resource_metrics if collected else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points: Any = metric.data.data_points
                    found[metric.name] = sum(point.value for point in points)
        return found


def attributes(of: ReadableSpan | Any) -> Mapping[str, Any]:
    """Return the attributes of a span or log record."""
    return dict(of.attributes or {})


def parent(of: ReadableSpan) -> int | None:
    """Return the span id of a span's parent."""
    return of.parent.span_id if of.parent else None


def identity(of: ReadableSpan) -> tuple[int, int]:
    """Return the trace id and the span id of a span."""
    assert of.context
    return of.context.trace_id, of.context.span_id


@contextmanager
def memory_telemetry(settings: Settings | None = None) -> Iterator[MemoryTelemetry]:
    """Make the providers, with the processors of `bind` and of breadcrumbs, and forget them at the end."""
    kept = MemoryTelemetry()
    tracers, loggers, meters = TracerProvider(), LoggerProvider(), MeterProvider([kept.reader])
    for span_processor in [*context.span_processors(), SimpleSpanProcessor(kept.finished)]:
        tracers.add_span_processor(span_processor)
    for processor in context.log_record_processors():
        loggers.add_log_record_processor(processor)
    for processor in breadcrumbs.log_record_processors(settings or Settings()):
        loggers.add_log_record_processor(processor)
    loggers.add_log_record_processor(SimpleLogRecordProcessor(kept.emitted))
    trace.set_tracer_provider(tracers)
    _logs.set_logger_provider(loggers)
    metrics.set_meter_provider(meters)
    yield kept
    for provider in (tracers, loggers, meters):
        provider.shutdown()
    trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = None, Once()
    logs_globals._LOGGER_PROVIDER, logs_globals._LOGGER_PROVIDER_SET_ONCE = None, Once()
    metrics_globals._METER_PROVIDER, metrics_globals._METER_PROVIDER_SET_ONCE = None, Once()
