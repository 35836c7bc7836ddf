"""Each language's SDK sends over TLS and shows a certificate, told by environment variables alone."""

import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.languages.conftest import SENDERS, Collector, send

from collector_process import CollectorProcess
from tls_certificates import Authority, Issued

pytestmark = pytest.mark.languages


class SecuredCollector(Collector):
    """A collector that asks for certificates."""

    def __init__(self, process: CollectorProcess, authority: Authority, client: Issued) -> None:
        super().__init__(process)
        self._authority, self._client = authority, client
        self._trust = ssl.create_default_context(cafile=authority.file)
        self._trust.load_cert_chain(client.cert_file, client.key_file)

    def environment(self, service: str, protocol: str = "http/protobuf") -> dict[str, str]:
        """Return the variables of docs/tls.md beside those of docs/languages.md."""
        told = super().environment(service, protocol)
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
            told.pop(name, None)
        return told | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": told["OTEL_EXPORTER_OTLP_ENDPOINT"].replace("http:", "https:"),
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(self._authority.file),
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(self._client.cert_file),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(self._client.key_file),
        }

    def query(self, statement: str) -> list[list[Any]]:
        """Return the rows of the answer to an SQL statement."""
        answer = httpx.post(
            f"https://{self.addresses['api']}/api/v1/sql",
            json={"query": statement},
            verify=self._trust,
            timeout=60,
        )
        assert answer.status_code == httpx.codes.OK, answer.text
        return list(answer.json()["rows"])


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredCollector]:
    """One collector for all senders."""
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder)
    server, client = authority.issue("server"), authority.issue("client", "client")
    variables = {
        "GLASSHOUSE_TLS__CERT_FILE": str(server.cert_file),
        "GLASSHOUSE_TLS__KEY_FILE": str(server.key_file),
        "GLASSHOUSE_TLS__CLIENT_CA_FILE": str(authority.file),
    }
    process = CollectorProcess(folder / "data", env=variables)
    yield SecuredCollector(process, authority, client)
    assert process.stop() == 0, process.log()


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("language", SENDERS)
def test_a_language_shows_its_certificate(secured: SecuredCollector, language: str, protocol: str) -> None:
    """What it sends arrives, by either protocol."""
    run = send(secured, language, protocol, "none", "cumulative")
    statement = f"SELECT DISTINCT TraceId FROM otel_traces WHERE ServiceName = '{run.service}'"
    assert [run.trace_id] in secured.query_until(statement, 1)
