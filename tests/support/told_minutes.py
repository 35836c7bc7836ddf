"""Minutes of requests to a few services, up to now: calm ones, and some in which something fails."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.store import Store
from kept_records import keep

SECOND = 10**9
MINUTE = 60 * SECOND
MS = 10**6
NOW = time.time_ns() // MINUTE * MINUTE
"""The beginning of this minute, when the tests began."""


@dataclass(frozen=True)
class Minutes:
    """Requests of the minutes from so many ago up to now, `rate` a minute; the last `failing` fail.

    In failing minutes the service `payment` raises, and all that wait for it fail.
    """

    ago: int
    rate: int = 20
    failing: int = 0


def keep_minutes(store: Store, project: str, minutes: Minutes) -> None:
    """Make the requests and keep them."""
    dice = random.Random(project)
    request = ExportTraceServiceRequest()
    scopes = {}
    for service in ("gateway", "checkout", "payment"):
        of = request.resource_spans.add()
        of.resource.attributes.add(key="service.name").value.string_value = service
        of.resource.attributes.add(key="service.version").value.string_value = "1.0"
        scopes[service] = of.scope_spans.add().spans
    for number, at in enumerate(_times(minutes, dice)):
        failed = at >= NOW - minutes.failing * MINUTE
        trace = dice.getrandbits(128).to_bytes(16, "big")
        took = 20 * MS + dice.randrange(10 * MS)
        for place, (service, name, kind) in enumerate(
            (
                ("gateway", "POST /orders", Span.SPAN_KIND_SERVER),
                ("checkout", "checkout", Span.SPAN_KIND_SERVER),
                ("payment", "POST /pay", Span.SPAN_KIND_SERVER),
            )
        ):
            span = scopes[service].add(
                trace_id=trace,
                span_id=(number * 8 + place + 1).to_bytes(8, "big"),
                parent_span_id=(number * 8 + place).to_bytes(8, "big") if place else b"",
                name=name,
                kind=kind,
                start_time_unix_nano=at + place * MS,
                end_time_unix_nano=at + took - place * MS,
            )
            if failed:
                span.status.code = Status.STATUS_CODE_ERROR
                span.status.message = f"{name} failed"
            if failed and service == "payment":
                raised = span.events.add(name="exception", time_unix_nano=at + 3 * MS)
                raised.attributes.add(key="exception.type").value.string_value = "CardDeclined"
                raised.attributes.add(key="exception.message").value.string_value = "no money \x1b[31m"
    keep(store, RequestKind.TRACES, Signal.TRACES, request, f"minutes-{project}", project)


def _times(minutes: Minutes, dice: random.Random) -> Iterator[int]:
    """Return when requests begin: evenly, but for some seconds."""
    for minute in range(minutes.ago, 0, -1):
        for turn in range(minutes.rate):
            yield NOW - minute * MINUTE + turn * MINUTE // minutes.rate + dice.randrange(SECOND)
