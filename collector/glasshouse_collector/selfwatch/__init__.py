"""The collector watches itself: its own traces, logs and metrics go through its own door.

    API spans, log records ──▶ SDK (sampled, batched) ──▶ Delivery ──▶ Door, project _self
    Prometheus registry ──── every 30 s ────────────────▶ Delivery ──▶ Door, project _self

Nothing is observed while such a request is put on disk, it never blocks the collector, and what
the journal has no room for is dropped and counted (`glasshouse_self_dropped`).
"""

import asyncio
import contextlib
import logging
import os
import time
import uuid
from importlib.metadata import version

from fastapi import FastAPI
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.components import Door
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.selfwatch.delivery import Delivery, SelfLogExporter, SelfSpanExporter
from glasshouse_collector.selfwatch.logs import LEVELS, SelfLogHandler
from glasshouse_collector.selfwatch.metrics import read_registry
from glasshouse_collector.selfwatch.sampling import Unsuppressed

METRICS_SECONDS = 30.0
_PROBES = "/health$,/ready$,/live$,/metrics$"  # asked every few seconds, and never of interest

_log = logging.getLogger(__name__)


class SelfWatch:
    """Watches one collector, from `start` to `stop`.

    `OTEL_SDK_DISABLED`, `OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES` and the SDK's batching
    variables apply as they do to any application. `stop` is safe without `start`, and repeatedly.
    """

    def __init__(self, metrics: Metrics, *, metrics_seconds: float = METRICS_SECONDS) -> None:
        self._metrics = metrics
        self._metrics_seconds = metrics_seconds
        self._started_ns = time.time_ns()
        self._disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        self._resource = Resource.create(
            {
                SERVICE_NAME: "glasshouse-collector",
                SERVICE_VERSION: version("glasshouse"),
                SERVICE_INSTANCE_ID: str(uuid.uuid4()),
            }
        )
        self._spans = TracerProvider(resource=self._resource, shutdown_on_exit=False)
        self._spans.sampler = Unsuppressed(self._spans.sampler)  # around the one the environment chose
        self._logs = LoggerProvider(self._resource, shutdown_on_exit=False)
        self._handlers: dict[str, SelfLogHandler] = {}
        self._delivery: Delivery | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def tracer(self) -> trace.Tracer:
        """Makes spans of the collector; they go nowhere before `start`."""
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
        )

    def start(self, door: Door, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to hand telemetry to `door`, whose loop is `loop`; call it from that loop."""
        if self._disabled or self._delivery is not None:
            return
        self._delivery = delivery = Delivery(door, loop, self._metrics)
        self._spans.add_span_processor(BatchSpanProcessor(SelfSpanExporter(delivery)))
        self._logs.add_log_record_processor(BatchLogRecordProcessor(SelfLogExporter(delivery)))
        for name, level in LEVELS.items():
            self._handlers[name] = handler = SelfLogHandler(self._logs, level)
            logging.getLogger(name).addHandler(handler)
        # A context of its own: whatever span starts the collector is no parent of this.
        self._reading = loop.create_task(self._read_metrics(delivery), name="selfwatch")

    async def stop(self, deadline_seconds: float = 5.0) -> None:
        """Deliver what is queued, within the deadline; what is left then is dropped and counted."""
        delivery, self._delivery = self._delivery, None
        for name, handler in self._handlers.items():
            logging.getLogger(name).removeHandler(handler)
        self._handlers.clear()
        if delivery is None:
            return
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        flushing = asyncio.create_task(asyncio.to_thread(self._shutdown))
        try:
            async with asyncio.timeout(deadline_seconds):
                await self._deliver_metrics(delivery)
                await asyncio.shield(flushing)
        except TimeoutError:
            _log.warning("the collector's own telemetry was not all stored within %s s", deadline_seconds)
        finally:
            delivery.close()

    def _shutdown(self) -> None:
        self._spans.shutdown()
        self._logs.shutdown()

    async def _read_metrics(self, delivery: Delivery) -> None:
        context.attach(context.Context())
        while True:
            await asyncio.sleep(self._metrics_seconds)
            await self._deliver_metrics(delivery)

    async def _deliver_metrics(self, delivery: Delivery) -> None:
        try:
            with suppress_instrumentation():
                await delivery.accept(RequestKind.METRICS, await asyncio.to_thread(self._encoded_metrics))
        except Exception:  # noqa: BLE001  (watching never fails the collector)
            _log.exception("the collector's own metrics could not be read")

    def _encoded_metrics(self) -> bytes:
        read = read_registry(
            self._metrics.registry, self._resource, now_ns=time.time_ns(), started_ns=self._started_ns
        )
        return encode_metrics(read).SerializeToString()
