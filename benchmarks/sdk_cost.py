"""What one log call, span or request costs an application; run by `subjects/sdk.py`, each time afresh.

    python benchmarks/sdk_cost.py request glasshouse http://127.0.0.1:4318

It prints JSON: the microseconds of CPU time one of them takes, in the thread that it runs in (`call`) and in
all threads of the process until everything is exported (`process`).
"""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from opentelemetry import _logs, metrics, trace

BLOCKS = {"log": 200, "structured_log": 200, "span": 200, "request": 60}
_CALLS = 256
"""In a block; half of what a batch holds, so that nothing is exported while it is timed, or dropped."""
_WARM_BLOCKS = 10

Work = Callable[[], object]


def main() -> None:
    """Time blocks of calls, with a flush after each that the calling thread only waits for."""
    what, variant, endpoint, scale = sys.argv[1:]
    _VARIANTS[variant](endpoint)
    work = _WORKS[what](variant)
    blocks = max(5, int(BLOCKS[what] * float(scale)))
    calls = _CALLS if what != "request" else _CALLS // 4
    for _ in range(_WARM_BLOCKS):
        _repeat(work, calls)
        _flush()
    began = time.process_time_ns()
    timed = []
    for _ in range(blocks):
        timed.append(_repeat(work, calls))
        _flush()
    spent = time.process_time_ns() - began
    found = {"call": median(timed) / calls / 1e3, "process": spent / blocks / calls / 1e3}
    print(json.dumps(found), flush=True)
    os._exit(0)  # the end of a process is not what is measured


def _repeat(work: Work, calls: int) -> int:
    began = time.thread_time_ns()
    for _ in range(calls):
        work()
    return time.thread_time_ns() - began


def _flush() -> None:
    for provider in (trace.get_tracer_provider(), _logs.get_logger_provider()):
        flush = getattr(provider, "force_flush", None)
        if flush is not None:
            flush()
    delivery = sys.modules.get("glasshouse.delivery")
    if delivery is not None:
        delivery.flush()  # the plain exporters have sent by now; so has it then


def _application_logs() -> None:
    # An application has a handler with a format; where it writes costs all variants alike.
    stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    logging.basicConfig(
        stream=stream, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )


def _none(_endpoint: str) -> None:
    _application_logs()


def set_up_opentelemetry(endpoint: str) -> None:
    """Set up what `opentelemetry-instrument` would, sending as much, by the same conventions."""
    from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: PLC0415 - not in each variant
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.instrumentation.logging import LoggingInstrumentor  # noqa: PLC0415
    from opentelemetry.sdk._logs import LoggerProvider  # noqa: PLC0415
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    _application_logs()
    resource = Resource.create({"service.name": "benchmark"})
    tracers, loggers = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    spans = OTLPSpanExporter(f"{endpoint}/v1/traces", compression=Compression.Gzip)
    tracers.add_span_processor(BatchSpanProcessor(spans))
    logs = OTLPLogExporter(f"{endpoint}/v1/logs", compression=Compression.Gzip)
    loggers.add_log_record_processor(BatchLogRecordProcessor(logs))
    exporter = OTLPMetricExporter(f"{endpoint}/v1/metrics", compression=Compression.Gzip)
    trace.set_tracer_provider(tracers)
    _logs.set_logger_provider(loggers)
    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(exporter)], resource))
    LoggingInstrumentor().instrument()


def _glasshouse(endpoint: str) -> None:
    import glasshouse  # noqa: PLC0415 - not in each variant

    _application_logs()
    glasshouse.configure("benchmark", endpoint=endpoint)


_VARIANTS = {"none": _none, "opentelemetry": set_up_opentelemetry, "glasshouse": _glasshouse}


def _log(_variant: str) -> Work:
    log = logging.getLogger("shop.orders")
    tracer = trace.get_tracer("benchmark")
    trace.use_span(tracer.start_span("request")).__enter__()

    def call() -> None:
        log.info("order %s placed", "o-1042", extra={"amount": 99.5, "country": "NO"})

    return call


def _structured_log(variant: str) -> Work:
    import structlog  # noqa: PLC0415 - not in each measurement

    tracer = trace.get_tracer("benchmark")
    trace.use_span(tracer.start_span("request")).__enter__()
    log: Any
    if variant == "glasshouse":
        import glasshouse  # noqa: PLC0415

        log = glasshouse.get_logger("shop.orders")
    else:
        # structlog's own way to hand fields on to `logging`, which both exporters then see.
        structlog.configure(
            processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
            wrapper_class=structlog.stdlib.BoundLogger,
            logger_factory=structlog.stdlib.LoggerFactory(),
            cache_logger_on_first_use=True,
        )
        log = structlog.stdlib.get_logger("shop.orders")
    return lambda: log.info("order placed", order="o-1042", amount=99.5, country="NO")


def _span(variant: str) -> Work:
    if variant == "none":
        return lambda: None
    if variant == "glasshouse":
        import glasshouse  # noqa: PLC0415

        span = glasshouse.span

        def ours() -> None:
            with span("checkout", cart="c-1042", amount=99.5, items=3):
                pass

        return ours
    tracer = trace.get_tracer("benchmark")

    def plain() -> None:
        attributes: dict[str, str | float] = {"cart": "c-1042", "amount": 99.5, "items": 3}
        with tracer.start_as_current_span("checkout", attributes=attributes):
            pass

    return plain


def _request(variant: str) -> Work:
    from fastapi import FastAPI  # noqa: PLC0415 - not in each measurement

    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def order(order_id: int) -> dict[str, int]:
        return {"id": order_id}

    if variant == "opentelemetry":
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor  # noqa: PLC0415

        FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"])
    loop = asyncio.new_event_loop()
    scope = _scope()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise RuntimeError(f"status {message['status']}")

    return lambda: loop.run_until_complete(app({**scope, "state": {}}, receive, send))


def _scope() -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/orders/1042",
        "raw_path": b"/orders/1042",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"shop.example.com"), (b"user-agent", b"benchmark"), (b"accept", b"*/*")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }


_WORKS = {"log": _log, "structured_log": _structured_log, "span": _span, "request": _request}

if __name__ == "__main__":
    main()
