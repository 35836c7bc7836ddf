"""The collector watches itself: its own traces, logs and metrics go through its own door.

    API spans, log records ──▶ SDK (sampled, batched) ──▶ Delivery ──▶ Door, project _self
    Prometheus registry ──── every 30 s ────────────────▶ Delivery ──▶ Door, project _self

Nothing is observed while such a request is put on disk, it never blocks the collector, and what
the journal has no room for is dropped and counted (`glasshouse_self_dropped`).
"""

import asyncio
import logging
import os
import threading
import uuid
from importlib.metadata import version
from typing import Self

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from glasshouse_collector.core.components import Door
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.selfwatch.delivery import Delivery, SelfLogExporter, SelfSpanExporter
from glasshouse_collector.selfwatch.logs import LEVELS, SelfLogHandler
from glasshouse_collector.selfwatch.reader import MetricsReader
from glasshouse_collector.selfwatch.sampling import Unsuppressed

METRICS_SECONDS = 30.0
_PROBES = "/health$,/ready$,/live$,/metrics$"  # asked every few seconds, and never of interest

log = logging.getLogger(__name__)


class SelfWatch:
    """Watches one collector, from `start` to `stop`.

    `OTEL_SDK_DISABLED`, `OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES` and the SDK's batching
    variables apply as they do to any application.
    """

    def __init__(self, delivery: Delivery, metrics: Metrics | None, metrics_seconds: float) -> None:
        resource = Resource.create(
            {
                SERVICE_NAME: "glasshouse-collector",
                SERVICE_VERSION: version("glasshouse"),
                SERVICE_INSTANCE_ID: str(uuid.uuid4()),
            }
        )
        self._delivery = delivery
        self._spans = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._spans.sampler = Unsuppressed(self._spans.sampler)  # around the one the environment chose
        self._logs = LoggerProvider(resource, shutdown_on_exit=False)
        self._reader: MetricsReader | None = None
        if metrics is not None:
            self._reader = MetricsReader(metrics.registry, resource, delivery, metrics_seconds)
        self._handlers: dict[str, SelfLogHandler] = {}

    @classmethod
    def start(
        cls,
        door: Door,
        loop: asyncio.AbstractEventLoop,
        metrics: Metrics | None = None,
        *,
        metrics_seconds: float = METRICS_SECONDS,
    ) -> Self:
        """Begin to hand telemetry to `door`, which belongs to `loop`.

        `metrics` are the collector's own: they count what had to be dropped, and are stored every
        `metrics_seconds`. Without them there are traces and log records only.
        """
        watch = cls(Delivery(door, loop, metrics or Metrics()), metrics, metrics_seconds)
        if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true":
            watch._begin()
        return watch

    @property
    def tracer(self) -> trace.Tracer:
        """Makes spans of the collector."""
        return self._spans.get_tracer("glasshouse_collector", version("glasshouse"))

    def instrument(self, app: FastAPI) -> None:
        """Trace every request to `app` but the probes; call it before the app is served."""
        # The stable names (http.request.method); the instrumentation's default is still the old ones.
        os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
        FastAPIInstrumentor.instrument_app(
            app,
            tracer_provider=self._spans,
            meter_provider=NoOpMeterProvider(),
            excluded_urls=_PROBES,
            exclude_spans=["receive", "send"],
            # Where OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST asks for headers: not for keys.
            http_capture_headers_sanitize_fields=["authorization", "cookie", "x-api-key"],
        )

    def stop(self, deadline_seconds: float = 5.0) -> None:
        """Deliver what is queued; what is left at the deadline is dropped and counted.

        Blocks, so it is called from another thread than the loop's. May be called repeatedly.
        """
        for name, handler in self._handlers.items():
            logging.getLogger(name).removeHandler(handler)
        self._handlers.clear()
        flushing = threading.Thread(target=self._flush, name="selfwatch-flush", daemon=True)
        flushing.start()
        flushing.join(deadline_seconds)
        if flushing.is_alive():
            log.warning("the collector's own telemetry was not all stored within %s s", deadline_seconds)
        self._delivery.close()

    def _begin(self) -> None:
        self._spans.add_span_processor(BatchSpanProcessor(SelfSpanExporter(self._delivery)))
        self._logs.add_log_record_processor(BatchLogRecordProcessor(SelfLogExporter(self._delivery)))
        for name, level in LEVELS.items():
            self._handlers[name] = handler = SelfLogHandler(self._logs, level)
            logging.getLogger(name).addHandler(handler)
        if self._reader is not None:
            self._reader.start()

    def _flush(self) -> None:
        if self._reader is not None:
            self._reader.stop()
        self._spans.shutdown()
        self._logs.shutdown()
