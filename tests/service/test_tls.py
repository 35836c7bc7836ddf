"""`glasshouse serve` with TLS at every door, its clients, and certificates that change while it runs."""

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector_process import CollectorProcess, until
from tls_certificates import DAY, Authority, Issued

PROGRAM = Path(sys.executable).parent / "glasshouse"
APPLICATION = """
import logging, glasshouse
glasshouse.configure()
logging.getLogger("cart").warning("it is empty")
glasshouse.shutdown()
"""
RECORDED = {
    "resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "1790000000000000000", "body": {}}]}]}]
}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority of the test's own."""
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Issued:
    """Return the collector's certificate."""
    return authority.issue("server")


@pytest.fixture
def client(authority: Authority) -> Issued:
    """Return what clients have to show."""
    return authority.issue("client", "client")


@pytest.fixture
def collector(tmp_path: Path, authority: Authority, server: Issued) -> Iterator[CollectorProcess]:
    """Start a collector that asks for certificates."""
    variables = {
        "GLASSHOUSE_TLS__CERT_FILE": str(server.cert_file),
        "GLASSHOUSE_TLS__KEY_FILE": str(server.key_file),
        "GLASSHOUSE_TLS__CLIENT_CA_FILE": str(authority.file),
        "GLASSHOUSE_EXTENSIONS__CERTIFICATES__INTERVAL_SECONDS": "0.2",
    }
    process = CollectorProcess(tmp_path / "data", env=variables)
    yield process
    if process.alive:
        process.kill()


@pytest.fixture
def api(collector: CollectorProcess, authority: Authority, client: Issued) -> Iterator[httpx.Client]:
    """Return a client of the API that is let in."""
    trust = ssl.create_default_context(cafile=authority.file)
    trust.load_cert_chain(client.cert_file, client.key_file)
    with httpx.Client(
        base_url=f"https://{collector.endpoints()['api']}", verify=trust, timeout=60
    ) as admitted:
        yield admitted


@pytest.fixture
def environment(tmp_path: Path, authority: Authority, client: Issued) -> dict[str, str]:
    """Return what OpenTelemetry's variables say to an application, whatever else it is told to trust."""
    return {
        **{
            name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "GLASSHOUSE_"))
        },
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(authority.file),
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(client.cert_file),
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(client.key_file),
        "REQUESTS_CA_BUNDLE": str(client.cert_file),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


def records(api: httpx.Client) -> int:
    """Return how many log records the collector has found so far, but for its own."""
    answer = api.post(
        "/api/v1/sql",
        json={"query": "SELECT count() AS n FROM otel_logs WHERE ServiceName != 'glasshouse-collector'"},
    )
    assert answer.status_code == httpx.codes.OK, answer.text
    return int(next(iter(answer.json()["rows"]))[0])


def test_each_client_comes_in_by_its_certificate(
    collector: CollectorProcess, api: httpx.Client, environment: dict[str, str], tmp_path: Path
) -> None:
    """The SDK, `glasshouse send` over both protocols, and whoever asks."""
    endpoints = collector.endpoints()
    there = {"GLASSHOUSE_ENDPOINT": f"https://{endpoints['http']}", "GLASSHOUSE_SERVICE_NAME": "cart"}
    application = [sys.executable, "-c", APPLICATION]
    subprocess.run(application, env=environment | there, check=True, timeout=60, cwd=tmp_path)
    recording = tmp_path / "recorded.jsonl"
    recording.write_text(json.dumps(RECORDED) + "\n")
    for protocol in ("grpc", "http"):
        to = ("--protocol", protocol, "--endpoint", f"https://{endpoints[protocol]}")
        send = [str(PROGRAM), "send", str(recording), *to]
        sent = subprocess.run(
            send, env=environment, check=False, timeout=60, cwd=tmp_path, capture_output=True, text=True
        )
        assert sent.returncode == 0, sent.stderr
    until(lambda: records(api) == 3, "all three are found")
    assert "write https://" in httpx.get(f"http://{endpoints['api']}/health").text


def test_a_renewed_certificate_is_shown_and_its_end_told(
    collector: CollectorProcess, api: httpx.Client, authority: Authority, server: Issued
) -> None:
    """By the same process; `/metrics` says when the one in the file ends."""
    assert expiry(api, server.cert_file) == server.certificate.not_valid_after_utc.timestamp()
    renewed = authority.issue("renewed", ends=90 * DAY)
    shutil.copy(renewed.cert_file, server.cert_file)
    shutil.copy(renewed.key_file, server.key_file)
    ends = renewed.certificate.not_valid_after_utc
    until(lambda: expiry(api, server.cert_file) == ends.timestamp(), "its end is told")
    said = f"new connections get the new ones (in force until {ends:%Y-%m-%d %H:%M} UTC)"
    until(lambda: said in collector.log(), "the doors have taken it")
    assert collector.log().count("tls: the files have changed") == 1
    assert collector.stop() == 0


def expiry(api: httpx.Client, file: Path) -> float | None:
    """Return when the certificate in a file ends, as the page says."""
    for family in text_string_to_metric_families(api.get("/metrics").text):
        if family.name == "glasshouse_certificate_expiry_timestamp_seconds":
            return next((each.value for each in family.samples if each.labels["file"] == str(file)), None)
    return None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("garbage", "tls.cert_file: a certificate is missing; PEM is expected"),
        ("ended", "tls.cert_file: the certificate ended on "),
        ("another's key", "tls.key_file: it is not the key of the certificate in tls.cert_file"),
        ("no key", "tls.key_file: a value is needed"),
    ],
)
def test_a_wrong_file_ends_the_start(
    authority: Authority, server: Issued, tmp_path: Path, wrong: str, said: str
) -> None:
    """Exit code 2 and one line, before anything is opened."""
    if wrong == "garbage":
        server.cert_file.write_bytes(b"\x00garbage\xff" * 100)
    elif wrong == "ended":
        server = authority.issue("ended", ends=-DAY / 2)
    elif wrong == "another's key":
        server.key_file.write_bytes(authority.issue("other").key)
    variables = {
        "GLASSHOUSE_TLS__CERT_FILE": str(server.cert_file),
        "GLASSHOUSE_TLS__KEY_FILE": str(server.key_file),
    }
    if wrong == "no key":
        del variables["GLASSHOUSE_TLS__KEY_FILE"]
    ended = subprocess.run(
        [PROGRAM, "serve", "--data-dir", tmp_path / "data", "--grpc-port", "0", "--http-port", "0"],
        env=os.environ | variables,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert said in line
    assert not (tmp_path / "data").exists()
