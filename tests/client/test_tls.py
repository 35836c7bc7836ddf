"""The client over TLS: it trusts, and shows, what OpenTelemetry's variables name."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from glasshouse.cli import main
from glasshouse.client import AsyncClient, Client, Unreachable
from glasshouse_collector.api import ApiConfig, create_app
from glasshouse_collector.core.access import Authenticator, OpenAccess
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.exposition import MetricsPage
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.status import Status
from glasshouse_collector.core.tls import TlsConfig
from served_api import serving
from tls_certificates import Authority, Issued

CA, CERTIFICATE, KEY = (
    f"OTEL_EXPORTER_OTLP_{name}" for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
)
Set = Callable[..., None]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority that no machine trusts by itself."""
    return Authority(tmp_path)


@contextmanager
def served(server: Issued, client_ca: Path | None = None) -> Iterator[str]:
    """Serve the API over TLS; lends its address."""
    services = Services()
    services.provide(Status, Status())
    services.provide(Metrics, Metrics())
    services.provide(MetricsPage, MetricsPage())
    services.provide(Authenticator, OpenAccess())  # type: ignore[type-abstract]
    tls = TlsConfig(cert_file=server.cert_file, key_file=server.key_file, client_ca_file=client_ca)
    with serving(create_app(services), ApiConfig(port=0, tls=tls), services) as url:
        yield url.replace("http://127.0.0.1", "https://localhost")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Return what sets the variables of a client, and unsets those that are not named."""

    def set_variables(ca: Path | None = None, shown: Issued | None = None) -> None:
        chosen = {CA: ca, CERTIFICATE: shown and shown.cert_file, KEY: shown and shown.key_file}
        for name, path in chosen.items():
            if path:
                monkeypatch.setenv(name, str(path))
            else:
                monkeypatch.delenv(name, raising=False)

    return set_variables


def health(url: str) -> str:
    """Ask in step and async; both are answered, or neither."""

    async def asked() -> str:
        async with AsyncClient(url) as client:
            return (await client.api_health())["version"]

    with Client(url) as client:
        version = client.api_health()["version"]
    assert asyncio.run(asked()) == version
    return version


def test_it_trusts_the_authority_that_is_named(authority: Authority, environment: Set) -> None:
    """And no other: without it, or with another, nothing is asked."""
    with served(authority.issue("server")) as url:
        environment(authority.file)
        assert health(url)
        other = Authority(authority.file.parent, "other").file
        for ca in (None, other):
            environment(ca)
            with Client(url) as client, pytest.raises(Unreachable, match="certificate verify failed"):
                client.api_health()


def test_it_shows_the_certificate_that_is_named(authority: Authority, environment: Set) -> None:
    """Where the collector asks for one; without it, it is not let in."""
    with served(authority.issue("server"), authority.file) as url:
        environment(authority.file, authority.issue("client", "client"))
        assert health(url)
        environment(authority.file)
        with Client(url) as client, pytest.raises(Unreachable):
            client.api_health()


def test_a_command_follows_them_too(authority: Authority, environment: Set) -> None:
    """A file that cannot be used is named by its variables; one that can leads to the collector."""
    with served(authority.issue("server"), authority.file) as url:
        environment(authority.file, authority.issue("client", "client"))
        asked = CliRunner().invoke(main, ["services", "--url", url])
        assert "the store is not connected" in asked.stderr  # it was let in
        environment(Path("/nowhere.pem"))
        refused = CliRunner().invoke(main, ["services", "--url", url])
        assert refused.exit_code == 1
        assert refused.stderr.startswith("Error: OTEL_EXPORTER_OTLP_CERTIFICATE, ")
