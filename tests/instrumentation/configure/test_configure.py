"""`configure`, `flush` and `shutdown` in one process."""

import logging
import os
import subprocess
import sys

import pytest
from opentelemetry import metrics, trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider

import glasshouse
from application_process import Collected
from otlp_listener import Listener


@pytest.fixture(autouse=True)
def no_instrumentation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the libraries of the test process alone."""
    monkeypatch.setenv("GLASSHOUSE_INSTRUMENT", "false")
    monkeypatch.setenv("GLASSHOUSE_LOG_FORMAT", "off")


def resource() -> dict[str, object]:
    """Return the resource of the global tracer provider."""
    provider = trace.get_tracer_provider()
    assert isinstance(provider, TracerProvider)
    return dict(provider.resource.attributes)


def test_the_service_is_described_by_the_semantic_conventions(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given, and what a variable says beside it, are attributes of the resource."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=0,team=blue,service.namespace=market")
    glasshouse.configure(
        "shop", environment="test", release="1.2", resource_attributes={"team": "red", "host.name": "h"}
    )
    found = resource()
    expected = {
        "service.name": "shop",
        "deployment.environment.name": "test",
        "service.version": "1.2",
        "service.namespace": "market",
        "team": "red",
        "host.name": "h",
        "telemetry.distro.name": "glasshouse",
        "telemetry.distro.version": glasshouse.__version__,
    }
    assert {name: found.get(name) for name in expected} == expected


def test_each_signal_is_sent_compressed_with_the_key(listener: Listener) -> None:
    """By default everything goes out as OTLP/HTTP, gzipped, with the API key."""
    glasshouse.configure("shop", endpoint=listener.url + "/base/", api_key="k-1")
    with trace.get_tracer("t").start_as_current_span("checkout"):
        logging.getLogger("shop").warning("paid")
    metrics.get_meter("t").create_counter("orders").add(1)
    assert glasshouse.flush(timeout=20)
    for signal in ("traces", "metrics", "logs"):
        requests = listener.by_path(f"/base/v1/{signal}")
        assert requests, signal
        assert requests[0].headers["authorization"] == "Bearer k-1"
        assert requests[0].headers["content-encoding"] == "gzip"
    sent = ExportTraceServiceRequest.FromString(listener.by_path("/base/v1/traces")[0].payload)
    assert sent.resource_spans[0].scope_spans[0].spans[0].name == "checkout"


def test_standard_variables_decide_where_and_how_it_is_sent(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint of one signal is more precise; headers, compression and exporters are honoured."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", listener.url + "/elsewhere")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20abc,x-team=blue")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    monkeypatch.setenv("GLASSHOUSE_API_KEY", "k-1")
    glasshouse.configure("shop", endpoint="http://127.0.0.1:9")
    trace.get_tracer("t").start_span("a").end()
    metrics.get_meter("t").create_counter("orders").add(1)
    assert glasshouse.flush(timeout=20)
    assert {request.path for request in listener.requests} == {"/elsewhere"}
    headers = listener.requests[0].headers
    assert (headers["authorization"], headers["x-team"]) == ("Basic abc", "blue")
    assert "content-encoding" not in headers


def test_an_argument_key_beats_the_header_of_a_variable(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the code says counts before what the environment says, as everywhere in OpenTelemetry."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20abc")
    glasshouse.configure("shop", endpoint=listener.url, api_key="k-1")
    trace.get_tracer("t").start_span("a").end()
    assert glasshouse.flush(timeout=20)
    assert listener.by_path("/v1/traces")[0].headers["authorization"] == "Bearer k-1"


def test_no_variable_of_the_process_is_changed() -> None:
    """Programs that the application starts see the environment that it was given."""
    before = dict(os.environ)
    glasshouse.configure("shop")
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "nosuch"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json"),
        ("OTEL_CONFIG_FILE", "otel.yaml"),
    ],
)
def test_a_wrong_standard_variable_is_an_error_at_configure_time(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what is wrong, and leaves nothing set up."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(
        glasshouse.SettingsError, match=variable if variable != "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL" else value
    ):
        glasshouse.configure("shop")
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
    monkeypatch.delenv(variable)
    glasshouse.configure("shop")
    assert resource()["service.name"] == "shop"


def test_the_second_configure_changes_nothing_and_says_what(caplog: pytest.LogCaptureFixture) -> None:
    """One process has one configuration; who asks for another is told which settings stay."""
    glasshouse.configure("shop")
    provider = trace.get_tracer_provider()
    glasshouse.configure("shop")
    assert not [record for record in caplog.records if record.name == "glasshouse"]
    glasshouse.configure("cart", release="2")
    assert trace.get_tracer_provider() is provider
    said = [record.getMessage() for record in caplog.records if record.name == "glasshouse"]
    assert len(said) == 1
    assert "service_name, release" in said[0]


def test_after_shutdown_it_can_be_configured_again(listener: Listener) -> None:
    """Shutting down sends what is waiting, may be repeated, and leaves room for another configure."""
    glasshouse.shutdown()
    glasshouse.configure("one", endpoint=listener.url)
    trace.get_tracer("t").start_span("first").end()
    glasshouse.shutdown(timeout=20)
    glasshouse.shutdown()
    assert listener.by_path("/v1/traces")
    assert not trace.get_tracer("t").start_span("nothing").is_recording()
    glasshouse.configure("two", endpoint=listener.url)
    assert resource()["service.name"] == "two"
    trace.get_tracer("t").start_span("second").end()
    assert glasshouse.flush(timeout=20)
    assert any(b"second" in request.payload for request in listener.by_path("/v1/traces"))


def test_disabled_makes_no_provider(listener: Listener) -> None:
    """Nothing is recorded and nothing is sent."""
    glasshouse.configure("shop", endpoint=listener.url, disabled=True)
    assert not trace.get_tracer("t").start_span("a").is_recording()
    assert glasshouse.flush()
    assert not listener.requests


def test_a_provider_that_the_application_has_set_stays_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """It is said that its spans are not ours, and shutdown leaves it alone."""
    script = """
import logging
logging.basicConfig()
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
theirs = TracerProvider(); trace.set_tracer_provider(theirs)
import glasshouse
glasshouse.configure("shop", endpoint="http://127.0.0.1:9", shutdown_seconds=0.5)
glasshouse.shutdown()
assert trace.get_tracer_provider() is theirs
print(theirs._atexit_handler is not None)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert "has set TracerProvider before glasshouse.configure()" in done.stdout + done.stderr
    assert done.stdout.strip().endswith("True")


def test_a_part_that_fails_leaves_the_others_and_the_application() -> None:
    """Outside of tests it is one line in the log; what does not need that part is set up."""
    script = """
import logging
logging.basicConfig()
from glasshouse import hooks
def broken(settings): raise ZeroDivisionError("broken")
hooks.install = broken
import glasshouse
glasshouse.configure("shop", endpoint="http://127.0.0.1:9", heartbeat_seconds=60, shutdown_seconds=0.5)
from opentelemetry import trace
print(trace.get_tracer("t").start_span("a").is_recording(), glasshouse.flush(timeout=0.1))
glasshouse.shutdown()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert "installing hooks failed: ZeroDivisionError: broken" in done.stderr
    assert done.stdout.splitlines()[-1] == "True False"


def test_grpc_is_sent_by_the_plain_exporter(collected: Collected) -> None:
    """All it takes is the protocol and the address."""
    glasshouse.configure(
        "by-grpc", endpoint=f"http://{collected.process.endpoints()['grpc']}", protocol="grpc"
    )
    trace.get_tracer("t").start_span("a").end()
    assert glasshouse.flush(timeout=30)
    assert collected.spans("by-grpc") == ["a"]
