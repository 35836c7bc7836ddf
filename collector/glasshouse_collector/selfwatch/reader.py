"""Reads the collector's metrics again and again, and hands them over as OTLP."""

import logging
import threading
import time

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.selfwatch.delivery import Delivery
from glasshouse_collector.selfwatch.metrics import read_registry

log = logging.getLogger(__name__)


class MetricsReader:
    """Delivers a registry's metrics every `seconds`, and once more at `stop`, from a thread of its own."""

    def __init__(
        self, registry: CollectorRegistry, resource: Resource, delivery: Delivery, seconds: float
    ) -> None:
        self._registry = registry
        self._resource = resource
        self._delivery = delivery
        self._seconds = seconds
        self._started_ns = time.time_ns()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin reading."""
        self._thread = threading.Thread(target=self._run, name="selfwatch-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read once more and end; safe without `start`, and repeatedly."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        with suppress_instrumentation():
            while not self._stopping.wait(self._seconds):
                self._read()
            self._read()

    def _read(self) -> None:
        try:
            read = read_registry(
                self._registry, self._resource, now_ns=time.time_ns(), started_ns=self._started_ns
            )
            self._delivery.deliver(RequestKind.METRICS, encode_metrics(read).SerializeToString())
        except Exception:
            log.debug("the collector's own metrics could not be read", exc_info=True)
