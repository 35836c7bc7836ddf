"""What a service suffers while a fault of its is on."""

import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Engine
from sqlalchemy.pool import QueuePool

from glasshouse_shop.faults import (
    BAD_RELEASE,
    CPU_SECONDS,
    LATENCY_SECONDS,
    LEAK_BYTES,
    MOST_LEAKED_BYTES,
    Kind,
)
from glasshouse_shop.switchboard import Switchboard

RELEASE_VARIABLE = "SHOP_RELEASE"


class Trouble:
    """The faults of one service, called where its main operation begins. Shares are by turns, not by dice."""

    def __init__(self, service: str, engine: Engine | None = None) -> None:
        self._service = service
        self._engine = engine
        self._switchboard = Switchboard.of_this_process()
        self._turns = {kind: itertools.count() for kind in Kind}
        self._lock = threading.Lock()
        self._leaked: list[bytearray] = []
        self._held: list[Connection] = []

    def strike(self) -> None:
        """Do what the faults that are on do: raise, wait, burn, hold; and let go of what others held."""
        for kind, suffered in self._effects().items():
            if self._is_on(kind):
                suffered()
        self.recover()

    def cuts_short(self) -> bool:
        """Whether this call is to return early, with a wrong answer."""
        return self._is_on(Kind.WRONG_RETURN) and self._turn(Kind.WRONG_RETURN)

    def _effects(self) -> Mapping[Kind, Callable[[], None]]:
        return {
            Kind.LEAK: self._leak,
            Kind.LATENCY: lambda: time.sleep(LATENCY_SECONDS),
            Kind.CPU: _burn,
            Kind.POOL: self._exhaust,
            Kind.EXCEPTION: self._raise,
            Kind.RELEASE: self._regress,
        }

    def _is_on(self, kind: Kind) -> bool:
        if kind is Kind.RELEASE:
            return os.environ.get(RELEASE_VARIABLE) == BAD_RELEASE
        return f"{self._service}:{kind}" in self._switchboard.on()

    def _turn(self, kind: Kind) -> bool:
        return next(self._turns[kind]) % 2 == 0

    def _raise(self) -> None:
        if self._turn(Kind.EXCEPTION):
            raise ValueError("quantity must be positive, got -1")

    def _regress(self) -> None:
        # The bug that the bad release brought along: the field has another name there.
        order = {"total": 1} if self._turn(Kind.RELEASE) else {"total": 1, "currency": "EUR"}
        order["currency"]

    def _leak(self) -> None:
        with self._lock:
            if len(self._leaked) * LEAK_BYTES < MOST_LEAKED_BYTES:
                # Written, so that it is resident.
                self._leaked.append(bytearray(b"\xa5") * LEAK_BYTES)

    def _exhaust(self) -> None:
        if self._engine is None or not isinstance(self._engine.pool, QueuePool):
            return
        with self._lock:
            while len(self._held) < self._engine.pool.size():
                self._held.append(self._engine.connect())

    def recover(self) -> None:
        """Let go of what faults held that are off by now."""
        with self._lock:
            if self._held and not self._is_on(Kind.POOL):
                while self._held:
                    self._held.pop().close()
            if self._leaked and not self._is_on(Kind.LEAK):
                self._leaked.clear()


def _burn() -> None:
    until = time.thread_time() + CPU_SECONDS
    while time.thread_time() < until:
        sum(number * number for number in range(2000))
