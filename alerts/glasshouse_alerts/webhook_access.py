"""Who may tell of alerts, and who may list them."""

import hmac
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import SecretStr

from glasshouse_collector.core.access import DEFAULT_PROJECT, Authenticator, OpenAccess, Scope
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import ConfigurationError, Unauthenticated

_LARGEST_TOKEN_FILE = 4096

# These two only tell the OpenAPI documentation what is accepted.
_BEARER = HTTPBearer(auto_error=False, description="The collector's key, or for the webhook its token")
_API_KEY = APIKeyHeader(name="X-API-Key", auto_error=False, description="The collector's key")
_Bearer = Annotated[object, Depends(_BEARER)]
_ApiKey = Annotated[object, Depends(_API_KEY)]


class AlertAccess:
    """Two doors: the list is open to the collector's keys, the webhook to those and to its own token.

    Where the collector itself is open to everyone, a token that is set is asked for all the same.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.token: str | None = None

    def asker(self, request: Request, bearer: _Bearer, api_key: _ApiKey) -> str:
        """Return the project of whoever sends a key of the collector; anyone else is answered 401."""
        del bearer, api_key
        return self._project_of(request)

    def teller(self, request: Request, bearer: _Bearer, api_key: _ApiKey) -> str:
        """Return the project of whoever sends the webhook's token, or a key of the collector."""
        del bearer, api_key
        if self.token is None:
            return self._project_of(request)
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        sent = credential.strip().encode() if scheme.lower() == "bearer" else b""
        if hmac.compare_digest(sent, self.token.encode()):
            return DEFAULT_PROJECT
        if isinstance(self._authenticator(), OpenAccess):
            raise _refusal("the webhook's token is expected as 'Authorization: Bearer <token>'")
        return self._project_of(request)

    def _project_of(self, request: Request) -> str:
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            return self._authenticator().admit(headers, Scope.READ).project
        except Unauthenticated as refused:
            raise _refusal(str(refused)) from None

    def _authenticator(self) -> Authenticator:
        return self._services.get(Authenticator)  # type: ignore[type-abstract]


def _refusal(detail: str) -> HTTPException:
    return HTTPException(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})


def token_from(token: SecretStr | None, file: Path | None) -> str | None:
    """Return the webhook's token, from the setting or from a file; None where neither is set.

    Raises `ConfigurationError` where the file cannot be read or holds no token.
    """
    if file is None:
        return token.get_secret_value() if token else None
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(_LARGEST_TOKEN_FILE).strip()
    except (OSError, UnicodeDecodeError) as unreadable:
        reason = unreadable.strerror if isinstance(unreadable, OSError) else "it is no text"
        raise ConfigurationError(
            f"extensions.alerts.webhook_token_file: {file} cannot be read: {reason}"
        ) from None
    if not text:
        raise ConfigurationError(
            f"extensions.alerts.webhook_token_file: {file} is empty; a token is expected"
        )
    return text
