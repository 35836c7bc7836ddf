"""Who may come in, and whose their records are."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from glasshouse_collector.core.errors import Unauthenticated

DEFAULT_PROJECT = "default"
"""The project of a sender who names none."""
SELF_PROJECT = "_self"
"""The project of what the collector says about itself."""
PEER: Final = ":peer"
"""Among the headers: the sender's address. Receivers put it in; no client can send such a name."""
NO_KEY: Final = "no key was sent: send the header 'Authorization: Bearer <key>' or 'X-API-Key: <key>'"
WRONG_KEY: Final = "the key that was sent opens nothing here"


class Scope(StrEnum):
    """What a key opens."""

    INGEST = "ingest"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who came in."""

    project: str
    """Whose records a sender's are, and whose an asker sees."""
    key: str = ""
    """What the key is recognised by; empty where none was needed."""
    everywhere: bool = False
    """Whether the caller may name another project."""


class Authenticator(Protocol):
    """Tells by the headers of a request who sent it."""

    def admit(self, headers: Mapping[str, str], scope: Scope) -> Caller:
        """Return the caller; header names are in lower case.

        Raises `Unauthenticated`, `Forbidden`, and `Backpressure` where an address failed too often.
        """


class OpenAccess:
    """Lets everyone in; for a collector that only its own machine can reach."""

    def admit(self, headers: Mapping[str, str], scope: Scope) -> Caller:
        """Return a caller of the default project."""
        del headers, scope
        return Caller(DEFAULT_PROJECT, everywhere=True)


class TokenAccess:
    """Lets in who sends the one token: the operator, to whom everything is open."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def admit(self, headers: Mapping[str, str], scope: Scope) -> Caller:
        """Return the operator, in constant time for any wrong token."""
        del scope
        if not hmac.compare_digest(credential(headers).encode(), self._token):
            raise Unauthenticated(WRONG_KEY)
        return Caller(DEFAULT_PROJECT, everywhere=True)


def credential(headers: Mapping[str, str]) -> str:
    """Return the key that was sent; raises `Unauthenticated` where there is none.

    Sent as `Authorization: Bearer <key>`, `X-API-Key: <key>`, or by the basic scheme as the password
    (or, with an empty password, as the user).
    """
    scheme, _, written = headers.get("authorization", "").partition(" ")
    sent = ""
    if scheme.lower() == "bearer":
        sent = written.strip()
    elif scheme.lower() == "basic":
        sent = _password(written.strip())
    sent = sent or headers.get("x-api-key", "").strip()
    if not sent:
        raise Unauthenticated(NO_KEY)
    return sent


def _password(written: str) -> str:
    try:
        user, _, password = base64.b64decode(written, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password or user
