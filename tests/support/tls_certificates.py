"""Authorities and certificates for tests of TLS."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Use = Literal["server", "client", "authority"]
DAY = timedelta(days=1)
_USES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
_SIGNING = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, in PEM and as files `<name>.pem` and `<name>.key`."""

    cert_file: Path
    key_file: Path
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.cert_file.read_bytes()

    @property
    def key(self) -> bytes:
        """Its key."""
        return self.key_file.read_bytes()

    @property
    def serial(self) -> int:
        """What tells it from others."""
        return self.certificate.serial_number


class Authority:
    """Signs certificates, for 127.0.0.1, ::1 and localhost where a server's."""

    HOUR = timedelta(hours=1)

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = self._write(name, self._signed(self._name, self._key, "authority"), self._key).cert_file

    def issue(
        self,
        name: str,
        use: Use = "server",
        *,
        ends: timedelta = DAY,
        begins: timedelta = -DAY,
        key: Any = None,
    ) -> Issued:
        """Write a certificate of a fresh key; `begins` and `ends` are told from now."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return self._write(name, self._signed(subject, key, use, begins, ends), key)

    def _signed(
        self, subject: x509.Name, key: Any, use: Use, begins: timedelta = -DAY, ends: timedelta = DAY
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=use == "authority", path_length=None), critical=True)
            .add_extension(own, critical=False)
            .add_extension(signer, critical=False)
        )
        if use in _USES:
            builder = builder.add_extension(x509.ExtendedKeyUsage([_USES[use]]), critical=False)
        if use == "authority":
            builder = builder.add_extension(_SIGNING, critical=True)
        if use == "server":
            addresses = [x509.IPAddress(ip_address(each)) for each in ("127.0.0.1", "::1")]
            names = x509.SubjectAlternativeName([*addresses, x509.DNSName("localhost")])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, certificate: x509.Certificate, key: Any) -> Issued:
        issued = Issued(self._folder / f"{name}.pem", self._folder / f"{name}.key", certificate)
        issued.cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        issued.key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return issued
