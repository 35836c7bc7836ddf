"""Every sample of the page as remote write has it: a series by itself, with its name as a label."""

import math
import socket
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from prometheus_client import CollectorRegistry

from glasshouse_exporters.prometheus.exposition import number
from glasshouse_exporters.prometheus.labels import label_pairs
from glasshouse_exporters.prometheus.remote_write.messages import Series, series
from glasshouse_exporters.prometheus.series import BlockSnapshot, FamilySnapshot, Kind

Sample = tuple[Series, float]


class EncodedSeries:
    """Encodes samples, and remembers what it has encoded as long as it is asked for it.

    `labels` are put to series that lack them, as a scrape that honours labels does.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = {"instance": socket.gethostname()} | dict(labels)
        self._known: dict[tuple[str, Kind, tuple[float, ...], bytes], tuple[Series, ...]] = {}

    def samples(self, families: Sequence[FamilySnapshot]) -> list[Sample]:
        """Return the samples of all families."""
        before, self._known = self._known, {}
        found: list[Sample] = []
        for family in families:
            for block in family.blocks:
                for labels, values in zip(block.labels, _values(family.kind, block), strict=True):
                    key = (family.name, family.kind, block.bounds, labels)
                    encoded = before.get(key) or self._encoded(family, block.bounds, labels)
                    self._known[key] = encoded
                    found += zip(encoded, values, strict=True)
        return found

    def own(self, registry: CollectorRegistry) -> list[Sample]:
        """Return the samples of the collector's own metrics."""
        return [
            (self._series(sample.name, list(sample.labels.items())), sample.value)
            for family in registry.collect()
            for sample in family.samples
        ]

    def _encoded(
        self, family: FamilySnapshot, bounds: tuple[float, ...], labels: bytes
    ) -> tuple[Series, ...]:
        pairs = label_pairs(labels)
        return tuple(
            self._series(name, [*pairs, *more]) for name, more in _names(family.name, family.kind, bounds)
        )

    def _series(self, name: str, pairs: Sequence[tuple[str, str]]) -> Series:
        labels = {**self._labels, **dict(pairs), "__name__": name}
        return series((key, value) for key, value in labels.items() if value)


def _names(name: str, kind: Kind, layout: tuple[float, ...]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Give the name and the label beside its own of each number of a row, in the order of `_values`."""
    if kind is Kind.HISTOGRAM:
        for bound in (*layout, math.inf):
            yield f"{name}_bucket", [("le", number(bound))]
        yield f"{name}_sum", []
        yield f"{name}_count", []
    elif kind is Kind.SUMMARY:
        for quantile in layout:
            yield name, [("quantile", number(quantile))]
        yield f"{name}_sum", []
        yield f"{name}_count", []
    else:
        yield name, []


def _values(kind: Kind, block: BlockSnapshot) -> list[list[float]]:
    values = block.values
    if kind is Kind.HISTOGRAM:
        counts = np.cumsum(values[:, :-1], axis=1)
        values = np.column_stack((counts, values[:, -1], counts[:, -1]))
    rows: list[list[float]] = values.tolist()
    return rows
