"""What the Prometheus exporter costs: CPU of a span, time and size of the page, memory of a series."""

import asyncio
import time
import tracemalloc
from collections.abc import Callable
from itertools import count
from random import Random

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.codec import best_codec
from glasshouse_collector.core.batch import Batch, Frame, Origin, RequestKind, Run
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.exposition import MetricsPage
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.pipeline.form import form
from glasshouse_collector.process import keep_freed_memory
from glasshouse_exporters.prometheus import PrometheusConfig, PrometheusExporter
from meter import CpuMeter
from programs import Failed, Glasshouse, fetch, load, until
from report import Report
from settings import Settings
from subjects.embedded import settle
from workload import SPANS_A_TRACE, Kind, Request, encode

_RECORDS, _REQUESTS = 512, 128
_LINES = 100_000
_LINES_AN_OPERATION = 20
"""One of calls, nineteen of durations with the default buckets."""
_FILL_SECONDS = 120.0
_ACCEPT = {"text": "text/plain", "openmetrics": "application/openmetrics-text; version=1.0.0"}

_segments = count(1)


def run(settings: Settings) -> list[Report]:
    """Measure the three; the share is that of the embedded pipeline's CPU, measured in the same run."""
    keep_freed_memory()  # as the collector does
    report = Report("prometheus", "The Prometheus exporter")
    costs = _costs(settings, PrometheusConfig())
    alone = _costs(settings, PrometheusConfig(service_graph=None))
    new = _costs_of_new_operations(settings)
    pipeline = _embedded_cost(settings)
    report.add(
        "span_cost", "span metrics and service graph, CPU a span", "µs", *(cost * 1e6 for cost in costs)
    )
    report.add("span_metrics_cost", "span metrics alone, CPU a span", "µs", *(cost * 1e6 for cost in alone))
    report.add(
        "new_cost", "the same, each span a new operation above the limit", "µs", *(cost * 1e6 for cost in new)
    )
    report.add(
        "pipeline_cost", "embedded pipeline without it, merges included, CPU a span", "µs", pipeline * 1e6
    )
    report.add("share", "its part of the pipeline's CPU", "", *(cost / pipeline for cost in costs))
    _measure_page(report, settings)
    _measure_memory(report)
    return [report]


def _costs(settings: Settings, config: PrometheusConfig) -> list[float]:
    """Return CPU-seconds a span of deliveries of 65,536 spans each, the first of a warm process apart."""
    requests = [encode(Kind.TRACES, _RECORDS, Random(7), at * _RECORDS) for at in range(_REQUESTS)]
    generator = np.random.default_rng(7)
    exporter, _page = _exporter(config)
    costs = []
    for turn in range(settings.count(20) + 2):
        batch = _batch([_patched(request, generator) for request in requests])
        began = time.process_time()
        asyncio.run(exporter.export(batch))
        if turn > 1:
            costs.append((time.process_time() - began) / batch.records.num_rows)
    return costs


def _costs_of_new_operations(settings: Settings) -> list[float]:
    """Return CPU-seconds a span where each span has a name of its own, and the page is full."""
    exporter, _page = _exporter(PrometheusConfig())
    payload = _operations(_RECORDS * _REQUESTS)
    costs = []
    for turn in range(settings.count(20) + 1):
        batch = _batch([payload.replace(b"/catalog/", b"/%07d/" % turn)])
        began = time.process_time()
        asyncio.run(exporter.export(batch))
        if turn:
            costs.append((time.process_time() - began) / batch.records.num_rows)
    return costs


def _exporter(config: PrometheusConfig) -> tuple[PrometheusExporter, Callable[[], bytes]]:
    services = Services()
    services.provide(Metrics, Metrics())
    services.provide(MetricsPage, MetricsPage())
    exporter = PrometheusExporter(config, services)
    asyncio.run(exporter.start())
    return exporter, lambda: services.get(MetricsPage).render(openmetrics=True)


def _batch(payloads: list[bytes]) -> Batch:
    now = time.time_ns()
    frames = [Frame(RequestKind.TRACES, "default", _RECORDS, now, payload) for payload in payloads]
    (batch,) = form(best_codec(), Run(Origin("bench", next(_segments), 0, len(frames)), frames)).batches
    return batch


def _patched(request: Request, generator: np.random.Generator) -> bytes:
    """Return the request with ids of its own: traces of 8 spans, each the parent of the next."""
    image = np.frombuffer(request.payload, np.uint8).copy()
    slots = request.slots()
    spans = len(slots.span_ids)
    trace_ids = generator.bytes(16 * (spans // SPANS_A_TRACE + 1))
    traces = np.frombuffer(trace_ids, np.uint8).reshape(-1, 16)[np.arange(spans) // SPANS_A_TRACE]
    ids = np.frombuffer(generator.bytes(8 * spans), np.uint8).reshape(-1, 8)
    durations = generator.lognormal(16, 1.5, spans).astype("<u8")
    starts = np.full(spans, time.time_ns(), dtype="<u8")
    image[slots.trace_ids[:, None] + np.arange(16)] = traces
    image[slots.span_ids[:, None] + np.arange(8)] = ids
    parents = ids[np.flatnonzero(np.arange(spans) % SPANS_A_TRACE) - 1]
    image[slots.parent_ids[:, None] + np.arange(8)] = parents
    image[slots.starts[:spans, None] + np.arange(8)] = starts.view(np.uint8).reshape(-1, 8)
    ends = slots.ends[: len(slots.ends)]
    times = np.resize(starts + durations, len(ends)).astype("<u8")
    image[ends[:, None] + np.arange(8)] = times.view(np.uint8).reshape(-1, 8)
    return image.tobytes()


def _embedded_cost(settings: Settings) -> float:
    """Return CPU-seconds a span of gRPC → journal → embedded store, until the merges are at rest."""
    with Glasshouse(exporters=("clickhouse",)) as collector:
        load(collector.grpc, records=_RECORDS, seconds=settings.seconds(4))
        settle(collector)
        meter = CpuMeter(collector.pid)
        sent = load(collector.grpc, records=_RECORDS, seconds=settings.seconds(20))
        settle(collector)
        return meter.spent() / sent.records


def _measure_page(report: Report, settings: Settings) -> None:
    with Glasshouse(exporters=("prometheus",)) as collector:
        page = f"http://{collector.api}/metrics"
        request = _operations(_LINES // _LINES_AN_OPERATION)
        fetch(f"http://{collector.http}/v1/traces", request, {"Content-Type": "application/x-protobuf"})

        def is_full() -> bool:
            collector.alive()
            return collector.metrics()["glasshouse_prometheus_series"] > 0.999 * _LINES

        until(is_full, _FILL_SECONDS, f"the page has {_LINES} lines")
        for name, accept in _ACCEPT.items():
            times, size = [], 0
            for _ in range(settings.count(40)):
                began = time.monotonic()
                size = len(fetch(page, headers={"Accept": accept}))
                times.append(time.monotonic() - began)
            label = f"/metrics with {_LINES:,} series, {name}"
            report.add(f"page_{name}", f"{label}: time", "ms", *(each * 1e3 for each in times))
            report.add(f"page_{name}_worst", f"{label}: the longest", "ms", max(times) * 1e3)
            report.add(f"page_{name}_size", f"{label}: size", "MB", size / 1e6)


def _operations(operations: int) -> bytes:
    """Return a request with one span each of so many operations."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add()
    for key, value in (("service.name", "catalog"), ("deployment.environment.name", "production")):
        attribute = spans.resource.attributes.add(key=key)
        attribute.value.string_value = value
    scope, now, generator = spans.scope_spans.add(), time.time_ns(), Random(7)
    for operation in range(operations):
        scope.spans.add(
            trace_id=generator.randbytes(16),
            span_id=generator.randbytes(8),
            name=f"GET /api/v1/catalog/items/{operation}",
            kind=1,
            start_time_unix_nano=now,
            end_time_unix_nano=now + generator.randrange(10**9),
        )
    whole: bytes = request.SerializeToString()
    return whole


def _measure_memory(report: Report) -> None:
    """Measure what stays allocated for operations that have been seen, each with an exemplar."""
    exporter, page = _exporter(PrometheusConfig())
    # What is made once in a process, and once an exporter, is made before.
    asyncio.run(exporter.export(_batch([_operations(1)])))
    batch = _batch([_operations(_LINES // _LINES_AN_OPERATION)])
    tracemalloc.start()
    before, _peak = tracemalloc.get_traced_memory()
    asyncio.run(exporter.export(batch))
    after, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    lines = sum(not line.startswith(b"#") for line in page().splitlines())
    if lines < 0.999 * _LINES:
        raise Failed(f"the page has {lines} lines instead of {_LINES}")
    report.add("memory_series", "memory of a series (a line of the page)", "bytes", (after - before) / lines)
    operations = _LINES // _LINES_AN_OPERATION
    report.add(
        "memory_operation",
        "memory of an operation's calls and durations",
        "bytes",
        (after - before) / operations,
    )
