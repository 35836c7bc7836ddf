"""Who may come in: by the keys of the projects, by the operator's token, or all of one machine."""

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Final

from glasshouse_collector.control.attempts import FailedAttempts, sender
from glasshouse_collector.control.keyring import KeptKey, Keyring
from glasshouse_collector.control.keys import KEY
from glasshouse_collector.core.access import (
    DEFAULT_PROJECT,
    OPERATOR,
    PEER,
    WRONG_KEY,
    Caller,
    Scope,
    TokenAccess,
    credential,
)
from glasshouse_collector.core.clock import Clock
from glasshouse_collector.core.errors import Backpressure, Forbidden, LimitReached, Unauthenticated
from glasshouse_collector.core.metrics import Metrics

EVERYONE: Final = Caller(DEFAULT_PROJECT, everywhere=True)
"""Anyone on the machine, as long as there are no keys."""
_REASONS: Final = ("no_key", "wrong_key", "ended", "scope", "too_many")
_LONGEST: Final = 512
"""Characters that a key or token may have."""
_MOST_OPERATORS: Final = 1000
_RETRY_SECONDS: Final = 2.0


class KeyAccess:
    """Lets in who sends a key that opens the door, or the operator's token; any thread may ask.

    A right key always passes: it has too much chance in it to be guessed, and who shares an address
    with someone who sends wrong ones must not be locked out. The token is of the user's choosing, so
    it could be: an address that failed too often may not try it, unless it has sent it rightly before.
    """

    def __init__(self, metrics: Metrics, clock: Clock, *, token: str | None, local: bool) -> None:
        """`local`: only this machine can reach the doors, which are open until there is a key or token."""
        self._failed = {
            (scope, reason): metrics.failed_attempts.labels(scope, reason)
            for scope in Scope
            for reason in _REASONS
        }
        self._token = TokenAccess(token) if token else None
        self._may_be_open = local and token is None
        self._attempts = FailedAttempts(clock)
        self._operators: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()
        self._keyring: Keyring | None = None

    def use(self, keyring: Keyring) -> None:
        """Take the keys from here, from now on; until then only the token opens anything."""
        self._keyring = keyring

    @property
    def open(self) -> bool:
        """Whether everyone is let in now."""
        return self._may_be_open and self._keyring is not None and self._keyring.empty

    def admit(self, headers: Mapping[str, str], scope: Scope) -> Caller:
        """Return the caller; raises `Unauthenticated`, `Forbidden`, `LimitReached`, `Backpressure`."""
        if self._may_be_open and self.open:
            return EVERYONE
        try:
            sent = credential(headers)
        except Unauthenticated:
            self._failed[scope, "no_key"].inc()
            raise
        keyring = self._keyring
        key = keyring.find(sent) if keyring is not None and len(sent) <= _LONGEST else None
        if keyring is None or key is None:
            return self._by_token(sent, headers.get(PEER, ""), scope)
        return self._by_key(keyring, key, scope)

    def _by_key(self, keyring: Keyring, key: KeptKey, scope: Scope) -> Caller:
        try:
            return keyring.admit(key, scope)
        except Unauthenticated:
            self._failed[scope, "ended"].inc()
            raise
        except Forbidden:
            self._failed[scope, "scope"].inc()
            raise

    def _by_token(self, sent: str, address: str, scope: Scope) -> Caller:
        """Return the operator, or raise; where the address has to wait, the token is not looked at."""
        wait = self._attempts.wait(address)
        right = False
        if self._token is not None and (not wait or self._is_known(address)):
            right = len(sent) <= _LONGEST and self._token.matches(sent)
        if right:
            self._remember(address)
            return OPERATOR
        if self._keyring is None and KEY.fullmatch(sent):
            raise Backpressure(_RETRY_SECONDS, "the database of keys is not connected yet: send it again")
        if wait:
            self._failed[scope, "too_many"].inc()
            why = "too many wrong keys came from this address: wait, and send a right one"
            raise LimitReached("failed_attempts", max(1.0, wait), why)
        self._failed[scope, "wrong_key"].inc()
        self._attempts.note(address)
        raise Unauthenticated(WRONG_KEY)

    def _is_known(self, address: str) -> bool:
        return sender(address) in self._operators

    def _remember(self, address: str) -> None:
        if self._is_known(address):
            return
        with self._lock:
            self._operators[sender(address)] = None
            if len(self._operators) > _MOST_OPERATORS:
                self._operators.popitem(last=False)
