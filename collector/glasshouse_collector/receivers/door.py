"""The door every receiver hands its requests to: check, keep in the journal, count."""

import asyncio
from typing import NamedTuple, Protocol

from prometheus_client import Counter, Gauge

from glasshouse_collector.codec import Codec
from glasshouse_collector.core.access import NoQuotas, Quotas
from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.core.clock import Clock
from glasshouse_collector.core.components import Accepted
from glasshouse_collector.core.metrics import Metrics

LARGE_PAYLOAD = 256 * 1024
"""Bytes from which a request is checked in a thread, so that it does not hold up the others."""

_RECORD_NAMES = {
    RequestKind.TRACES: "span",
    RequestKind.LOGS: "log record",
    RequestKind.METRICS: "data point",
}


class Appends(Protocol):
    """What the door needs of the journal."""

    async def append(self, frame: Frame) -> None:
        """Return once the frame is on disk; raises `Backpressure`."""


class _Counters(NamedTuple):
    records: Counter
    requests: Counter
    payload_bytes: Counter


class JournalDoor:
    """A `Door` onto the journal: what `accept` returned for has been fsynced."""

    def __init__(
        self, codec: Codec, journal: Appends, metrics: Metrics, clock: Clock, quotas: Quotas | None = None
    ) -> None:
        self._codec = codec
        self._journal = journal
        self._quotas = quotas or NoQuotas()
        self._metrics = metrics
        self._clock = clock
        self._counters: dict[tuple[RequestKind, str, str], _Counters] = {}
        self._last: dict[str, Gauge] = {}

    async def accept(
        self, kind: RequestKind, payload: bytes, project: str, *, transport: str, key: str = ""
    ) -> Accepted:
        """Check `payload` and put it on disk; raises `Undecodable`, `LimitReached`, `Backpressure`.

        A request without one acceptable record is answered, and leaves nothing in the journal.
        """
        self._quotas.admit(key)
        if len(payload) < LARGE_PAYLOAD:
            checked = self._codec.check(kind, payload)
        else:
            checked = await asyncio.to_thread(self._codec.check, kind, payload)
        frame = Frame(kind, project, checked.accepted, self._clock.time_ns(), payload)
        if checked.accepted:
            await self._keep(frame, key)
        self._count(frame, transport)
        if not checked.rejected:
            return Accepted(checked.accepted)
        self._metrics.rejected_records.labels(kind, "invalid_id", project).inc(checked.rejected)
        return Accepted(checked.accepted, checked.rejected, _why_rejected(kind, checked.rejected))

    async def _keep(self, frame: Frame, key: str) -> None:
        """Put it on disk; it counts against the quota before, as many may be on their way at once."""
        size = len(frame.payload)
        self._quotas.book(key, frame.records, size)
        try:
            await self._journal.append(frame)
        except BaseException:
            self._quotas.book(key, -frame.records, -size)
            raise

    def _count(self, frame: Frame, transport: str) -> None:
        kind, project = frame.kind, frame.project
        counters = self._counters.get((kind, project, transport))
        if counters is None:
            counters = self._counters[kind, project, transport] = _Counters(
                self._metrics.received_records.labels(kind, project, transport),
                self._metrics.received_requests.labels(kind, project, transport),
                self._metrics.received_bytes.labels(kind, project, transport),
            )
        counters.requests.inc()
        if frame.records:
            counters.records.inc(frame.records)
            counters.payload_bytes.inc(len(frame.payload))
            self._last_received(project).set(frame.received_ns / 1e9)

    def _last_received(self, project: str) -> Gauge:
        """Return the project's gauge, which is shown from the first record on: 0 would mean 1970."""
        gauge = self._last.get(project)
        if gauge is None:
            gauge = self._last[project] = self._metrics.last_received_timestamp_seconds.labels(project)
        return gauge


def _why_rejected(kind: RequestKind, count: int) -> str:
    name = _RECORD_NAMES[kind]
    plural = "s" if count > 1 else ""
    return f"{count} {name}{plural} refused: a trace id has 16 bytes and a span id 8, not all zero"
