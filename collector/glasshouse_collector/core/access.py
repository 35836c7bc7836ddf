"""Who may come in, and whose their records are."""

import hmac
from collections.abc import Mapping
from typing import Protocol

from glasshouse_collector.core.errors import Unauthenticated

DEFAULT_PROJECT = "default"
"""The project of a sender who names none."""
SELF_PROJECT = "_self"
"""The project of what the collector says about itself."""


class Authenticator(Protocol):
    """Tells a sender's project by the headers it sent."""

    def project_of(self, headers: Mapping[str, str]) -> str:
        """Return the project. Header names are in lower case. Raises `Unauthenticated`."""


class OpenAccess:
    """Lets everyone in; for a collector that only its own machine can reach."""

    def project_of(self, headers: Mapping[str, str]) -> str:
        """Return the default project."""
        del headers
        return DEFAULT_PROJECT


class TokenAccess:
    """Lets in who sends the one token, as `Authorization: Bearer <token>` or `X-API-Key: <token>`."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def project_of(self, headers: Mapping[str, str]) -> str:
        """Return the default project, in constant time for any wrong token."""
        scheme, _, credential = headers.get("authorization", "").partition(" ")
        sent = credential if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if not sent:
            raise Unauthenticated(
                "no key was sent: send the header 'Authorization: Bearer <key>' or 'X-API-Key: <key>'"
            )
        if not hmac.compare_digest(sent.strip().encode(), self._token):
            raise Unauthenticated("the key that was sent opens nothing here")
        return DEFAULT_PROJECT
