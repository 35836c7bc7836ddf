"""The same metrics through OpenTelemetry's own exporter for Prometheus, and through OTLP and ours."""

from collections.abc import Iterable

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, Metric

from glasshouse_exporters.prometheus.otlp.series import LabelSettings
from shown_metrics import ShownMetrics

_OURS = {"project", "job", "instance"}
_THEIRS = {"otel_scope_schema_url"}


def _ratio(options: CallbackOptions) -> Iterable[Observation]:
    return [Observation(0.25, {"cpu.mode": "user"}), Observation(0.5, {"cpu.mode": "system"})]


def _measure(provider: MeterProvider) -> None:
    meter = provider.get_meter("lib", "1.0", attributes={"team": "a"})
    requests = meter.create_counter("http.server.requests", "{request}", "Requests taken.")
    requests.add(3, {"http.route": "/a b", "http.response.status_code": 200})
    requests.add(2, {"http.route": 'x"\n\\', "cached": True})
    meter.create_counter("disk.io", "By").add(5)
    meter.create_up_down_counter("files.open", "{file}").add(-2)
    meter.create_histogram("http.server.request.duration", "s").record(0.3, {"http.route": "/"})
    meter.create_histogram("rate", "By/s", explicit_bucket_boundaries_advisory=[1.0, 2.5]).record(2)
    meter.create_gauge("temperature", "Cel", "How warm.").set(21.5)
    meter.create_observable_gauge("load", [_ratio], "%")


def _samples(families: Iterable[Metric]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (
            sample.name,
            tuple(
                sorted(
                    (name, value)
                    for name, value in sample.labels.items()
                    if value and name not in _OURS | _THEIRS
                )
            ),
        ): sample.value
        for family in families
        for sample in family.samples
        if family.name != "target"
    }


def test_the_page_is_that_of_the_official_exporter() -> None:
    """Names, types, help, labels and values are the same."""
    registry = CollectorRegistry()
    reader = InMemoryMetricReader()
    provider = MeterProvider(
        [PrometheusMetricReader(registry=registry), reader],
        resource=Resource.create({"service.name": "cart"}),
        shutdown_on_exit=False,
    )
    _measure(provider)
    official = list(registry.collect())
    data = reader.get_metrics_data()
    assert data
    shown = ShownMetrics(labels=LabelSettings((), scope_labels=True))
    shown.take(encode_metrics(data))
    ours = shown.families()
    assert _samples(ours.values()) == _samples(official)
    types = {
        family.name: (family.type, family.documentation) for family in official if family.name != "target"
    }
    assert {name: (family.type, family.documentation) for name, family in ours.items()} == types
    provider.shutdown()
