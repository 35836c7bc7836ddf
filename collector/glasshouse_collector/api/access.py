"""Who may ask: the same keys that open the receivers open `/api/v1`."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from glasshouse_collector.api.problems import Problem
from glasshouse_collector.core.access import Authenticator
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import Unauthenticated

# These two only tell the OpenAPI documentation what the authenticator accepts.
_BEARER = HTTPBearer(auto_error=False, description="The collector's key")
_API_KEY = APIKeyHeader(name="X-API-Key", auto_error=False, description="The collector's key")


def require_key(services: Services) -> Callable[..., None]:
    """Return a dependency that answers 401 to whoever sends no valid key."""

    def check(
        request: Request,
        bearer: Annotated[object, Depends(_BEARER)],
        api_key: Annotated[object, Depends(_API_KEY)],
    ) -> None:
        del bearer, api_key
        authenticator = services.get(Authenticator)  # type: ignore[type-abstract]
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            authenticator.project_of(headers)
        except Unauthenticated as refused:
            raise Problem(
                HTTPStatus.UNAUTHORIZED, str(refused), headers={"WWW-Authenticate": "Bearer"}
            ) from None

    return check
