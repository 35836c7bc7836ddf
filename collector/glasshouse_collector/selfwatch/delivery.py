"""Carries the collector's own telemetry to its own door, from the SDK's threads."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from glasshouse_collector.core.access import SELF_PROJECT
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.components import Door
from glasshouse_collector.core.errors import Backpressure
from glasshouse_collector.core.metrics import Metrics

_TIMEOUT_SECONDS = 10.0
_TRANSPORT = "self"

log = logging.getLogger(__name__)


class Delivery:
    """Hands requests to the door, on the loop it belongs to; what cannot be taken in is dropped and counted.

    It never raises, and nothing it causes is observed in turn: the suppression of the calling
    thread travels with the task into the loop.
    """

    def __init__(self, door: Door, loop: asyncio.AbstractEventLoop, metrics: Metrics) -> None:
        self._door = door
        self._loop = loop
        self._dropped = metrics.self_dropped
        self._closed = False
        self._waiting: set[Future[bool]] = set()

    def close(self) -> None:
        """Drop everything from now on, and what is being delivered."""
        self._closed = True
        for kept in tuple(self._waiting):
            kept.cancel()

    def deliver(self, kind: RequestKind, payload: bytes) -> bool:
        """Put a request on disk, from a thread that is not the loop's; True when it is kept."""
        if self._closed or self._loop.is_closed():
            self._drop(kind, "stopped")
            return False
        try:
            with suppress_instrumentation():
                kept = asyncio.run_coroutine_threadsafe(self.accept(kind, payload), self._loop)
        except RuntimeError:  # the loop was closed meanwhile
            self._drop(kind, "stopped")
            return False
        self._waiting.add(kept)
        try:
            return kept.result(_TIMEOUT_SECONDS)
        except TimeoutError:
            kept.cancel()
            self._drop(kind, "timeout")
        except CancelledError:
            self._drop(kind, "stopped")
        finally:
            self._waiting.discard(kept)
        return False

    async def accept(self, kind: RequestKind, payload: bytes) -> bool:
        """Put a request on disk, from the loop; True when it is kept."""
        try:
            await self._door.accept(kind, payload, SELF_PROJECT, transport=_TRANSPORT)
        except Backpressure:
            # Our senders' records go first: our own would only make the journal fuller.
            self._drop(kind, "backpressure")
            return False
        except Exception as failed:  # noqa: BLE001  (watching never fails the collector)
            log.debug("the collector's own %s could not be taken in: %s", kind, failed)
            self._drop(kind, "error")
            return False
        return True

    def _drop(self, kind: RequestKind, reason: str) -> None:
        self._dropped.labels(kind.value, reason).inc()


class SelfSpanExporter(SpanExporter):
    """Exports spans to the collector's own door."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Deliver `spans` as one request."""
        kept = self._delivery.deliver(RequestKind.TRACES, encode_spans(spans).SerializeToString())
        return SpanExportResult.SUCCESS if kept else SpanExportResult.FAILURE


class SelfLogExporter(LogRecordExporter):
    """Exports log records to the collector's own door."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Deliver `batch` as one request."""
        kept = self._delivery.deliver(RequestKind.LOGS, encode_logs(batch).SerializeToString())
        return LogRecordExportResult.SUCCESS if kept else LogRecordExportResult.FAILURE

    def shutdown(self) -> None:
        """Nothing is held here."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held here."""
        del timeout_millis
        return True
