"""Whom to trust over TLS, and what to show: the variables that OpenTelemetry's exporters read too."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from glasshouse_collector.send.mistakes import UserMistake

CERTIFICATE = "OTEL_EXPORTER_OTLP_CERTIFICATE"
CLIENT_CERTIFICATE = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"
CLIENT_KEY = "OTEL_EXPORTER_OTLP_CLIENT_KEY"


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: the authority of the endpoint (none: those of this machine), and what to show it."""

    authority: Path | None = None
    client: tuple[Path, Path] | None = None
    """The certificate and its key."""

    @classmethod
    def named_by(cls, environ: Mapping[str, str] = os.environ) -> "Certificates":
        """Read the variables; `UserMistake` names the one whose file is of no use."""
        shown, key = _file(environ, CLIENT_CERTIFICATE), _file(environ, CLIENT_KEY)
        if (shown is None) != (key is None):
            missing, there = (
                (CLIENT_KEY, CLIENT_CERTIFICATE) if key is None else (CLIENT_CERTIFICATE, CLIENT_KEY)
            )
            raise UserMistake(f"{missing}: {there} is set without it; set both, or neither")
        found = cls(_file(environ, CERTIFICATE), (shown, key) if shown and key else None)
        found.context()
        return found

    def context(self) -> ssl.SSLContext:
        """Return what HTTPS is spoken with; `UserMistake` where a file does not hold what it should."""
        try:
            context = ssl.create_default_context(cafile=self.authority)
        except OSError as wrong:
            raise UserMistake(
                f"{CERTIFICATE}: {self.authority} holds no certificate in PEM: {wrong}"
            ) from None
        if self.client is None:
            return context
        shown, key = self.client
        try:
            context.load_cert_chain(shown, key, password="")  # else it is asked for on the terminal
        except OSError as wrong:
            raise UserMistake(
                f"{CLIENT_CERTIFICATE}: {shown} and {key} are no certificate and its key in PEM, without a "
                f"password: {wrong}"
            ) from None
        return context

    def credentials(self) -> grpc.ChannelCredentials:
        """Return what gRPC is spoken with."""
        shown, key = (file.read_bytes() for file in self.client) if self.client else (None, None)
        return grpc.ssl_channel_credentials(
            self.authority.read_bytes() if self.authority else None, key, shown
        )


def _file(environ: Mapping[str, str], name: str) -> Path | None:
    if not environ.get(name):
        return None
    path = Path(environ[name])
    if not path.is_file():
        raise UserMistake(f"{name}: there is no file {path}")
    return path
