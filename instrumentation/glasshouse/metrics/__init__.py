"""Metrics in one line: what is declared here works before and after `configure`, and never fails.

Ready-made ones are in the modules `http`, `database`, `cache`, `business` and `process`; `prometheus`
offers all of them to a Prometheus server.
"""

import re
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from glasshouse.failures import contained
from glasshouse.metrics.instruments import (
    Counter,
    Gauge,
    Histogram,
    Timer,
    UpDownCounter,
    deliver_waiting,
)
from glasshouse.metrics.observables import Observe, bind_all, observe

if TYPE_CHECKING:
    from glasshouse.settings import Settings

Undo = Callable[[], None]
Declared = TypeVar("Declared", Counter, Gauge, Histogram, UpDownCounter)

__all__ = [
    "Counter",
    "Gauge",
    "Histogram",
    "Timer",
    "UpDownCounter",
    "counter",
    "gauge",
    "histogram",
    "install",
    "observe",
    "up_down_counter",
]

_NAME = re.compile(r"[a-zA-Z][-_./a-zA-Z0-9]{0,254}")
_LONGEST_UNIT = 63  # both by the specification
_instruments: dict[tuple[Any, ...], object] = {}
_declaring = threading.Lock()


def counter(name: str, unit: str = "", doc: str = "") -> Counter:
    """Declare a counter. The same arguments give the same counter, so it may stand where it is used."""
    return _declared(Counter, name, unit, doc)


def up_down_counter(name: str, unit: str = "", doc: str = "") -> UpDownCounter:
    """Declare a counter of what comes and goes, as open connections."""
    return _declared(UpDownCounter, name, unit, doc)


def histogram(name: str, unit: str = "", doc: str = "", buckets: Sequence[float] | None = None) -> Histogram:
    """Declare a histogram. `buckets` are upper bounds; for unit `s` they go from 5 ms to 10 s by default."""
    return _declared(Histogram, name, unit, doc, None if buckets is None else tuple(buckets))


def gauge(name: str, unit: str = "", doc: str = "", ask: Observe | None = None) -> Gauge:
    """Declare a gauge: set it, or give `ask`, which is called at each collection.

    `ask` returns a number, or pairs of number and attributes, or None for no value.
    """
    if ask is not None:
        with contained(f"declaring {name}"):
            _check(name, unit)
            observe("gauge", name, unit, doc, ask)
    return _declared(Gauge, name, unit, doc)


def install(_settings: "Settings") -> Undo:
    """Deliver what was measured and declared so far, and watch this process; `configure` calls it."""
    from glasshouse.metrics import process  # noqa: PLC0415 - needs no import where nothing is configured

    process.watch()
    deliver_waiting()
    bind_all()
    # Nothing ends here: the last collection comes later, when the provider shuts down.
    return lambda: None


def _declared(kind: Callable[..., Declared], name: str, unit: str, doc: str, *more: Any) -> Declared:
    with contained(f"declaring {name}"):
        _check(name, unit)
        with _declaring:
            key = (kind, name, unit, doc, *more)
            if key not in _instruments:
                _instruments[key] = kind(name, unit, doc, *more)
            return cast("Declared", _instruments[key])
    # What is wrong was logged; each use of it fails again, and is contained too.
    return kind(name, unit, doc, *more)


def _check(name: str, unit: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"a metric's name should be a letter, then letters, digits and _ - . /, not {name!r}"
        )
    if not isinstance(unit, str) or not unit.isascii() or len(unit) > _LONGEST_UNIT:
        raise ValueError(f"a metric's unit should be at most {_LONGEST_UNIT} ASCII characters, not {unit!r}")
