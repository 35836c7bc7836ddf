"""How a metric is declared: once, with all that its page in the documentation says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar, overload

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

M = TypeVar("M", Counter, Gauge, Histogram)

_TYPES: dict[type, str] = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}


@dataclass(frozen=True, slots=True)
class Declared(Generic[M]):
    """One metric: an attribute of a class, of which each instance makes its own.

    Read from an instance it is the metric made there (`make_all` put it in its place), read from
    the class it is this declaration.
    """

    kind: type[M]
    name: str
    meaning: str
    unit: str
    labels: tuple[str, ...] = ()
    buckets: Sequence[float] = ()

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> M: ...
    def __get__(self, instance: object | None, owner: type) -> Self | M:
        if instance is not None:
            raise AttributeError(f"{owner.__name__} did not make {self.name}")
        return self

    @property
    def type(self) -> str:
        """Its Prometheus type: counter, gauge or histogram."""
        return _TYPES[self.kind]

    @property
    def shown_as(self) -> str:
        """The family's name as it is asked for: a counter's ends in `_total`."""
        return f"{self.name}_total" if self.kind is Counter else self.name

    @property
    def samples(self) -> tuple[str, ...]:
        """The names of the family's samples."""
        if self.kind is Histogram:
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.shown_as,)

    def make(self, registry: CollectorRegistry) -> M:
        """Return the metric, shown by `registry`."""
        more: dict[str, Any] = {"buckets": self.buckets} if self.buckets else {}
        return self.kind(self.name, self.meaning, self.labels, registry=registry, **more)


def counter(name: str, meaning: str, unit: str, labels: tuple[str, ...] = ()) -> Declared[Counter]:
    """Declare what only grows; `name` goes without `_total`, which is added where it is shown."""
    return Declared(Counter, name, meaning, unit, labels)


def gauge(name: str, meaning: str, unit: str, labels: tuple[str, ...] = ()) -> Declared[Gauge]:
    """Declare what goes up and down."""
    return Declared(Gauge, name, meaning, unit, labels)


def histogram(
    name: str, meaning: str, unit: str, labels: tuple[str, ...] = (), *, buckets: Sequence[float]
) -> Declared[Histogram]:
    """Declare what is counted by size; `buckets` are upper bounds in `unit`."""
    return Declared(Histogram, name, meaning, unit, labels, tuple(buckets))


def declared_by(owner: type) -> dict[str, "Declared[Any]"]:
    """Return what `owner` declares, by attribute, in the order written."""
    return {name: each for name, each in vars(owner).items() if isinstance(each, Declared)}


def make_all(instance: object, registry: CollectorRegistry) -> None:
    """Make what the class of `instance` declares, each its attribute from now on."""
    for room in type(instance).__mro__:
        for name, each in declared_by(room).items():
            vars(instance)[name] = each.make(registry)
