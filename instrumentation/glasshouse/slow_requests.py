"""Requests that take longer than `slow_request_seconds`: marked on their span, counted, and logged."""

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace
from opentelemetry.sdk.trace import Span, SpanProcessor

from glasshouse.failures import contained
from glasshouse.metrics import counter

if TYPE_CHECKING:
    from glasshouse.settings import Settings

log = logging.getLogger("glasshouse.slow_requests")

# Of what is known when a request ends, this is little enough to count by.
_COUNTED_BY = ("http.request.method", "http.route", "rpc.system", "rpc.service", "rpc.method")
_LONG_BY_NATURE = frozenset({"ws", "wss"})

MARK = "glasshouse.slow_request"

slow_requests = counter(
    "glasshouse.slow_requests",
    "{request}",
    "Requests that took longer than the setting slow_request_seconds.",
)


def span_processors(settings: "Settings") -> list[SpanProcessor]:
    """Return what is to see each span; nothing where the setting is 0."""
    return [SlowRequests(settings.slow_request_seconds)] if settings.slow_request_seconds > 0 else []


class SlowRequests(SpanProcessor):
    """Marks server spans that took longer than so many seconds, before they are exported; not websockets."""

    def __init__(self, seconds: float) -> None:
        self._nanoseconds = int(seconds * 1e9)

    def _on_ending(self, span: Span) -> None:
        if span.kind is not trace.SpanKind.SERVER or span.start_time is None or span.end_time is None:
            return
        elapsed = span.end_time - span.start_time
        if elapsed > self._nanoseconds:
            with contained("marking a slow request"):
                self._tell(span, elapsed / 1e9)

    def _tell(self, span: Span, seconds: float) -> None:
        attributes = span.attributes or {}
        if _LONG_BY_NATURE & {attributes.get("url.scheme"), attributes.get("http.scheme")}:
            return
        slow_requests.add(1, {name: attributes.get(name) for name in _COUNTED_BY})
        token = context.attach(trace.set_span_in_context(span))
        try:
            log.warning(
                "slow request: %s took %.3f s, more than %g s", span.name, seconds, self._nanoseconds / 1e9
            )
        finally:
            context.detach(token)
        _mark(span)


def _mark(span: Span) -> None:
    if span.is_recording():
        span.set_attribute(MARK, True)
        return
    # By the specification a span can still be changed here, but up to 1.45 the SDK closes it before.
    attributes: Any = span._attributes  # noqa: SLF001
    attributes._immutable = False  # noqa: SLF001
    try:
        attributes[MARK] = True
    finally:
        attributes._immutable = True  # noqa: SLF001
