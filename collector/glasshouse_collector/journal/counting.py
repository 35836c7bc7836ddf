"""Counts what the journal has on disk, by whose it is."""

from collections.abc import Iterable

from prometheus_client import Counter

from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.core.metrics import Metrics

_Owner = tuple[RequestKind, str]


class FrameCounters:
    """Records and bytes of frames, added up for a group before the metrics' locks are taken."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counters: dict[_Owner, tuple[Counter, Counter]] = {}

    def count(self, frames: Iterable[tuple[Frame, int]]) -> None:
        """Count `frames`, each with its bytes on disk."""
        sums: dict[_Owner, tuple[int, int]] = {}
        for frame, length in frames:
            owner = frame.kind, frame.project
            records, size = sums.get(owner, (0, 0))
            sums[owner] = records + frame.records, size + length
        for owner, (records, size) in sums.items():
            of_records, of_bytes = self._counters.get(owner) or self._begin(owner)
            of_records.inc(records)
            of_bytes.inc(size)

    def _begin(self, owner: _Owner) -> tuple[Counter, Counter]:
        made = self._counters[owner] = (
            self._metrics.journaled_records.labels(*owner),
            self._metrics.journaled_bytes.labels(*owner),
        )
        return made
