"""What docs/tls.md says is what there is, and its commands make certificates that work."""

import re
import shutil
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from tests.receivers.conftest import ScriptedDoor, serving, traces

from glasshouse_collector.core import tls_handshake
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.tls import TlsConfig
from glasshouse_collector.send import certificates

DOCUMENT = (Path(__file__).parents[2] / "docs" / "tls.md").read_text()
COMMANDS = [block for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL) if "openssl" in block]


def test_every_setting_has_a_row() -> None:
    """And no row is for a setting that is gone."""
    table = DOCUMENT.partition("| setting |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(TlsConfig.model_fields)


def test_what_is_told_is_what_is_said() -> None:
    """The words of log and answer, the variables, the seconds."""
    for variable in (certificates.CERTIFICATE, certificates.CLIENT_CERTIFICATE, certificates.CLIENT_KEY):
        assert f"export {variable}=" in DOCUMENT
    assert tls_handshake._NO_HTTPS.decode().strip() in DOCUMENT
    assert f"it took more than {tls_handshake.SECONDS:g} seconds" in DOCUMENT
    assert "`it shows no certificate`" in DOCUMENT


def test_the_commands_make_certificates_that_work(tmp_path: Path) -> None:
    """An authority, the collector's, a client's; also for strict clients, as Python's are from 3.13 on."""
    openssl = shutil.which("openssl")
    if openssl is None or "OpenSSL 3" not in subprocess.check_output([openssl, "version"], text=True):
        pytest.skip("OpenSSL 3 is missing")
    assert len(COMMANDS) == 2
    for command in COMMANDS:
        subprocess.run(["sh", "-euc", command], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "collector.key").stat().st_mode & 0o077 == 0
    ca = tmp_path / "ca.pem"
    config = TlsConfig(
        cert_file=tmp_path / "collector.pem", key_file=tmp_path / "collector.key", client_ca_file=ca
    )
    trust = ssl.create_default_context(cafile=ca)
    trust.verify_flags |= ssl.VERIFY_X509_STRICT
    trust.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    with serving(ScriptedDoor(), tls=config) as served:
        answer = httpx.post(
            f"https://127.0.0.1:{served.http_receiver.bound_port}/v1/{RequestKind.TRACES}",
            content=traces("GET /").SerializeToString(),
            headers={"content-type": "application/x-protobuf"},
            verify=trust,
            timeout=60,
        )
        assert answer.status_code == 200
