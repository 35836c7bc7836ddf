"""What a user sets of the Prometheus exporter."""

from itertools import pairwise
from math import isfinite
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from glasshouse_collector.core.components import ComponentConfig
from glasshouse_exporters.prometheus.labels import label_name
from glasshouse_exporters.prometheus.remote_write.config import RemoteWriteConfig
from glasshouse_exporters.prometheus.service_graph.peers import PEER_NAMES
from glasshouse_exporters.prometheus.spans.metrics import LABELS

MILLISECONDS = (
    2.0, 4.0, 6.0, 8.0, 10.0, 50.0, 100.0, 200.0, 400.0, 800.0,
    1000.0, 1400.0, 2000.0, 5000.0, 10_000.0, 15_000.0,
)  # fmt: skip
"""The bounds of the OpenTelemetry Collector's span metrics connector."""
SECONDS = tuple(bound / 1000 for bound in MILLISECONDS)

_MOST_BOUNDS = 100
_TAKEN = frozenset((*LABELS, "job", "instance", "le", "quantile", "otel_metric_overflow")) - {"service_name"}


def _ascending(bounds: tuple[float, ...]) -> tuple[float, ...]:
    if not 1 <= len(bounds) <= _MOST_BOUNDS:
        raise ValueError(f"1 to {_MOST_BOUNDS} bounds are needed, there are {len(bounds)}")
    if not all(isfinite(bound) and bound > 0 for bound in bounds):
        raise ValueError("bounds are positive numbers; the bucket above all of them comes by itself")
    if any(lower >= upper for lower, upper in pairwise(bounds)):
        raise ValueError("bounds must ascend, each larger than the one before")
    return bounds


def _keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    names = [label_name(key) for key in keys]
    for key, name in zip(keys, names, strict=True):
        if not key:
            raise ValueError("an attribute's key is needed, not an empty text")
        if name in _TAKEN:
            raise ValueError(f"{key} would be the label {name}, which these series have already")
        if names.count(name) > 1:
            raise ValueError(f"two of the attributes would be the label {name}; name one of them")
    return keys


Bounds = Annotated[tuple[float, ...], AfterValidator(_ascending)]
Keys = Annotated[tuple[str, ...], AfterValidator(_keys)]


class ServiceGraphConfig(ComponentConfig):
    """How spans become requests between services."""

    buckets: Bounds = Field(SECONDS, description="bounds of durations, in seconds")
    wait_seconds: float = Field(10.0, gt=0, le=3600, description="how long a span waits for its other end")
    max_waiting: int = Field(100_000, ge=0, description="spans that wait, about 100 bytes each")
    peer_attributes: tuple[str, ...] = Field(
        PEER_NAMES, max_length=50, description="what a service that sends no spans is named by, best first"
    )


class PrometheusConfig(ComponentConfig):
    """What is shown of spans and of the metrics of applications, and how much of it."""

    max_series: int = Field(100_000, ge=1000, description="samples on the page; what is above overflows")
    resource_labels: Keys = Field(
        ("service.name", "deployment.environment.name"),
        description="resource attributes that become labels of all series",
    )
    buckets: Bounds = Field(MILLISECONDS, description="bounds of span durations, in milliseconds")
    dimensions: Keys = Field(
        (), description="attributes of spans, or of their resources, that become labels of span metrics"
    )
    spans_expire_seconds: float = Field(3600.0, gt=0, description="when series of spans end without news")
    metrics_expire_seconds: float = Field(300.0, gt=0, description="when other series end without news")
    scope_labels: bool = Field(True, description="label metrics with the scope's name and version")
    exponential_scale: int = Field(
        1, ge=0, le=4, description="exponential histograms get 2 to this power buckets a doubling"
    )
    service_graph: ServiceGraphConfig | None = Field(ServiceGraphConfig(), description="null: no graph")
    remote_write: RemoteWriteConfig | None = Field(None, description="where to push series to as well")

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        names = {label_name(key): key for key in self.resource_labels} | {"service_name": "service.name"}
        for key in self.dimensions:
            if label_name(key) in names:
                raise ValueError(f"dimensions: {key} is the label of {names[label_name(key)]} already")
        return self
