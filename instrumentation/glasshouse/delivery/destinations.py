"""Where each signal goes: by the variables at first, then as the exporters themselves ask for it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import urlsplit

import requests
from opentelemetry.util.re import parse_env_headers

from glasshouse.delivery.batch import SIGNALS, Signal
from glasshouse.settings import Settings

_DEFAULT_ENDPOINT = "http://localhost:4318"
_DEFAULT_TIMEOUT = 10.0
_PROVIDERS = "opentelemetry_otlp_credential_provider"


@dataclass(frozen=True, slots=True)
class Destination:
    """An address, and with what it is called. Headers and certificates are secret: never shown or kept."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    verify: bool | str = True
    cert: Any = field(default=None, repr=False)
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = _DEFAULT_TIMEOUT

    @property
    def shown(self) -> str:
        """Return what may be told of the address: neither user, password, path nor query."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class Destinations:
    """The destination of each signal, and the sessions that reach them; a session is one thread's."""

    def __init__(self, settings: Settings) -> None:
        self._known: dict[Signal, Destination] = {}
        for signal in SIGNALS:
            self._known[signal] = _by_variables(signal, settings)
        self._sessions: dict[Signal, requests.Session] = {}
        self._inherited: list[object] = []

    def __getitem__(self, signal: Signal) -> Destination:
        return self._known[signal]

    def urls(self) -> dict[Signal, str]:
        """Return the address of each signal."""
        return {signal: destination.url for signal, destination in self._known.items()}

    def signal_of(self, url: str) -> Signal | None:
        """Return the signal that goes to an address."""
        by_url = (signal for signal, known in self._known.items() if known.url == url)
        by_path = (signal for signal in SIGNALS if urlsplit(url).path.endswith(f"/v1/{signal}"))
        return next(by_url, None) or next(by_path, None)

    def remember(self, signal: Signal, destination: Destination) -> None:
        """Take what an exporter has asked for: it knows best."""
        self._known[signal] = destination

    def session(self, signal: Signal) -> requests.Session:
        """Return the session that sends this signal; a credential provider's where one is asked for."""
        if signal not in self._sessions:
            self._sessions[signal] = _provided(signal) or requests.Session()
        return self._sessions[signal]

    def after_fork(self) -> None:
        """Forget the sessions: their connections are the parent's, and closing them may need its locks."""
        self._inherited.append(self._sessions)
        self._sessions = {}

    def close(self) -> None:
        """Close the connections."""
        for session in self._sessions.values():
            session.close()


def _by_variables(signal: Signal, settings: Settings) -> Destination:
    endpoint = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    base = (settings.endpoint or _DEFAULT_ENDPOINT).rstrip("/")
    written = parse_env_headers(_variable(signal, "HEADERS") or "", liberal=True)
    headers = {"user-agent": "glasshouse", **written}
    if settings.api_key:
        headers.setdefault("authorization", f"Bearer {settings.api_key}")
    destination = Destination(endpoint or f"{base}/v1/{signal}", headers)
    certificate, key = _variable(signal, "CLIENT_CERTIFICATE"), _variable(signal, "CLIENT_KEY")
    return replace(
        destination,
        verify=_variable(signal, "CERTIFICATE") or True,
        cert=(certificate, key) if certificate and key else certificate,
        timeout=_seconds(_variable(signal, "TIMEOUT")),
    )


def _variable(signal: Signal, name: str) -> str | None:
    own = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}")
    return own or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}") or None


def _seconds(written: str | None) -> float:
    try:
        return float(written or _DEFAULT_TIMEOUT)
    except ValueError:
        return _DEFAULT_TIMEOUT


def _provided(signal: Signal) -> requests.Session | None:
    name = os.environ.get("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER") or os.environ.get(
        f"OTEL_PYTHON_EXPORTER_OTLP_HTTP_{signal.upper()}_CREDENTIAL_PROVIDER"
    )
    for entry_point in entry_points(group=_PROVIDERS, name=name) if name else ():
        session = entry_point.load()()
        if isinstance(session, requests.Session):
            return session
    return None
