"""The settings of TLS: what is wrong with one of the files is said before anything listens."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.registry import configure, describe
from glasshouse_collector.core.tls import Credentials, TlsConfig
from tls_certificates import DAY, Authority, Issued

Spoil = Callable[[Authority, Issued], object]


def _with_password(_: Authority, issued: Issued) -> None:
    key = serialization.load_pem_private_key(issued.key, None)
    issued.key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"open sesame"),
        )
    )


def _chain_upside_down(authority: Authority, issued: Issued) -> None:
    issued.cert_file.write_bytes(authority.file.read_bytes() + issued.pem)


def _in_der(_: Authority, issued: Issued) -> None:
    issued.cert_file.write_bytes(issued.certificate.public_bytes(serialization.Encoding.DER))


def _a_folder(_: Authority, issued: Issued) -> None:
    issued.cert_file.unlink()
    issued.cert_file.mkdir()


def _endless(_: Authority, issued: Issued) -> None:
    issued.cert_file.unlink()
    issued.cert_file.symlink_to("/dev/zero")


def _rewritten(issued: Issued, other: Issued) -> None:
    issued.cert_file.write_bytes(other.pem)
    issued.key_file.write_bytes(other.key)


WRONG: dict[str, tuple[Spoil, str]] = {
    "no certificate": (
        lambda _, issued: issued.cert_file.unlink(),
        r"tls\.cert_file: .*it cannot be read: No such file or directory",
    ),
    "garbage for a certificate": (
        lambda _, issued: issued.cert_file.write_bytes(bytes(range(256))),
        r"tls\.cert_file: .*a certificate is missing; PEM is expected, with '-----BEGIN CERTIFICATE-----'",
    ),
    "half a certificate": (
        lambda _, issued: issued.cert_file.write_bytes(issued.pem[:200]),
        r"tls\.cert_file: .*a certificate is damaged; PEM is expected",
    ),
    "a certificate in DER": (_in_der, r"tls\.cert_file: .*a certificate is missing; PEM is expected"),
    "a folder": (
        _a_folder,
        r"tls\.cert_file: .*it cannot be read: Is a directory",
    ),
    "an endless file": (
        _endless,
        r"tls\.cert_file: .*it is no file; a PEM file is expected",
    ),
    "an ended certificate": (
        lambda authority, issued: _rewritten(issued, authority.issue("ended", ends=-DAY / 2)),
        r"tls\.cert_file: .*the certificate ended on \d{4}-\d\d-\d\d \d\d:\d\d UTC; write one in force there",
    ),
    "a certificate of tomorrow": (
        lambda authority, issued: _rewritten(issued, authority.issue("early", begins=DAY, ends=2 * DAY)),
        r"tls\.cert_file: .*the certificate begins on .* UTC, and this machine's clock says",
    ),
    "no key": (
        lambda _, issued: issued.key_file.unlink(),
        r"tls\.key_file: .*it cannot be read: No such file or directory",
    ),
    "garbage for a key": (
        lambda _, issued: issued.key_file.write_bytes(b"\x00\xff" * 100),
        r"tls\.key_file: .*there is no key that can be read; PEM is expected",
    ),
    "a certificate for a key": (
        lambda _, issued: issued.key_file.write_bytes(issued.pem),
        r"tls\.key_file: .*there is no key that can be read; PEM is expected",
    ),
    "a key with a password": (
        _with_password,
        r"tls\.key_file: .*the key has a password, which is not supported; .*openssl pkey -in",
    ),
    "another's key": (
        lambda authority, issued: issued.key_file.write_bytes(authority.issue("other").key),
        r"tls\.key_file: .*it is not the key of the certificate in tls\.cert_file",
    ),
    "a chain upside down": (
        _chain_upside_down,
        r"tls\.key_file: .*it is the key of certificate 2 of tls\.cert_file; .* has to be the first",
    ),
    "no authority": (
        lambda authority, _: authority.file.write_bytes(b""),
        r"tls\.client_ca_file: .*a certificate is missing; PEM is expected",
    ),
    "an ended authority": (
        lambda authority, _: authority.file.write_bytes(authority.issue("ended", ends=-DAY / 2).pem),
        r"tls\.client_ca_file: .*every certificate in it has ended",
    ),
}


def told(issued: Issued, client_ca: Path) -> dict[str, str]:
    """Return what a user writes."""
    return {
        "cert_file": str(issued.cert_file),
        "key_file": str(issued.key_file),
        "client_ca_file": str(client_ca),
    }


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_is_named_with_its_setting(tmp_path: Path, wrong: str) -> None:
    """When the settings are read, and when the files are read again; in one line, without what a key says."""
    authority = Authority(tmp_path)
    issued = authority.issue("server")
    written = told(issued, authority.file)
    config = TlsConfig.model_validate(written)
    spoil, expected = WRONG[wrong]
    spoil(authority, issued)
    with pytest.raises(ValidationError) as invalid:
        TlsConfig.model_validate(written)
    line = describe(invalid.value, "tls")
    assert "\n" not in line
    with pytest.raises(ConfigurationError, match=expected):
        Credentials.read(config)
    with pytest.raises(
        ConfigurationError, match=f"receivers.otlp_http.{expected.split(': ', maxsplit=1)[0]}"
    ):
        configure("receivers", "otlp_http", {"tls": written})
    assert expected.split(".*", maxsplit=1)[0].replace("\\", "") in line


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"cert_file": "a.pem"}, "tls.key_file: a value is needed"),
        ({"key_file": "a.key"}, "tls.cert_file: a value is needed"),
        ({"min_version": "1.1"}, r"tls.min_version: Input should be '1.2' or '1.3' \(got '1.1'\)"),
        ({"ca_file": "a.pem"}, "tls.ca_file: no such setting"),
        ({"cert_file": "a\0b"}, "tls.cert_file: it cannot be read: embedded null byte"),
    ],
    ids=["no key", "no certificate", "too old", "unknown", "no name of a file"],
)
def test_a_wrong_setting_is_named(written: dict[str, str], expected: str) -> None:
    """The field, what was wrong, what would be right."""
    with pytest.raises(ConfigurationError, match=expected):
        configure("receivers", "otlp_grpc", {"tls": written})


def test_what_lies_beside_is_passed_over(tmp_path: Path) -> None:
    """Names before a certificate, in any language; one file for both; an authority that has ended."""
    authority = Authority(tmp_path)
    issued = authority.issue("server")
    issued.cert_file.write_bytes("Straße: naïve\n".encode() + issued.pem + issued.key)
    gone = authority.issue("gone", ends=-timedelta(hours=1)).pem
    (tmp_path / "clients.pem").write_bytes("Größe\n".encode() + gone + authority.file.read_bytes())
    config = TlsConfig(
        cert_file=issued.cert_file, key_file=issued.cert_file, client_ca_file=tmp_path / "clients.pem"
    )
    read = Credentials.read(config)
    assert read.client_ca is not None
    assert len(x509.load_pem_x509_certificates(read.client_ca)) == 2
    assert read.expires == issued.certificate.not_valid_after_utc
    assert issued.key.decode() not in repr(read)
