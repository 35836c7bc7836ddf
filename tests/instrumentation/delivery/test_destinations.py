"""Where batches go before an exporter has asked: by the specification's variables."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from collector_process import until
from glasshouse import delivery
from glasshouse.delivery import destinations
from glasshouse.delivery.batch import SIGNALS
from glasshouse.delivery.destinations import Destination, Destinations
from glasshouse.settings import load
from scripted_endpoint import Answer, Endpoint


def _by(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> Destinations:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Destinations(load(arguments))


def test_the_default_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each signal has its path at the specification's port."""
    urls = _by({}, monkeypatch).urls()
    assert urls == {signal: f"http://localhost:4318/v1/{signal}" for signal in SIGNALS}


def test_one_signal_can_go_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its variables win over those of all, and its address is taken as it stands."""
    found = _by(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://all:4318/base/",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://logs/in",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-all=1",
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "x-logs=a%20b",
            "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "3",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "soon",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
            "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE": "/cert.pem",
            "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY": "/key.pem",
        },
        monkeypatch,
    )
    logs, traces = found["logs"], found["traces"]
    assert (logs.url, logs.headers["x-logs"], logs.timeout) == ("https://logs/in", "a b", 3.0)
    assert (logs.verify, logs.cert) == ("/ca.pem", ("/cert.pem", "/key.pem"))
    assert "x-all" not in logs.headers
    assert (traces.url, traces.headers["x-all"]) == ("https://all:4318/base/v1/traces", "1")
    assert (traces.timeout, traces.verify, traces.cert) == (10.0, "/ca.pem", None)
    assert found.signal_of("https://logs/in") == "logs"
    assert found.signal_of("https://else/v1/metrics") == "metrics"
    assert found.signal_of("https://else/") is None


def test_the_key_is_sent_unless_a_header_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the exporters do it."""
    assert _by({}, monkeypatch, api_key="key")["logs"].headers["authorization"] == "Bearer key"
    found = _by({"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic me"}, monkeypatch, api_key="key")
    assert found["logs"].headers["authorization"] == "Basic me"


def test_no_secret_is_shown() -> None:
    """Neither in logs nor in a traceback."""
    secret = Destination(
        "https://me:SECRET@host:1/SECRET?k=SECRET", {"authorization": "SECRET"}, cert="SECRET"
    )
    assert secret.shown == "https://host:1"
    assert "SECRET" not in repr(secret)


class _Provider:
    """An entry point of a package that signs requests."""

    @staticmethod
    def load() -> Callable[[], requests.Session]:
        """Return what makes a session."""

        def signed() -> requests.Session:
            session = requests.Session()
            session.auth = ("robot", "secret")
            return session

        return signed


def test_a_credential_provider_is_honoured(
    monkeypatch: pytest.MonkeyPatch,
    install: Callable[..., object],
    export: Callable[..., None],
    listening: Endpoint,
) -> None:
    """Its session sends what the exporters hand over."""
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_LOGS_CREDENTIAL_PROVIDER", "robot")
    monkeypatch.setattr(destinations, "entry_points", lambda **_: [_Provider])
    install()
    export(b"signed")
    export(b"plain", "traces")
    assert delivery.flush(10)
    signed = {received.path for received in listening.received if "authorization" in received.headers}
    assert signed == {"/v1/logs"}


def test_signals_do_not_wait_for_one_another(
    install: Callable[..., object], export: Callable[..., None], listening: Endpoint
) -> None:
    """Where one is refused for now, the others go on."""
    listening.answer = lambda received: Answer(404 if received.path == "/v1/logs" else 200)
    install()
    export(b"stays")
    export(b"goes", "traces")
    until(lambda: delivery.counts().sent == 1, "the span is delivered")
    assert [letter.signal for letter in delivery.dead_letters()] == ["logs"]
