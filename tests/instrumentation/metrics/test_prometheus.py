"""What a Prometheus server is told: by each framework, in both formats, on a port of its own."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import httpx
import pytest
from fastapi import FastAPI
from flask import Flask
from opentelemetry import metrics as api
from prometheus_client import REGISTRY, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

import glasshouse
from glasshouse.metrics import endpoint, prometheus

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
Scrape = Callable[..., httpx.Response]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Configure the SDK with nothing sent, and metrics for Prometheus."""
    for signal in ("TRACES", "METRICS", "LOGS"):
        monkeypatch.setenv(f"OTEL_{signal}_EXPORTER", "none")
    monkeypatch.setenv("GLASSHOUSE_SPOOL_DIR", str(tmp_path))
    glasshouse.configure("shop", prometheus=True, instrument=False, log_format="off", excepthook=False)


def _asgi(app: Any) -> Scrape:
    def scrape(method: str = "GET", **headers: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app), base_url="http://shop"
            ) as client:
                return await client.request(method, "/metrics", headers=_named(headers))

        return asyncio.run(ask())

    return scrape


def _wsgi(app: Any) -> Scrape:
    def scrape(method: str = "GET", **headers: str) -> httpx.Response:
        with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://shop") as client:
            return client.request(method, "/metrics", headers=_named(headers))

    return scrape


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {"accept-encoding": "identity"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }


def _fastapi() -> Scrape:
    app = FastAPI()
    app.include_router(endpoint.fastapi_router())
    return _asgi(app)


def _flask() -> Scrape:
    app = Flask("shop")
    app.register_blueprint(endpoint.flask_blueprint())
    return _wsgi(app)


def _django() -> Scrape:
    import django  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415
    from django.test import override_settings  # noqa: PLC0415

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="test", ROOT_URLCONF=__name__)
        django.setup()
    scrape = _wsgi(get_wsgi_application())

    def with_urls(*args: Any, **more: Any) -> httpx.Response:
        urls = type("Urls", (), {"urlpatterns": endpoint.django_urls()})
        with override_settings(ROOT_URLCONF=urls):
            return scrape(*args, **more)

    return with_urls


FRAMEWORKS = {
    "asgi": lambda: _asgi(endpoint.asgi_app),
    "wsgi": lambda: _wsgi(endpoint.wsgi_app),
    "fastapi": _fastapi,
    "flask": _flask,
    "django": _django,
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_framework_answers_a_scrape(configured: None, framework: str) -> None:
    """GET gives the metrics in the format and encoding asked for, HEAD no body, POST is refused."""
    scrape = FRAMEWORKS[framework]()
    glasshouse.counter("test.scraped", "{scrape}", "Scrapes.").add(3, kind="a")
    plain = scrape()
    assert plain.status_code == 200
    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert _value(parse(plain.text), "test_scraped_total", kind="a") == 3
    modern = scrape(accept=OPENMETRICS)
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert _value(_openmetrics(modern.text), "test_scraped_total", kind="a") == 3
    packed = scrape(accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert _value(parse(packed.text), "test_scraped_total", kind="a") == 3
    head = scrape("HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert scrape("POST").status_code == 405


def _openmetrics(text: str) -> Any:
    return parse_openmetrics(text)  # type: ignore[no-untyped-call]


def _value(families: Any, name: str, **labels: str) -> float | None:
    found = [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return found[0] if found else None


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_where_it_is_off_the_answer_says_how_to_turn_it_on(framework: str) -> None:
    """Without `prometheus=True` the route answers 503 and names the setting."""
    answer = FRAMEWORKS[framework]()()
    assert answer.status_code == 503
    assert "configure(prometheus=True)" in answer.text


def test_names_and_units_are_those_documented(configured: None) -> None:
    """Names become what Prometheus expects: units as suffixes, seconds and bytes, `_total`."""
    glasshouse.histogram("http.server.request.duration", "s").record(0.2, {"http.route": "/"})
    glasshouse.metrics.up_down_counter("db.client.connection.count", "{connection}").add(1)
    text = prometheus.expose().body.decode()
    for name in (
        "http_server_request_duration_seconds_bucket",
        "http_server_request_duration_seconds_count",
        "db_client_connection_count",
        "process_cpu_time_seconds_total",
        "process_memory_usage_bytes",
        "target_info",
    ):
        assert f"\n{name}{{" in text, name
    assert 'service_name="shop"' in text


def test_labels_stay_with_their_values(configured: None) -> None:
    """Two instrumentations with one metric but other attributes keep their own labels and values."""
    provider = api.get_meter_provider()
    provider.get_meter("one").create_counter("test.mixed").add(1, {"a": "1"})
    provider.get_meter("two").create_counter("test.mixed").add(2, {"z": "2", "b": "3"})
    provider.get_meter("three").create_counter("test.mixed").add(4, {"z": "2"})
    families = list(parse(prometheus.expose().body.decode()))
    assert _value(families, "test_mixed_total", a="1", otel_scope_name="one") == 1
    assert _value(families, "test_mixed_total", z="2", b="3", otel_scope_name="two") == 2
    assert _value(families, "test_mixed_total", z="2", b="", otel_scope_name="three") == 4


def test_what_the_application_has_in_prometheus_client_is_shown_too(configured: None) -> None:
    """Metrics made with prometheus_client itself stand beside ours, so that moving over is gradual."""
    own = Counter("test_own", "Of the application.")
    try:
        own.inc(5)
        assert _value(parse(prometheus.expose().body.decode()), "test_own_total") == 5
    finally:
        REGISTRY.unregister(own)


def test_scrapes_side_by_side_are_whole(configured: None) -> None:
    """Several scrapes at a time each get each metric once."""
    glasshouse.counter("test.parallel").add(1)
    with ThreadPoolExecutor(8) as pool:
        texts = [answer.body.decode() for answer in pool.map(lambda _: prometheus.expose(), range(64))]
    assert {text.count("\ntest_parallel_total{") for text in texts} == {1}


@pytest.fixture
def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_a_port_of_its_own(configured: None, free_port: int) -> None:
    """The metrics can be had from a port of their own, until it is closed."""
    glasshouse.counter("test.port").add(1)
    close = prometheus.serve(free_port, "127.0.0.1")
    answer = httpx.get(f"http://127.0.0.1:{free_port}/metrics")
    assert _value(parse(answer.text), "test_port_total") == 1
    close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{free_port}/metrics")


@pytest.fixture
def standard_port(free_port: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Set the variables of the OpenTelemetry specification."""
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", str(free_port))
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.1")
    return free_port


def test_the_standard_variables_open_the_port(standard_port: int, configured: None) -> None:
    """With OTEL_EXPORTER_PROMETHEUS_PORT no code is needed, and shutdown closes the port."""
    assert "target_info" in httpx.get(f"http://127.0.0.1:{standard_port}/").text
    glasshouse.shutdown()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{standard_port}/")
    assert prometheus.expose().status == 503


def test_a_taken_port_is_said_and_nothing_more(
    standard_port: int, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """The second worker of a server finds the port taken: a warning, and it goes on."""
    with socket.create_server(("127.0.0.1", standard_port)):
        request.getfixturevalue("configured")
    assert f"no metrics on 127.0.0.1 port {standard_port}" in caplog.text
    assert prometheus.expose().status == 200


def test_configure_shutdown_configure(configured: None, request: pytest.FixtureRequest) -> None:
    """After a shutdown the next configure offers the metrics again, each once."""
    glasshouse.shutdown()
    glasshouse.configure("again", prometheus=True, instrument=False, log_format="off", excepthook=False)
    glasshouse.counter("test.again").add(1)
    text = prometheus.expose().body.decode()
    assert text.count("\ntest_again_total{") == 1
    assert 'service_name="again"' in text


MISSING = """
import sys
sys.modules["prometheus_client"] = None
try:
    import glasshouse.metrics.prometheus
except ImportError as missing:
    print(missing)
"""


def test_the_missing_extra_is_named() -> None:
    """Without prometheus-client the error says what to install."""
    run = subprocess.run(
        [sys.executable, "-c", MISSING], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout == 'metrics for Prometheus need an extra: pip install "glasshouse[prometheus]"\n'


def test_wsgi_by_the_letter(configured: None) -> None:
    """The WSGI application holds to the standard, as wsgiref's validator sees it."""
    from wsgiref.validate import validator  # noqa: PLC0415

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ.setdefault("QUERY_STRING", "")
    answered: list[str] = []

    def start(status: str, _headers: Any, _info: Any = None) -> Callable[[bytes], object]:
        answered.append(status)
        return answered.append  # type: ignore[return-value]

    result = validator(endpoint.wsgi_app)(environ, start)
    assert b"target_info" in b"".join(result)
    result.close()  # type: ignore[attr-defined]
    assert answered == ["200 OK"]
