"""Metrics of hand-made points in a store, and questions about them."""

from collections.abc import Iterable, Mapping
from typing import Any

import httpx
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from glasshouse_collector.core.access import DEFAULT_PROJECT
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.store import Store
from kept_records import keep

NOON = 1_900_000_800
"""2030-03-17 18:00:00 UTC, in seconds: no retention drops it. Points are made some seconds after."""
SECOND = 10**9
DELTA = otlp.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE

_SIGNALS = {
    "gauge": Signal.METRICS_GAUGE,
    "sum": Signal.METRICS_SUM,
    "histogram": Signal.METRICS_HISTOGRAM,
    "exponential_histogram": Signal.METRICS_EXP_HISTOGRAM,
    "summary": Signal.METRICS_SUMMARY,
}


def at(seconds: float) -> int:
    """Return so many seconds after noon, in nanoseconds since the Unix epoch."""
    return NOON * SECOND + round(seconds * SECOND)


def rfc(seconds: int) -> str:
    """Return so many seconds (less than a day's rest) after noon as a user writes it."""
    hours, rest = divmod(18 * 3600 + seconds, 3600)
    return f"2030-03-17T{hours:02d}:{rest // 60:02d}:{rest % 60:02d}Z"


def number(
    seconds: float,
    value: float,
    *,
    start: float | None = None,
    flags: int = 0,
    exemplars: Iterable[otlp.Exemplar] = (),
    **labels: str,
) -> otlp.NumberDataPoint:
    """Return a point of a gauge or sum."""
    point = otlp.NumberDataPoint(
        time_unix_nano=at(seconds), as_double=value, flags=flags, exemplars=exemplars
    )
    labelled(point, start, labels)
    return point


def labelled(point: Any, start: float | None, labels: Mapping[str, str]) -> Any:
    """Return the point with its start and attributes."""
    if start is not None:
        point.start_time_unix_nano = at(start)
    for key, value in labels.items():
        point.attributes.add(key=key).value.string_value = value
    return point


def gauge(name: str, *points: otlp.NumberDataPoint, unit: str = "") -> otlp.Metric:
    """Return a gauge."""
    return otlp.Metric(name=name, unit=unit, gauge=otlp.Gauge(data_points=points))


def counter(
    name: str,
    *points: otlp.NumberDataPoint,
    temporality: otlp.AggregationTemporality.ValueType = CUMULATIVE,
    monotonic: bool = True,
    unit: str = "",
) -> otlp.Metric:
    """Return a sum."""
    return otlp.Metric(
        name=name,
        unit=unit,
        sum=otlp.Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=monotonic),
    )


def send(
    store: Store,
    metric: otlp.Metric,
    *,
    service: str = "shop",
    project: str = DEFAULT_PROJECT,
    resource: Mapping[str, str] | None = None,
) -> None:
    """Keep a metric of a service as the pipeline would."""
    request = ExportMetricsServiceRequest()
    own = request.resource_metrics.add()
    for key, value in {"service.name": service, **(resource or {})}.items():
        own.resource.attributes.add(key=key).value.string_value = value
    own.scope_metrics.add().metrics.append(metric)
    kind = str(metric.WhichOneof("data"))
    counted = store.query_arrow("SELECT sum(Points) AS n FROM glasshouse_metric_names")["n"][0].as_py()
    keep(store, RequestKind.METRICS, _SIGNALS[kind], request, f"batch-{counted}-{metric.name}", project)


def ask(client: httpx.Client, name: str, function: str, seconds: int = 120, **asked: Any) -> dict[str, Any]:
    """Return the answer about the seconds from noon on, a minute a step unless asked otherwise."""
    body = {"name": name, "function": function, "start_time": rfc(0), "end_time": rfc(seconds), "step": "60s"}
    answer = client.post("/api/v1/metrics/query", json=body | asked)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def values(answer: Mapping[str, Any]) -> list[float | None]:
    """Return the values of the only series."""
    [series] = answer["series"]
    found: list[float | None] = series["values"]
    return found


def by_label(answer: Mapping[str, Any]) -> dict[tuple[str, ...], list[float | None]]:
    """Return the values of each series by the texts of its labels."""
    return {tuple(series["labels"].values()): series["values"] for series in answer["series"]}
