"""Who may tell of alerts, and who may list them."""

import hmac
import math
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import SecretStr

from glasshouse_collector.core.access import DEFAULT_PROJECT, PEER, Authenticator, Caller, Scope
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import (
    Backpressure,
    ConfigurationError,
    Forbidden,
    LimitReached,
    Unauthenticated,
)
from glasshouse_collector.core.peers import peer_of

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

    def asker(self, request: Request, bearer: _Bearer, api_key: _ApiKey) -> Caller:
        """Return who sends a key of the collector to read; anyone else is answered with why not."""
        del bearer, api_key
        return self._admit(request, Scope.READ)

    def teller(self, request: Request, bearer: _Bearer, api_key: _ApiKey) -> Caller:
        """Return who sends the webhook's token, which tells of every project, or a key to send with."""
        del bearer, api_key
        if self.token is None:
            return self._admit(request, Scope.INGEST)
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        sent = credential.strip().encode() if scheme.lower() == "bearer" else b""
        if hmac.compare_digest(sent, self.token.encode()):
            return _ALERTMANAGER
        caller = self._admit(request, Scope.INGEST)
        if not caller.key:  # the collector asks for none
            raise _unauthenticated("the webhook's token is expected as 'Authorization: Bearer <token>'")
        return caller

    def _admit(self, request: Request, scope: Scope) -> Caller:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if request.client:
            headers[PEER] = peer_of(request.client.host)
        authenticator = self._services.get(Authenticator)  # type: ignore[type-abstract]
        try:
            return authenticator.admit(headers, scope)
        except Unauthenticated as refused:
            raise _unauthenticated(str(refused)) from None
        except Forbidden as refused:
            raise HTTPException(HTTPStatus.FORBIDDEN, str(refused)) from None
        except Backpressure as refused:
            too_many = isinstance(refused, LimitReached)
            raise HTTPException(
                HTTPStatus.TOO_MANY_REQUESTS if too_many else HTTPStatus.SERVICE_UNAVAILABLE,
                str(refused),
                headers={"Retry-After": str(math.ceil(refused.retry_after))},
            ) from None


_ALERTMANAGER = Caller(DEFAULT_PROJECT, key="webhook_token", everywhere=True)


def _unauthenticated(detail: str) -> HTTPException:
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
