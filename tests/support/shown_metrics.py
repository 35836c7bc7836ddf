"""What the page shows of OTLP metrics, from the request to Prometheus' own reading of the page."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from prometheus_client import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from glasshouse_collector.codec import best_codec
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.schema import NAME
from glasshouse_exporters.prometheus.exposition import render
from glasshouse_exporters.prometheus.otlp.metrics import OtlpMetrics, OtlpMetricsSettings
from glasshouse_exporters.prometheus.otlp.series import LabelSettings
from glasshouse_exporters.prometheus.series import SeriesTable

SERVICE = {"service.name": "cart", "service.namespace": "shop", "service.instance.id": "7"}
IDENTITY = {"project": "default", "job": "shop/cart", "instance": "7"}


def attributes(pairs: dict[str, str]) -> list[KeyValue]:
    """Return attributes as OTLP has them."""
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in pairs.items()]


def request(
    metrics: Sequence[Metric], resource: dict[str, str] | None = None, scope: tuple[str, str] = ("", "")
) -> ExportMetricsServiceRequest:
    """Return a request of one resource and one scope."""
    of_scope = ScopeMetrics(scope=InstrumentationScope(name=scope[0], version=scope[1]), metrics=metrics)
    described = Resource(attributes=attributes(SERVICE if resource is None else resource))
    return ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(resource=described, scope_metrics=[of_scope])]
    )


def metric_batches(
    requests: Sequence[ExportMetricsServiceRequest], project: str = "default"
) -> dict[Signal, pa.RecordBatch]:
    """Decode requests as the pipeline does."""
    decoded = best_codec().decode(RequestKind.METRICS, [each.SerializeToString() for each in requests])
    return {signal: _of_project(each.records, project) for signal, each in decoded.items()}


def _of_project(records: pa.RecordBatch, project: str) -> pa.RecordBatch:
    projects = pa.array([project] * records.num_rows, pa.string()).dictionary_encode().cast(NAME)
    return records.append_column(pa.field("Project", NAME, nullable=False), projects)


@dataclass
class ShownMetrics:
    """A table of series with the translation of metrics before it, and a clock that is moved by hand."""

    max_lines: int = 100_000
    labels: LabelSettings = field(default_factory=lambda: LabelSettings((), scope_labels=False))
    scale: int = 1
    clock: float = 1000.0
    dropped: Counter[str] = field(default_factory=Counter)
    overflowed: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Make the table."""
        self.table = SeriesTable(self.max_lines, lambda: self.clock, self._overflow)
        settings = OtlpMetricsSettings(self.labels, self.scale, expire_seconds=300.0)
        self.translation = OtlpMetrics(self.table, settings, self._drop)

    def take(self, *requests: ExportMetricsServiceRequest, project: str = "default") -> None:
        """Take requests as one batch of each signal."""
        for signal, records in metric_batches(requests, project).items():
            self.translation.take(signal, records)

    def page(self, *, openmetrics: bool = False) -> str:
        """Return the page."""
        return b"".join(render(self.table.snapshot(), openmetrics=openmetrics)).decode()

    def families(self, *, openmetrics: bool = False) -> dict[str, Family]:
        """Return the page's families as Prometheus' client for Python reads them."""
        page = self.page(openmetrics=openmetrics)
        if openmetrics:
            read: Iterable[Family] = parse_openmetrics(page + "# EOF\n")  # type: ignore[no-untyped-call]
        else:
            read = parse_text(page)
        return {family.name: family for family in read}

    def values(self, name: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the samples of a name by their labels, without project, job and instance."""
        return {
            tuple(sorted((key, value) for key, value in sample.labels.items() if key not in IDENTITY)): (
                sample.value
            )
            for family in self.families().values()
            for sample in family.samples
            if sample.name == name
        }

    def value(self, name: str) -> float:
        """Return the only sample of a name."""
        (value,) = self.values(name).values()
        return value

    def buckets(self, name: str) -> dict[float, float]:
        """Return the cumulative counts of a family's only histogram by upper bound."""
        found = self.values(f"{name}_bucket")
        return {_bound(dict(labels)["le"]): value for labels, value in found.items()}

    def _drop(self, reason: str, count: int) -> None:
        self.dropped[reason] += count

    def _overflow(self, family: str, count: int) -> None:
        self.overflowed[family] += count


def _bound(text: str) -> float:
    return math.inf if text == "+Inf" else float(text)
