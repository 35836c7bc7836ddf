"""Values that are asked for when metrics are collected, rather than told when they change."""

import threading
from collections.abc import Callable, Iterable
from typing import Literal

from opentelemetry import metrics as api

from glasshouse.failures import contained
from glasshouse.metrics.instruments import meter_of, provider
from glasshouse.metrics.measurements import Given, Number, attributes, number

Undo = Callable[[], None]
Kind = Literal["counter", "up_down_counter", "gauge"]
Observe = Callable[[], Number | Iterable[tuple[Number, Given]] | None]

_lock = threading.RLock()
_observables: dict[str, "_Observable"] = {}


def observe(kind: Kind, name: str, unit: str, doc: str, ask: Observe) -> Undo:
    """Ask for a value at each collection: a number, or (number, attributes) pairs, or None for no value.

    Several callables may answer for one name. The returned function ends it. Nothing is asked before
    `configure`.
    """
    with _lock:
        found = _observables.setdefault(name, _Observable(kind, name, unit, doc))
        if ask not in found.asked:
            found.asked.append(ask)
        found.bind()

    def undo() -> None:
        with _lock:
            if ask in found.asked:
                found.asked.remove(ask)

    return undo


def bind_all() -> None:
    """Make what was declared so far known to the provider that is set now."""
    with _lock:
        for each in _observables.values():
            each.bind()


class _Observable:
    """One instrument by name, and everyone who answers for it."""

    def __init__(self, kind: Kind, name: str, unit: str, doc: str) -> None:
        self.asked: list[Observe] = []
        self._about = (kind, name, unit, doc)
        self._provider: api.MeterProvider | None = None

    def bind(self) -> None:
        current = provider()
        if current is None or current is self._provider:
            return
        self._provider = current
        kind, name, unit, doc = self._about
        make = getattr(meter_of(current), f"create_observable_{kind}")
        make(name, [self._answer], unit, doc)

    def _answer(self, _: api.CallbackOptions) -> list[api.Observation]:
        with _lock:
            asked = list(self.asked)
        observed: list[api.Observation] = []
        for ask in asked:
            with contained(f"observing {self._about[1]}"):
                observed.extend(_observations(ask()))
        return observed


def _observations(answer: Number | Iterable[tuple[Number, Given]] | None) -> list[api.Observation]:
    if answer is None:
        return []
    if isinstance(answer, Iterable) and not isinstance(answer, str):
        return [api.Observation(number(value), attributes(about, {})) for value, about in answer]
    return [api.Observation(number(answer))]
