"""How far the clocks of services are from the collector's, by what they send."""

import threading
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from glasshouse_collector.core.batch import Batch, Signal
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.schema import TIME_COLUMN
from glasshouse_collector.pipeline.form import Formed

MOST_SERVICES = 500
"""Services with a series; those heard last have one."""
SILENT_SECONDS = 3600.0
"""After which a service's skew is not shown any more: its clock may be right by now."""
_LONGEST_NAME = 256
_NANOSECONDS = 1e9

_Service = tuple[str, str]
"""Project and service name."""


class ClockSkew:
    """Sets `glasshouse_clock_skew_seconds`: receipt minus the newest record's time, a service of a run.

    The least of a run counts, which is the one with the least delay: 0 or more is what a record
    waited at its sender, less than 0 a clock that is ahead. It reads no clock, only times of
    receipt, and may be asked from any thread.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._gauge = metrics.clock_skew_seconds
        self._heard: OrderedDict[_Service, float] = OrderedDict()  # when, oldest first
        self._one_at_a_time = threading.Lock()

    def observe(self, formed: Formed) -> None:
        """Show the skew of each service in a run, unless a later one has been seen."""
        least: dict[_Service, float] = {}
        newest = 0.0
        for batch, received in zip(formed.batches, formed.received, strict=True):
            newest = max(newest, float(received.max()) / _NANOSECONDS)
            for service, skew in _least_skews(batch, received):
                least[service] = min(skew, least.get(service, skew))
        with self._one_at_a_time:
            for service, skew in least.items():
                self._show(service, skew, newest)
            while len(self._heard) > MOST_SERVICES or self._front_is_silent():
                self._gauge.remove(*self._heard.popitem(last=False)[0])

    def _show(self, service: _Service, skew: float, heard: float) -> None:
        if self._heard.get(service, heard) <= heard:
            self._heard[service] = heard
            self._heard.move_to_end(service)
            self._gauge.labels(*service).set(skew)

    def _front_is_silent(self) -> bool:
        first, last = next(iter(self._heard.values()), 0.0), next(reversed(self._heard.values()), 0.0)
        return last - first > SILENT_SECONDS


def _least_skews(batch: Batch, received: NDArray[np.int64]) -> Iterator[tuple[_Service, float]]:
    """Yield the least skew in seconds of each service, of the most ahead where there are too many."""
    column = batch.records.column
    projects, services = column("Project"), column("ServiceName")
    width = len(services.dictionary)
    key = np.asarray(projects.indices).astype(np.int64) * width + np.asarray(services.indices)
    least = np.full(len(projects.dictionary) * width, np.inf)
    np.minimum.at(least, key, _skews(batch, received))
    heard = np.flatnonzero(np.isfinite(least))
    if len(heard) > MOST_SERVICES:
        heard = heard[np.argpartition(least[heard], MOST_SERVICES)[:MOST_SERVICES]]
    for each in heard.tolist():
        project, service = (projects.dictionary[each // width], services.dictionary[each % width])
        yield (project.as_py(), service.as_py()[:_LONGEST_NAME]), float(least[each])


def _skews(batch: Batch, received: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return receipt minus time, in seconds, of each row; a span's time is its end.

    In floating point, since a sender may claim any 64 bits.
    """
    times = np.asarray(batch.records.column(TIME_COLUMN[batch.signal]).cast("int64"), dtype=np.float64)
    if batch.signal is Signal.TRACES:
        times += np.asarray(batch.records.column("Duration"))
    skews: NDArray[np.float64] = (received - times) / _NANOSECONDS
    return skews
