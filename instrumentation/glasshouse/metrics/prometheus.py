"""The metrics as a Prometheus server asks for them: what is exposed, and a port of its own.

`configure(prometheus=True)` turns it on. The ready-made routes are in `glasshouse.metrics.endpoint`.
"""

import gzip
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.sdk.metrics import MeterProvider

from glasshouse.failures import contained, log
from glasshouse.metrics.instruments import provider

try:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.exporter.prometheus._mapping import sanitize_attribute
    from prometheus_client import REGISTRY, CollectorRegistry, start_http_server
    from prometheus_client.exposition import choose_encoder, gzip_accepted
except ImportError as missing:
    raise ImportError(
        'metrics for Prometheus need an extra: pip install "glasshouse[prometheus]"'
    ) from missing

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric, MetricsData

    from glasshouse.settings import Settings

Undo = Callable[[], None]

_OFF = b"metrics for Prometheus are off: configure(prometheus=True), or GLASSHOUSE_PROMETHEUS=true\n"
_TEXT = "text/plain; charset=utf-8"
_lock = threading.Lock()
_readers: list["_Reader"] = []


class Exposition(NamedTuple):
    """What to answer a scrape with."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def install(_settings: "Settings") -> Undo:
    """Offer the metrics of the provider that is set, beside those of prometheus_client's own registry.

    Where OTEL_EXPORTER_PROMETHEUS_PORT is set they get that port, on OTEL_EXPORTER_PROMETHEUS_HOST.
    """
    current = provider()
    if not isinstance(current, MeterProvider):
        raise RuntimeError("no OpenTelemetry SDK is set up whose metrics could be offered to Prometheus")  # noqa: TRY004
    reader = _Reader(registry=REGISTRY)
    current.add_metric_reader(reader)
    with _lock:
        _readers.append(reader)
    undos = [_on_standard_port()]

    def undo() -> None:
        for each in undos:
            each()
        with _lock:
            _readers.remove(reader)
        current.remove_metric_reader(reader)

    return undo


def expose(accept: str = "", accept_encoding: str = "") -> Exposition:
    """Return what to answer a scrape with, in the format that its headers ask for; 503 while it is off."""
    with _lock:
        on = bool(_readers)
    if not on:
        return Exposition(503, {"content-type": _TEXT}, _OFF)
    with contained("exposing metrics"):
        encode, content_type = choose_encoder(accept)
        headers, body = {"content-type": content_type, "cache-control": "no-store"}, encode(REGISTRY)
        if gzip_accepted(accept_encoding):
            headers["content-encoding"], body = "gzip", gzip.compress(body, 5)
        return Exposition(200, headers, body)
    return Exposition(500, {"content-type": _TEXT}, b"the metrics could not be collected\n")


def serve(port: int = 9464, host: str = "localhost", registry: CollectorRegistry = REGISTRY) -> Undo:
    """Offer the metrics on a port of their own until the returned function is called; OSError if it is taken.

    Whoever reaches the port can read them.
    """
    server, thread = start_http_server(port, addr=host, registry=registry)

    def undo() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return undo


def _on_standard_port() -> Undo:
    port = os.environ.get("OTEL_EXPORTER_PROMETHEUS_PORT", "")
    host = os.environ.get("OTEL_EXPORTER_PROMETHEUS_HOST") or "localhost"
    if port:
        try:
            return serve(int(port), host)
        except (OSError, ValueError, OverflowError) as wrong:
            # As of the second worker of a server: it must not fail for it.
            log.warning("OTEL_EXPORTER_PROMETHEUS_PORT: no metrics on %s port %s: %s", host, port, wrong)
    return lambda: None


class _Reader(PrometheusMetricReader):
    """The official reader, given metrics of one name with the same attributes everywhere.

    It names the labels of a metric after the first instrumentation that has it, and would give the values
    of the others, which have other attributes, to the wrong labels (opentelemetry-exporter-prometheus 0.66).
    """

    def _receive_metrics(self, metrics_data: "MetricsData", *args: Any, **kwargs: Any) -> None:
        evened = metrics_data and _evened(metrics_data)
        super()._receive_metrics(evened, *args, **kwargs)


def _evened(collected: "MetricsData") -> "MetricsData":
    """Give each metric of a name all attributes that the name has in any scope; an empty one is none."""
    keys: dict[str, set[str]] = defaultdict(set)
    scopes: dict[str, int] = defaultdict(int)
    for resource in collected.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                scopes[metric.name] += 1
                for point in metric.data.data_points:
                    keys[metric.name].update(point.attributes or ())
    shared = {name: sorted(keys[name]) for name, count in scopes.items() if count > 1}
    if not shared:
        return collected
    return replace(
        collected,
        resource_metrics=[
            replace(
                resource,
                scope_metrics=[
                    replace(
                        scope, metrics=[_with(metric, shared.get(metric.name)) for metric in scope.metrics]
                    )
                    for scope in resource.scope_metrics
                ],
            )
            for resource in collected.resource_metrics
        ],
    )


def _with(metric: "Metric", keys: list[str] | None) -> "Metric":
    if keys is None:
        return metric
    data: Any = metric.data  # one of four classes, each with points
    points = [
        replace(point, attributes=_padded(dict(point.attributes or {}), keys)) for point in data.data_points
    ]
    return replace(metric, data=replace(data, data_points=points))


def _padded(attributes: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    present = {sanitize_attribute(key) for key in attributes}
    return {key: "" for key in keys if sanitize_attribute(key) not in present} | attributes
