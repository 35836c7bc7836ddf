"""Counters, histograms and gauges that may be declared and used at any time, also before `configure`."""

import functools
import inspect
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar, cast
from weakref import WeakSet

from opentelemetry import metrics as api
from opentelemetry.metrics._internal import _ProxyMeterProvider

from glasshouse._version import __version__
from glasshouse.failures import contained, guarded
from glasshouse.metrics.measurements import Given, Number, attributes, not_negative, number

P = ParamSpec("P")
R = TypeVar("R")
Made = TypeVar("Made")

# Advice of the semantic conventions for `http.server.request.duration`; the SDK's own is for milliseconds.
SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_IN_A_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_MOST_WAITING = 1000

_lock = threading.RLock()
_declared: "WeakSet[Instrument[Any]]" = WeakSet()
_ever_configured = False


def provider() -> api.MeterProvider | None:
    """Return the meter provider that is set; None where none is."""
    current = api.get_meter_provider()
    return None if isinstance(current, _ProxyMeterProvider) else current


def meter_of(current: api.MeterProvider) -> api.Meter:
    """Return the meter that all instruments of this package are made by."""
    return current.get_meter("glasshouse", __version__)


def deliver_waiting() -> None:
    """Hand what was measured before `configure` to the provider that is set now."""
    with _lock:
        declared = list(_declared)
    for instrument in declared:
        instrument.deliver_waiting()


class Instrument(ABC, Generic[Made]):
    """An instrument that makes its like in the provider of the day, at first use.

    What is measured before the first provider is set, at most the last 1000 values, is kept for it.
    """

    def __init__(self, name: str, unit: str, doc: str) -> None:
        self.name, self.unit, self.doc = name, unit, doc
        self._provider: api.MeterProvider | None = None
        self._made: Made | None = None
        self._waiting: deque[tuple[int | float, Mapping[str, Any]]] = deque(maxlen=_MOST_WAITING)
        with _lock:
            _declared.add(self)

    @abstractmethod
    def _make(self, meter: api.Meter) -> Made: ...

    @abstractmethod
    def _take(self, made: Made, value: float, about: Mapping[str, Any]) -> None: ...

    @guarded
    def deliver_waiting(self) -> None:
        """Hand what was measured before `configure` to the provider that is set now; nothing without one."""
        made = self._current()
        # Another thread may take the last one first.
        with suppress(IndexError):
            while made is not None:
                self._take(made, *self._waiting.popleft())

    def _measure(self, value: float, about: Mapping[str, Any]) -> None:
        made = self._current()
        if made is not None:
            if self._waiting:
                self.deliver_waiting()
            self._take(made, value, about)
        elif not _ever_configured:
            self._waiting.append((value, about))

    def _current(self) -> Made | None:
        global _ever_configured  # noqa: PLW0603 - of the process, as the provider is
        current = provider()
        if current is not self._provider:
            with _lock:
                if current is not self._provider:
                    self._made = None if current is None else self._make(meter_of(current))
                    self._provider = current
                    _ever_configured = _ever_configured or current is not None
        return self._made


class Counter(Instrument[api.Counter]):
    """Counts what only goes up."""

    @guarded
    def add(self, amount: Number = 1, attributes_: Given = None, /, **more: object) -> None:
        """Add `amount`, 0 or more. Attributes go by mapping, by keyword, or both."""
        self._measure(not_negative(amount), attributes(attributes_, more))

    def _make(self, meter: api.Meter) -> api.Counter:
        return meter.create_counter(self.name, self.unit, self.doc)

    def _take(self, made: api.Counter, value: float, about: Mapping[str, Any]) -> None:
        made.add(value, about)


class UpDownCounter(Instrument[api.UpDownCounter]):
    """Counts what comes and goes, as open connections."""

    @guarded
    def add(self, amount: Number = 1, attributes_: Given = None, /, **more: object) -> None:
        """Add `amount`, which may be negative. Attributes go by mapping, by keyword, or both."""
        self._measure(number(amount), attributes(attributes_, more))

    def during(self, attributes_: Given = None, /, **more: object) -> "During":
        """Count one more as long as a `with` block runs."""
        return During(self, {**(attributes_ or {}), **more})

    def _make(self, meter: api.Meter) -> api.UpDownCounter:
        return meter.create_up_down_counter(self.name, self.unit, self.doc)

    def _take(self, made: api.UpDownCounter, value: float, about: Mapping[str, Any]) -> None:
        made.add(value, about)


class Gauge(Instrument[api._Gauge]):  # noqa: SLF001 - the API has no other name for it yet
    """Says how much there is now; the last value counts."""

    @guarded
    def set(self, value: Number, attributes_: Given = None, /, **more: object) -> None:
        """Set the value. Attributes go by mapping, by keyword, or both."""
        self._measure(number(value), attributes(attributes_, more))

    def _make(self, meter: api.Meter) -> api._Gauge:
        return meter.create_gauge(self.name, self.unit, self.doc)

    def _take(self, made: api._Gauge, value: float, about: Mapping[str, Any]) -> None:
        made.set(value, about)


class Histogram(Instrument[api.Histogram]):
    """Tells how values are distributed, as durations are."""

    def __init__(self, name: str, unit: str, doc: str, buckets: Sequence[float] | None) -> None:
        super().__init__(name, unit, doc)
        self._buckets = SECONDS_BUCKETS if buckets is None and unit == "s" else buckets

    @guarded
    def record(self, value: Number, attributes_: Given = None, /, **more: object) -> None:
        """Record one value, 0 or more. Attributes go by mapping, by keyword, or both."""
        self._measure(not_negative(value), attributes(attributes_, more))

    def time(self, attributes_: Given = None, /, **more: object) -> "Timer":
        """Record how long a `with` block, or each call of a function decorated with it, takes.

        The histogram's unit should be s, ms, us or ns. What raises is marked with `error.type`.
        """
        return Timer(self, {**(attributes_ or {}), **more})

    def _make(self, meter: api.Meter) -> api.Histogram:
        return meter.create_histogram(
            self.name, self.unit, self.doc, explicit_bucket_boundaries_advisory=self._buckets
        )

    def _take(self, made: api.Histogram, value: float, about: Mapping[str, Any]) -> None:
        made.record(value, about)


class Timer:
    """Times a `with` block, or each call of a decorated function, plain or asynchronous."""

    def __init__(self, histogram: Histogram, about: dict[str, object]) -> None:
        self.attributes = about
        self._histogram = histogram
        self._started = 0.0

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        elapsed = time.perf_counter() - self._started
        failed = {"error.type": kind.__qualname__} if kind is not None else {}
        with contained("timing"):
            scale = _IN_A_SECOND.get(self._histogram.unit)
            if scale is None:
                raise ValueError(f"the unit of {self._histogram.name} is none of time: {list(_IN_A_SECOND)}")
            self._histogram.record(elapsed * scale, {**self.attributes, **failed})

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Time each call of `function`."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                with Timer(self._histogram, self.attributes):
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", awaited)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with Timer(self._histogram, self.attributes):
                return function(*args, **kwargs)

        return call


class During:
    """Counts one more while its block runs."""

    def __init__(self, counter: UpDownCounter, about: dict[str, object]) -> None:
        self._counter, self._about = counter, about

    def __enter__(self) -> None:
        self._counter.add(1, self._about)

    def __exit__(self, *_: object) -> None:
        self._counter.add(-1, self._about)
