"""What `/metrics` shows beside the collector's own metrics."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

Source: TypeAlias = Callable[[bool], Iterable[bytes]]
"""Gives whole metric families (HELP, TYPE, samples): OpenMetrics if given True, else Prometheus text."""


class MetricsPage:
    """The families that components add to the page; a source may be asked from any thread."""

    def __init__(self) -> None:
        self._sources: list[Source] = []

    def add(self, source: Source) -> None:
        """Show what `source` gives from now on."""
        self._sources.append(source)

    def remove(self, source: Source) -> None:
        """Show it no more. Safe where it was never added."""
        if source in self._sources:
            self._sources.remove(source)

    def render(self, *, openmetrics: bool) -> bytes:
        """Return what all sources give, in the order they were added."""
        return b"".join(part for source in list(self._sources) for part in source(openmetrics))
