"""Why a request is refused, and what each transport says then.

| fault | gRPC | HTTP | send again |
|---|---|---|---|
| `Undecodable` | INVALID_ARGUMENT | 400 | never |
| `Unauthenticated` | UNAUTHENTICATED | 401 | never |
| `Forbidden` | PERMISSION_DENIED | 403 | never |
| `TooLarge` | RESOURCE_EXHAUSTED | 413 | never |
| `LimitReached` | RESOURCE_EXHAUSTED | 429 | after the time it names |
| `Backpressure` | UNAVAILABLE | 503 | after the time it names |
| any other | UNAVAILABLE | 503 | after a few seconds |
"""

import logging
from dataclasses import dataclass

from grpc import StatusCode

from glasshouse_collector.core.errors import (
    Backpressure,
    Forbidden,
    LimitReached,
    TooLarge,
    Unauthenticated,
    Undecodable,
)

log = logging.getLogger(__name__)

RETRY_AFTER_FAULT = 5.0
"""Seconds until a sender comes back after a fault that is ours."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused request: `reason` is its label in the metrics, `code` is its google.rpc.Code.

    `retry_after` is in seconds, None where the same request must not be sent again.
    """

    reason: str
    code: StatusCode
    http_status: int
    message: str
    retry_after: float | None = None


def refusal_of(fault: Exception) -> Refusal:
    """Return what to answer; a fault of ours is logged, and the sender told to send again."""
    match fault:
        case Undecodable():
            return Refusal("undecodable", StatusCode.INVALID_ARGUMENT, 400, str(fault))
        case Unauthenticated():
            return Refusal("unauthenticated", StatusCode.UNAUTHENTICATED, 401, str(fault))
        case Forbidden():
            return Refusal("forbidden", StatusCode.PERMISSION_DENIED, 403, str(fault))
        case TooLarge():
            return Refusal("too_large", StatusCode.RESOURCE_EXHAUSTED, 413, str(fault))
        case Backpressure():
            return _later(fault)
    log.error("a request could not be taken; its sender was told to send it again", exc_info=fault)
    message = "the collector failed to take the request, its log says why: send it again"
    return Refusal("fault", StatusCode.UNAVAILABLE, 503, message, RETRY_AFTER_FAULT)


def _later(fault: Backpressure) -> Refusal:
    if isinstance(fault, LimitReached):  # it takes a RetryInfo for OTLP to have this code sent again
        return Refusal(fault.limit, StatusCode.RESOURCE_EXHAUSTED, 429, str(fault), fault.retry_after)
    return Refusal("backpressure", StatusCode.UNAVAILABLE, 503, str(fault), fault.retry_after)
