"""An application's metrics through a collector: the Prometheus that scrapes it, and the one it pushes to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter as CounterInstrument
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from collector_process import CollectorProcess, until
from prometheus_server import RunningPrometheus, prometheus_server

_MINE = '{job="shop/cart"}'
_RESOURCE = {
    "service.name": "cart",
    "service.namespace": "shop",
    "service.instance.id": "7",
    "deployment.environment.name": "test",
    "os.type": "linux",
}

_COUNTED = {
    "credits_consumed_total": 10,
    "db_client_connection_count": 2,
    "cache_size_bytes": 1024,
    "http_server_request_duration_seconds_count": 2,
    "gen_ai_client_token_usage_count": 2,
}


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[RunningPrometheus]:
    """Run a Prometheus that is pushed to."""
    with prometheus_server(tmp_path / "receiving", "--web.enable-remote-write-receiver") as prometheus:
        yield prometheus


@pytest.fixture
def collector(tmp_path: Path, receiving: RunningPrometheus) -> Iterator[CollectorProcess]:
    """Run a collector that shows metrics and pushes them."""
    remote_write = {
        "url": f"{receiving.url}/api/v1/write",
        "interval_seconds": 0.2,
        "labels": {"job": "glasshouse", "instance": "c"},
    }
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        yaml.safe_dump({"exporters": {"prometheus": {"remote_write": remote_write}}, "self_watch": False})
    )
    process = CollectorProcess(tmp_path / "collector", "--config", str(settings))
    try:
        process.endpoints()
        yield process
    finally:
        if process.alive:
            process.stop()


def _send(endpoint: str) -> None:
    """Send each kind of metric twice, with deltas, as an application with the official SDK does."""
    delta = AggregationTemporality.DELTA
    temporality: dict[type, AggregationTemporality] = {CounterInstrument: delta, Histogram: delta}
    exporter = OTLPMetricExporter(f"http://{endpoint}/v1/metrics", preferred_temporality=temporality)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
    view = View(instrument_name="gen_ai.*", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider([reader], Resource.create(_RESOURCE), views=[view], shutdown_on_exit=False)
    meter = provider.get_meter("shop.cart", "2.1")
    for _ in range(2):
        meter.create_counter("credits.consumed", "{credit}").add(5, {"feature": 'a"b\\c'})
        meter.create_up_down_counter("db.client.connection.count", "{connection}").add(1)
        meter.create_gauge("cache.size", "By", "Bytes held.").set(1024, {"cache.name": "sessions"})
        meter.create_histogram("http.server.request.duration", "s").record(0.3, {"http.route": "/x"})
        meter.create_histogram("gen_ai.client.token.usage", "{token}").record(700)
        assert provider.force_flush()
    provider.shutdown()


def _found(prometheus: RunningPrometheus) -> dict[tuple[tuple[str, str], ...], str]:
    return {tuple(sorted(each["metric"].items())): each["value"][1] for each in prometheus.query(_MINE)}


def _value(found: dict[tuple[tuple[str, str], ...], str], **labels: Any) -> list[float]:
    return [float(value) for names, value in found.items() if labels.items() <= dict(names).items()]


def test_scraped_and_pushed_series_are_the_same(
    tmp_path: Path, receiving: RunningPrometheus, collector: CollectorProcess
) -> None:
    """Both have all series of the application; when the collector stops, the pushed ones end."""
    endpoints = collector.endpoints()
    with prometheus_server(tmp_path / "scraping", scrape=[endpoints["api"]]) as scraping:
        _send(endpoints["http"])
        for counted, value in _COUNTED.items():
            until(lambda: receiving.value(counted) == value, f"{counted} is pushed")  # noqa: B023
        until(lambda: _found(scraping) == _found(receiving), "both have the same")
        found = _found(receiving)
    assert _value(found, __name__="db_client_connection_count", instance="7", project="default") == [2]
    assert _value(found, __name__="cache_size_bytes", cache_name="sessions", otel_scope_name="shop.cart") == [
        1024
    ]
    assert _value(found, __name__="http_server_request_duration_seconds_bucket", le="5.0") == [2]
    assert _value(found, __name__="gen_ai_client_token_usage_bucket", le="724.0773439350247") == [2]
    assert _value(found, __name__="gen_ai_client_token_usage_bucket", le="512.0") == [0]
    assert _value(
        found, __name__="target_info", os_type="linux", deployment_environment_name="test", instance="7"
    ) == [1]
    assert _value(found, feature='a"b\\c', service_name="cart", deployment_environment_name="test") == [10]
    assert receiving.value('glasshouse_prometheus_series{job="glasshouse",instance="c"}')
    collector.stop()
    assert not receiving.query(_MINE)
