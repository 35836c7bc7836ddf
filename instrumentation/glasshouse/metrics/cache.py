"""Hits, misses, durations and size of a cache; the semantic conventions have no metrics of caches yet."""

from collections.abc import Callable

from glasshouse.metrics import counter, histogram, observe
from glasshouse.metrics.instruments import Timer
from glasshouse.metrics.measurements import Number

Undo = Callable[[], None]

operations = counter("cache.operations", "{operation}", "Operations on a cache, by outcome: hit, miss, …")
operation_duration = histogram("cache.operation.duration", "s", "Duration of operations on a cache.")


class Cache:
    """The metrics of one cache, by its name."""

    def __init__(self, name: str) -> None:
        self._about: dict[str, object] = {"cache.name": name}

    def hit(self) -> None:
        """Count a look-up that found something."""
        operations.add(1, self._about, **{"cache.operation.name": "get", "cache.outcome": "hit"})

    def miss(self) -> None:
        """Count a look-up that found nothing."""
        operations.add(1, self._about, **{"cache.operation.name": "get", "cache.outcome": "miss"})

    def looked_up(self, found: object) -> None:
        """Count a hit, or a miss where `found` is None."""
        if found is None:
            self.miss()
        else:
            self.hit()

    def changed(self, operation: str) -> None:
        """Count an operation that is no look-up, as `set`, `delete` or `evict`."""
        operations.add(1, self._about, **{"cache.operation.name": operation})

    def time(self, operation: str) -> Timer:
        """Record how long a `with` block takes, as a duration of that operation."""
        return operation_duration.time(self._about, **{"cache.operation.name": operation})

    def watch(
        self,
        size_bytes: Callable[[], Number | None] | None = None,
        items: Callable[[], Number | None] | None = None,
    ) -> Undo:
        """Ask for the size in bytes, the number of items, or both, at each collection."""
        undos = [
            observe("up_down_counter", name, unit, doc, self._asking(ask))
            for name, unit, doc, ask in (
                ("cache.size", "By", "Size of what is in the cache.", size_bytes),
                ("cache.items", "{item}", "Number of items in the cache.", items),
            )
            if ask is not None
        ]

        def undo() -> None:
            for each in undos:
                each()

        return undo

    def _asking(
        self, ask: Callable[[], Number | None]
    ) -> Callable[[], list[tuple[Number, dict[str, object]]]]:
        def asked() -> list[tuple[Number, dict[str, object]]]:
            value = ask()
            return [] if value is None else [(value, self._about)]

        return asked
