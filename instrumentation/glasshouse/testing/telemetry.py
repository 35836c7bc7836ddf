"""What was captured, and the questions that a test has."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.metrics.export import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    InMemoryMetricReader,
    MetricsData,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from glasshouse.testing.clock import Clock

Found = TypeVar("Found")


@dataclass(frozen=True)
class Point:
    """What one metric says for one set of attributes.

    `value` is the sum of a counter since the capture began, the last value of a gauge, the sum of what a
    histogram recorded; `count` is how many values that one has, and 1 for the others.
    """

    attributes: Mapping[str, Any]
    value: float
    count: int


class Telemetry:
    """What was captured so far. What is asked for and not there raises AssertionError, and names what is."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.span_exporter = InMemorySpanExporter()
        self.log_record_exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self.metric_reader = InMemoryMetricReader()
        self._last: MetricsData | None = None
        self._ended = False

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in the order of their ends."""
        return list(self.span_exporter.get_finished_spans())

    def span(self, name: str) -> ReadableSpan:
        """Return the one span of that name."""
        found = [span for span in self.spans if span.name == name]
        return _one(found, "span", name, [span.name for span in self.spans])

    def tree(self) -> list[str]:
        """Return the names of the spans by their starts, each two spaces further in than its parent."""
        children: dict[int | None, list[ReadableSpan]] = {}
        known = {span.context.span_id for span in self.spans if span.context}
        for span in sorted(self.spans, key=lambda each: each.start_time or 0):
            parent = span.parent.span_id if span.parent and span.parent.span_id in known else None
            children.setdefault(parent, []).append(span)
        return list(_branches(children, None, 0))

    @property
    def log_records(self) -> list[LogRecord]:
        """The log records, captured errors and heartbeats among them, in the order in which they came."""
        return [each.log_record for each in self.log_record_exporter.get_finished_logs()]

    def log_record(self, body: str) -> LogRecord:
        """Return the one log record with that text."""
        found = [record for record in self.log_records if record.body == body]
        return _one(found, "log record", body, [str(record.body) for record in self.log_records])

    @property
    def errors(self) -> list[LogRecord]:
        """The log records that tell of an exception: captured, uncaught, or logged with one."""
        return [record for record in self.log_records if "exception.type" in (record.attributes or {})]

    def points(self, name: str) -> list[Point]:
        """Return what a metric says, once for each set of attributes; nothing where it is not measured."""
        return [point for found, point in self._points() if found == name]

    def value(self, name: str, attributes: Mapping[str, object] | None = None, /, **more: object) -> float:
        """Return the value of a metric: of the one point that has these attributes, and maybe others."""
        return self._point(name, {**(attributes or {}), **more}).value

    def count(self, name: str, attributes: Mapping[str, object] | None = None, /, **more: object) -> int:
        """Return how many values a histogram has recorded; of the one point that has these attributes."""
        return self._point(name, {**(attributes or {}), **more}).count

    def clear(self) -> None:
        """Forget the spans and log records so far; metrics, ids and the clock go on."""
        self.span_exporter.clear()
        self.log_record_exporter.clear()

    def end(self) -> None:
        """Keep what metrics say now: their provider is about to take the reader out."""
        self._last, self._ended = self.metric_reader.get_metrics_data(), True

    def _point(self, name: str, wanted: Mapping[str, object]) -> Point:
        points = list(self._points())
        found = [
            point for each, point in points if each == name and wanted.items() <= point.attributes.items()
        ]
        sought = f"{name} {dict(wanted)}" if wanted else name
        return _one(found, "metric", sought, [f"{each} {dict(point.attributes)}" for each, point in points])

    def _points(self) -> Iterator[tuple[str, Point]]:
        collected = self._last if self._ended else self.metric_reader.get_metrics_data()
        for resource in collected.resource_metrics if collected else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        yield metric.name, _point(point)


def _point(point: Any) -> Point:
    attributes = dict(point.attributes or {})
    if isinstance(point, HistogramDataPoint | ExponentialHistogramDataPoint):
        return Point(attributes, point.sum, point.count)
    return Point(attributes, point.value, 1)


def _branches(
    children: Mapping[int | None, list[ReadableSpan]], parent: int | None, depth: int
) -> Iterator[str]:
    for span in children.get(parent, ()):
        yield f"{'  ' * depth}{span.name}"
        if span.context:
            yield from _branches(children, span.context.span_id, depth + 1)


def _one(found: Sequence[Found], kind: str, sought: str, there: Sequence[str]) -> Found:
    if len(found) == 1:
        return found[0]
    named = ", ".join(map(repr, there)) or "none"
    raise AssertionError(f"{len(found) or 'no'} {kind}s {sought!r}, there are: {named}")
