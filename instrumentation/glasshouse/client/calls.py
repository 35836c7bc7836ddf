"""One question to the API, and what its answer says."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from glasshouse._version import __version__
from glasshouse.client.errors import ApiError

URL_VARIABLE = "GLASSHOUSE_API_URL"
KEY_VARIABLE = "GLASSHOUSE_API_KEY"
CA_VARIABLE = "OTEL_EXPORTER_OTLP_CERTIFICATE"
CERTIFICATE_VARIABLE = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"
CERTIFICATE_KEY_VARIABLE = "OTEL_EXPORTER_OTLP_CLIENT_KEY"
DEFAULT_URL = "http://127.0.0.1:8000"
_MOST_DETAIL = 2000


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked: a method, a path with `{names}` in it and their values, parameters, a JSON body."""

    method: str
    path: str
    names: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    @property
    def address(self) -> str:
        """The path, with the values in it."""
        return self.path.format(**{name: quote(value, safe="") for name, value in self.names.items()})

    @property
    def query(self) -> httpx.QueryParams:
        """The parameters that were given, one pair each value."""
        pairs: list[tuple[str, Any]] = []
        for name, value in self.parameters.items():
            values = value if isinstance(value, list | tuple) else [value]
            pairs += [(name, _text(each)) for each in values if each is not None]
        return httpx.QueryParams(pairs)

    @property
    def content(self) -> dict[str, Any] | None:
        """The fields of the body that were given."""
        return None if self.body is None else {k: v for k, v in self.body.items() if v is not None}


def settings_of(url: str | None, key: str | None, project: str | None, seconds: float) -> dict[str, Any]:
    """Return httpx's settings; what is not given comes from the environment.

    So do the authority to trust and the certificate to show: they are the exporters' of OpenTelemetry. Raises
    `OSError` (`ssl.SSLError`) where their files cannot be read.
    """
    key = key or os.environ.get(KEY_VARIABLE)
    trusted = ssl.create_default_context(cafile=os.environ.get(CA_VARIABLE) or None)
    if certificate := os.environ.get(CERTIFICATE_VARIABLE):
        trusted.load_cert_chain(certificate, os.environ.get(CERTIFICATE_KEY_VARIABLE))
    headers = {"User-Agent": f"glasshouse-client/{__version__}", "Accept": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return {
        "base_url": (url or os.environ.get(URL_VARIABLE) or DEFAULT_URL).rstrip("/"),
        "headers": headers,
        "params": {"project": project} if project else {},
        "timeout": seconds,
        "verify": trusted,
    }


def answer_of(response: httpx.Response) -> Any:
    """Return what the collector answered: JSON's value, or the bytes of another format. Raises `ApiError`."""
    if response.is_success:
        is_json = response.headers.get("content-type", "").startswith("application/json")
        return response.json() if is_json else response.content
    raise error_of(response)


def error_of(response: httpx.Response) -> ApiError:
    """Return the error that a whole response tells."""
    try:
        problem = response.json()
        detail = str(problem["detail"])
    except (ValueError, TypeError, KeyError):
        problem, detail = {}, " ".join(response.text.split())[:_MOST_DETAIL] or response.reason_phrase
    return ApiError(response.status_code, detail, _seconds(response.headers.get("retry-after")), problem)


def _seconds(written: str | None) -> float | None:
    return float(written) if written is not None and written.isdecimal() else None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
