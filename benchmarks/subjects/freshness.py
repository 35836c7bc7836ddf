"""From acknowledged to queryable, at 20,000 spans a second: probes send a span and ask until they see it."""

import threading
import time
from collections.abc import Callable
from uuid import uuid4

import grpc
import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from programs import Failed, Glasshouse, Load
from report import Report
from settings import Settings
from workload import GRPC_PATHS, Kind

_RATE = 20_000
_PROBES = 2
_POLL_SECONDS = 0.01
_LOST_SECONDS = 30.0
_SERVICE = "freshness-probe"
_SEEN = """
SELECT count() FROM otel_traces
WHERE Project = 'default' AND ServiceName = {service:String} AND SpanName = {mark:String}
"""


def run(settings: Settings) -> list[Report]:
    """Probe for a minute, from the fifth second of the load on."""
    report = Report("freshness", f"Acknowledged to queryable at {_RATE:,} spans a second")
    with Glasshouse() as collector:
        sending = Load(
            collector.grpc, records=128, in_flight=64, rate=_RATE, seconds=settings.seconds(60) + 5
        )
        time.sleep(5)
        waits = _probe_for(collector, settings.seconds(60))
        sent = sending.finish()
        if sent.records < 0.95 * _RATE * sent.seconds:
            report.notes.append(f"the rate was not kept: {sent.records / sent.seconds:,.0f} spans a second")
        for share in (50, 99):
            report.add(f"p{share}", f"p{share}", "s", float(np.percentile(waits, share)))
        report.add("worst", "worst", "s", max(waits))
        report.add("answer_p99", "time to acknowledge, p99", "s", sent.answer_p99)
        report.notes.append(f"{len(waits)} probes; asked every {_POLL_SECONDS * 1e3:.0f} ms by SQL over HTTP")
    return [report]


def _probe_for(collector: Glasshouse, seconds: float) -> list[float]:
    waits: list[float] = []
    failures: list[Exception] = []
    end = time.monotonic() + seconds

    def probe() -> None:
        with grpc.insecure_channel(collector.grpc) as channel:
            send = channel.unary_unary(GRPC_PATHS[Kind.TRACES], bytes, bytes)
            while time.monotonic() < end:
                try:
                    waits.append(_one(collector, send))
                except (Failed, grpc.RpcError, OSError) as failure:
                    failures.append(failure)
                    return

    probes = [threading.Thread(target=probe) for _ in range(_PROBES)]
    for each in probes:
        each.start()
    for each in probes:
        each.join()
    if failures:
        raise Failed(f"a probe failed: {failures[0]}")
    return waits


def _one(collector: Glasshouse, send: Callable[..., bytes]) -> float:
    """Return the seconds from a span's acknowledgement until a query finds it."""
    mark = uuid4().hex
    send(_marked_span(mark), timeout=30)
    acknowledged = time.monotonic()
    while collector.sql(_SEEN, service=_SERVICE, mark=mark) != [["1"]]:
        if time.monotonic() - acknowledged > _LOST_SECONDS:
            raise Failed(f"a span was acknowledged and not seen within {_LOST_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - acknowledged


def _marked_span(mark: str) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value=_SERVICE)))
    now = time.time_ns()
    group.scope_spans.add().spans.add(
        name=mark,
        trace_id=bytes.fromhex(mark),
        span_id=bytes.fromhex(mark)[:8],
        start_time_unix_nano=now,
        end_time_unix_nano=now + 1000,
    )
    return request.SerializeToString()
