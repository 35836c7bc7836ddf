"""Whether the collector takes what the shop sends: services that it refuses say so in their logs alone."""

import ssl
from collections.abc import Mapping
from typing import Final

import httpx
from opentelemetry.util.re import parse_env_headers

KEY: Final = "GLASSHOUSE_API_KEY"
HEADERS: Final = "OTEL_EXPORTER_OTLP_HEADERS"
CERTIFICATES: Final = (
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
)
_NOBODY: Final = frozenset({401, 403})
_PATIENCE: Final = 5.0


def refusal(endpoint: str, environ: Mapping[str, str]) -> str | None:
    """Return why nothing that is sent would be kept, and what to do; by an empty request.

    None where it would, or where nobody answers: the services keep what they have until somebody does.
    """
    try:
        answer = httpx.post(
            f"{endpoint.rstrip('/')}/v1/traces",
            json={},
            headers=_headers(environ),
            verify=_trusted(environ),
            timeout=_PATIENCE,
        )
    except (httpx.HTTPError, OSError):
        return None
    if answer.status_code not in _NOBODY:
        return None
    try:
        why = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        why = answer.reason_phrase
    return (
        f"the collector at {endpoint} keeps nothing of the shop ({answer.status_code}: {why}); "
        "make a key (glasshouse keys create --scope ingest), and give it by --key, "
        f"{KEY}=KEY, or {HEADERS}=x-api-key=KEY"
    )


def _headers(environ: Mapping[str, str]) -> dict[str, str]:
    headers = dict(parse_env_headers(environ.get(HEADERS, ""), liberal=True))
    if key := environ.get(KEY):
        headers["authorization"] = f"Bearer {key}"
    return headers


def _trusted(environ: Mapping[str, str]) -> ssl.SSLContext:
    trusted = ssl.create_default_context(cafile=environ.get(CERTIFICATES[0]) or None)
    if certificate := environ.get(CERTIFICATES[1]):
        trusted.load_cert_chain(certificate, environ.get(CERTIFICATES[2]))
    return trusted
