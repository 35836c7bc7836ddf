"""Names of metrics and labels."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.prometheus import _mapping as reference

from glasshouse_exporters.prometheus.labels import label_name
from glasshouse_exporters.prometheus.otlp import naming
from glasshouse_exporters.prometheus.series import Kind

_NAMES = [
    # From the specification and the semantic conventions.
    ("http.server.request.duration", "s", Kind.HISTOGRAM, "http_server_request_duration_seconds"),
    ("http.server.active_requests", "{request}", Kind.GAUGE, "http_server_active_requests"),
    ("gen_ai.client.token.usage", "{token}", Kind.HISTOGRAM, "gen_ai_client_token_usage"),
    ("process.cpu.utilization", "1", Kind.GAUGE, "process_cpu_utilization_ratio"),
    ("system.network.io", "By", Kind.COUNTER, "system_network_io_bytes_total"),
    ("foo", "foo/bar", Kind.GAUGE, "foo_per_bar"),
    # What Prometheus' translator is held to.
    ("requests", "", Kind.COUNTER, "requests_total"),
    ("cpu_usage", "1", Kind.GAUGE, "cpu_usage_ratio"),
    ("items", "1", Kind.COUNTER, "items_total"),
    ("response_time", "ms", Kind.GAUGE, "response_time_milliseconds"),
    ("requests", "1/s", Kind.GAUGE, "requests_per_second"),
    ("throughput", "By/s", Kind.GAUGE, "throughput_bytes_per_second"),
    ("custom_metric", "custom_unit", Kind.GAUGE, "custom_metric_custom_unit"),
    ("custom_metric", "By/{custom}", Kind.GAUGE, "custom_metric_bytes"),
    ("requests_total", "", Kind.COUNTER, "requests_total"),
    ("total.requests", "", Kind.COUNTER, "requests_total"),
    ("cpu_usage_ratio", "1", Kind.GAUGE, "cpu_usage_ratio"),
    ("response_time_seconds", "s", Kind.GAUGE, "response_time_seconds"),
    ("cpu_seconds_total", "s", Kind.COUNTER, "cpu_seconds_total"),
    (
        "metric__with__multiple__underscores",
        "unit__multiple__underscores",
        Kind.GAUGE,
        "metric_with_multiple_underscores_unit_multiple_underscores",
    ),
    (
        "custom_metric",
        "unit@with#special/chars",
        Kind.GAUGE,
        "custom_metric_unit_with_special_per_chars",
    ),
    ("123.requests", "", Kind.GAUGE, "_123_requests"),
    ("@#$%", "s", Kind.COUNTER, ""),
    ("", "", Kind.GAUGE, ""),
    ("speed", "m/s", Kind.GAUGE, "speed_meters_per_second"),
    ("rate:sum", "", Kind.GAUGE, "rate:sum"),
    ("größe", "By", Kind.GAUGE, "gr_e_bytes"),
    ("uptime", "d", Kind.GAUGE, "uptime_days"),
    ("load", "%", Kind.GAUGE, "load_percent"),
    ("odd", "/", Kind.GAUGE, "odd"),
    ("odd", "/@", Kind.GAUGE, "odd"),
]


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"), _NAMES, ids=[str(i) for i in range(len(_NAMES))]
)
def test_a_metric_is_named_as_prometheus_names_it(name: str, unit: str, kind: Kind, expected: str) -> None:
    """The known cases of the specification and of Prometheus' translator come out as they do there."""
    assert naming.metric_name(name, unit, kind) == expected


@given(st.text(), st.text(max_size=12), st.sampled_from(list(Kind)))
def test_every_name_is_one_that_prometheus_takes(name: str, unit: str, kind: Kind) -> None:
    """Whatever is sent, the name is empty or valid, and has no two underscores in a row."""
    named = naming.metric_name(name, unit, kind)
    assert not named or (re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", named) and "__" not in named)


@given(st.text())
def test_every_label_is_one_that_prometheus_takes(key: str) -> None:
    """Whatever is sent, the label is valid and none of those that Prometheus keeps for itself."""
    named = label_name(key)
    assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", named)
    assert not named.startswith("__")


@pytest.mark.parametrize("unit", ["s", "ms", "By", "{thing}", "1", "By/s", "m/s", "kg", "%", "Cel"])
def test_units_are_those_of_the_python_exporter(unit: str) -> None:
    """OpenTelemetry's own exporter for Python says the same of a unit."""
    assert "_".join(naming.unit_words(unit)) == reference.map_unit(unit)


@pytest.mark.parametrize("key", ["http.method", "a b", "label:with:colons", ".foo", "ünder", "__x__"])
def test_labels_are_those_of_the_python_exporter(key: str) -> None:
    """OpenTelemetry's own exporter for Python says the same of an attribute's key."""
    assert label_name(key) == reference.sanitize_attribute(key)


def test_values_of_keys_that_become_one_label_are_joined() -> None:
    """Two keys that become one label lose neither value, in the order of the keys."""
    assert naming.attribute_labels([("a_b", "2"), ("a.b", "1"), ("c", "3")], ()) == [
        ("a_b", "1;2"),
        ("c", "3"),
    ]


def test_what_identifies_a_series_is_not_overwritten() -> None:
    """An attribute named as a label that is taken is shown beside it."""
    labels = naming.attribute_labels([("job", "mine"), ("exported_job", "too")], ("job",))
    assert labels == [("exported_job", "too;mine")]


def test_job_and_instance_come_from_the_service() -> None:
    """Namespace and name make the job, the instance id the instance, and the rest describes."""
    resource = {
        "service.name": "cart",
        "service.namespace": "shop",
        "service.instance.id": "7",
        "os.type": "x",
    }
    assert naming.job(resource) == "shop/cart"
    assert naming.job({"service.name": "cart"}) == "cart"
    assert not naming.job({"service.namespace": "shop"})
    assert naming.instance(resource) == "7"
    assert naming.describing(resource) == [("os.type", "x")]
