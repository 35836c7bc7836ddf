"""The collector's Prometheus metrics as OTLP metrics.

Naming follows the specification's Prometheus compatibility page: a counter keeps its name without
`_total`, cumulative temporality, and starts at its `_created` time.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

_UNITS = {"seconds": "s", "bytes": "By"}
_SCOPE = InstrumentationScope("glasshouse_collector")


def read_registry(
    registry: CollectorRegistry, resource: Resource, *, now_ns: int, started_ns: int
) -> MetricsData:
    """Return every counter, gauge and histogram of `registry` as of `now_ns` (Unix nanoseconds).

    `started_ns` is the start of series that do not say when they began.
    """
    metrics = [
        metric
        for family in registry.collect()
        if (metric := _metric(family, now_ns=now_ns, started_ns=started_ns)) is not None
    ]
    scope = ScopeMetrics(_SCOPE, metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _metric(family: Family, *, now_ns: int, started_ns: int) -> Metric | None:
    data: Sum | Gauge | Histogram
    began = _began(family)
    match family.type:
        case "counter":
            points = _numbers(family.samples, "_total", began, now_ns, started_ns)
            data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
        case "gauge":
            data = Gauge(_numbers(family.samples, "", began, now_ns, started_ns))
        case "histogram":
            histograms = list(_histograms(family, began, now_ns, started_ns))
            data = Histogram(histograms, AggregationTemporality.CUMULATIVE)
        case _:
            return None
    if not data.data_points:
        return None
    unit = _UNITS.get(family.name.rpartition("_")[2], "")
    return Metric(family.name, family.documentation, unit, data)


def _began(family: Family) -> dict[tuple[tuple[str, str], ...], int]:
    return {
        _key(sample): int(sample.value * 1e9) for sample in family.samples if sample.name.endswith("_created")
    }


def _key(sample: Sample) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in sorted(sample.labels.items()) if name != "le")


def _numbers(
    samples: Iterable[Sample],
    suffix: str,
    began: dict[tuple[tuple[str, str], ...], int],
    now_ns: int,
    started_ns: int,
) -> list[NumberDataPoint]:
    return [
        NumberDataPoint(dict(sample.labels), began.get(_key(sample), started_ns), now_ns, sample.value)
        for sample in samples
        if sample.name.endswith(suffix) and not sample.name.endswith("_created")
    ]


def _histograms(
    family: Family, began: dict[tuple[tuple[str, str], ...], int], now_ns: int, started_ns: int
) -> Iterator[HistogramDataPoint]:
    series: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    sums: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in family.samples:
        if sample.name.endswith("_bucket"):
            series.setdefault(_key(sample), []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_sum"):
            sums[_key(sample)] = sample.value
    for key, buckets in series.items():
        cumulative = [0, *(int(count) for _, count in buckets)]
        yield HistogramDataPoint(
            attributes=dict(key),
            start_time_unix_nano=began.get(key, started_ns),
            time_unix_nano=now_ns,
            count=cumulative[-1],
            sum=sums.get(key, 0.0),
            bucket_counts=[upper - lower for lower, upper in pairwise(cumulative)],
            explicit_bounds=[bound for bound, _ in buckets[:-1]],  # the last is +Inf
            min=None,  # type: ignore[arg-type]  # unknown, and left out by the encoder
            max=None,  # type: ignore[arg-type]
        )
