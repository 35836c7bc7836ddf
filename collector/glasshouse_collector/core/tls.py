"""What TLS is spoken with at every door: the settings, and the files they name, read and checked."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationInfo, field_validator

from glasshouse_collector.core.components import ComponentConfig
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.pem import Unreadable, certificates_in, content_of

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


class TlsConfig(ComponentConfig):
    """Which certificate is shown, and whose certificates are asked for. The files are checked here."""

    cert_file: Path
    """PEM: the server's certificate, and after it those that lead to its authority."""
    key_file: Path
    """PEM: the key of the first certificate, without a password."""
    client_ca_file: Path | None = None
    """PEM: where set, a client has to show a certificate that one of these signed."""
    min_version: Literal["1.2", "1.3"] = "1.2"
    """Of TLS."""

    @field_validator("cert_file")
    @classmethod
    def _shows_a_certificate(cls, path: Path) -> Path:
        _own_certificate(content_of(path))
        return path

    @field_validator("key_file")
    @classmethod
    def _is_its_key(cls, path: Path, told: ValidationInfo) -> Path:
        if "cert_file" in told.data:  # else that is the mistake to begin with
            _check_key(content_of(path), content_of(told.data["cert_file"]))
        return path

    @field_validator("client_ca_file")
    @classmethod
    def _has_authorities(cls, path: Path | None) -> Path | None:
        if path is not None:
            _authorities(content_of(path))
        return path

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that is named."""
        named = (self.cert_file, self.key_file, self.client_ca_file)
        return tuple(path for path in named if path is not None)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the files hold, in PEM, as they were when they were read; it belongs together and is in force."""

    config: TlsConfig
    certificates: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None
    expires: datetime
    """When the server's own certificate ends."""

    @classmethod
    def read(cls, config: TlsConfig) -> "Credentials":
        """Read the files; raises `ConfigurationError`, which names the setting and the file."""
        setting, path = "cert_file", config.cert_file
        try:
            certificates = content_of(path)
            expires = _own_certificate(certificates).not_valid_after_utc
            setting, path = "key_file", config.key_file
            key = content_of(path)
            _check_key(key, certificates)
            client_ca = None
            if config.client_ca_file is not None:
                setting, path = "client_ca_file", config.client_ca_file
                client_ca = _authorities(content_of(path))
        except ValueError as wrong:
            raise ConfigurationError(f"tls.{setting}: {path}: {wrong}") from None
        return cls(config, certificates, key, client_ca, expires)


def _own_certificate(content: bytes) -> "Certificate":
    """Return the server's own certificate, the first of the file, where it is in force."""
    own = certificates_in(content)[0]
    now = datetime.now(UTC)
    if own.not_valid_after_utc < now:
        raise Unreadable(
            f"the certificate ended on {own.not_valid_after_utc:%Y-%m-%d %H:%M} UTC; write one in force there"
        )
    if own.not_valid_before_utc > now:
        raise Unreadable(
            f"the certificate begins on {own.not_valid_before_utc:%Y-%m-%d %H:%M} UTC, and this machine's "
            f"clock says {now:%Y-%m-%d %H:%M}; correct the clock, or write one in force there"
        )
    return own


def _check_key(content: bytes, certificates: bytes) -> None:
    """Raise `Unreadable` unless it is the key of the first certificate."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        public = load_pem_private_key(content, None).public_key()
    except TypeError:
        raise Unreadable(
            "the key has a password, which is not supported; write it without one: "
            "openssl pkey -in KEY -out KEY-WITHOUT-PASSWORD"
        ) from None
    except Exception as broken:
        raise Unreadable(
            "there is no key that can be read; PEM is expected, with '-----BEGIN PRIVATE KEY-----'"
        ) from broken
    fits = [public == each for each in _public_keys(certificates)]
    if fits[0]:
        return
    if any(fits):
        raise Unreadable(
            f"it is the key of certificate {fits.index(True) + 1} of tls.cert_file; "
            "the certificate of the server itself has to be the first there"
        )
    raise Unreadable("it is not the key of the certificate in tls.cert_file")


def _public_keys(certificates: bytes) -> list[object]:
    try:
        return [each.public_key() for each in certificates_in(certificates)]
    except Exception as unknown:
        raise Unreadable(
            f"a certificate in tls.cert_file has a key of an unknown kind: {unknown}"
        ) from unknown


def _authorities(content: bytes) -> bytes:
    """Return the certificates alone, of which one at least is in force; raises `Unreadable`."""
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    found, now = certificates_in(content), datetime.now(UTC)
    if all(each.not_valid_after_utc < now for each in found):
        raise Unreadable("every certificate in it has ended, so no client could come in; write one in force")
    return b"".join(each.public_bytes(Encoding.PEM) for each in found)
