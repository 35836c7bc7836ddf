"""Who may come in, and whose their records are."""

import base64
import binascii
import hashlib
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
    """What the key is recognised by, `auth_token` for the operator's; empty where none was needed."""
    everywhere: bool = False
    """Whether the caller may name another project."""


class Authenticator(Protocol):
    """Tells by the headers of a request who sent it."""

    def admit(self, headers: Mapping[str, str], scope: Scope) -> Caller:
        """Return the caller; header names are in lower case.

        Raises `Unauthenticated`, `Forbidden`, `LimitReached` where an address failed too often, and
        `Backpressure` as long as it is not known which keys there are.
        """


class Quotas(Protocol):
    """What each key may send; a key without a limit, and no key at all, may send all there is."""

    def admit(self, key: str) -> None:
        """Return where the key may send something now; raises `LimitReached`."""

    def book(self, key: str, records: int, size: int) -> None:
        """Note `records` of `size` bytes as sent; negative where they were not kept after all."""


class NoQuotas:
    """Lets everyone send all there is."""

    def admit(self, key: str) -> None:
        """Return."""

    def book(self, key: str, records: int, size: int) -> None:
        """Note nothing."""


class OpenAccess:
    """Lets everyone in; for a collector that only its own machine can reach."""

    def admit(self, headers: Mapping[str, str], scope: Scope) -> Caller:
        """Return a caller of the default project."""
        del headers, scope
        return Caller(DEFAULT_PROJECT, everywhere=True)


OPERATOR: Final = Caller(DEFAULT_PROJECT, key="auth_token", everywhere=True)
"""Who sends the setting `auth_token`."""


class TokenAccess:
    """Lets in who sends the one token: the operator, to whom everything is open."""

    def __init__(self, token: str) -> None:
        self._token = hashlib.sha256(token.encode()).digest()

    def admit(self, headers: Mapping[str, str], scope: Scope) -> Caller:
        """Return the operator."""
        del scope
        if not self.matches(credential(headers)):
            raise Unauthenticated(WRONG_KEY)
        return OPERATOR

    def matches(self, sent: str) -> bool:
        """Whether it is the token; for each wrong one, of whatever length, it takes as long to tell."""
        return hmac.compare_digest(hashlib.sha256(sent.encode()).digest(), self._token)


def credential(headers: Mapping[str, str]) -> str:
    """Return the key that was sent; raises `Unauthenticated` where there is none.

    Sent as `X-API-Key: <key>`, `Authorization: Bearer <key>`, or by the basic scheme as the password
    (or, with an empty password, as the user). The first comes first: what else is sent with it may be
    meant for a proxy on the way.
    """
    sent = headers.get("x-api-key", "").strip()
    if sent:
        return sent
    scheme, _, written = headers.get("authorization", "").partition(" ")
    scheme = scheme.lower()
    if scheme == "bearer":
        sent = written.strip()
    elif scheme == "basic":
        sent = _password(written.strip())
    if not sent:
        raise Unauthenticated(NO_KEY)
    return sent


def _password(written: str) -> str:
    try:
        user, _, password = base64.b64decode(written, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password or user
