"""One attempt to deliver a batch, and what the answer means."""

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Literal, NamedTuple

import requests
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

from glasshouse.delivery.batch import Batch, Signal
from glasshouse.delivery.destinations import Destination

_MOST_ANSWER_BYTES = 64 << 10
_MOST_REASON = 300
_PROTOBUF = "application/x-protobuf"

# What the specification lets be sent again, and 408, which means the same.
_LATER = frozenset({408, 429, 502, 503, 504})
# These refuse the key or the address, not the batch: it waits until someone has put them right.
_MISDIRECTED = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 407})
_MISDIRECTED_SECONDS = 60.0
_LONGEST_RETRY_AFTER = 3600.0

_NO_CONNECTION = (requests.ConnectTimeout, requests.exceptions.SSLError, requests.exceptions.ProxyError)
_ANSWERS: Mapping[Signal, tuple[type[Message], str]] = {
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
}


class Outcome(NamedTuple):
    """What an attempt came to.

    `delivered`, with the number of records that were left out; `later`, with the seconds to wait where
    they are told, and whether the batch itself may be the cause; `refused`: this batch, for good.
    """

    kind: Literal["delivered", "later", "refused"]
    reason: str = ""
    wait: float | None = None
    suspicious: bool = False
    rejected: int = 0


def exchange(batch: Batch, destination: Destination, session: requests.Session) -> Outcome:
    """Send a batch once, twice where a kept connection turns out to be closed; nothing is raised."""
    for last in (False, True):
        try:
            return _attempt(batch, destination, session)
        except (requests.ConnectionError, HTTPError) as failure:
            if last or _unreachable(failure):
                return Outcome("later", _text(failure), suspicious=not _unreachable(failure))
        except requests.Timeout as failure:
            return Outcome("later", _text(failure), suspicious=True)
        except ValueError as failure:  # what requests raises for an address or a header that is wrong
            return Outcome("later", _text(failure), _MISDIRECTED_SECONDS)
        except Exception as failure:  # noqa: BLE001 - a credential provider may raise anything
            return Outcome("later", _text(failure))
    raise AssertionError("the second attempt returns")


def _attempt(batch: Batch, destination: Destination, session: requests.Session) -> Outcome:
    headers = {**destination.headers, "content-type": batch.content_type}
    if batch.content_encoding:
        headers["content-encoding"] = batch.content_encoding
    with session.request(
        "POST",
        destination.url,
        data=batch.body,
        headers=headers,
        timeout=destination.timeout,
        verify=destination.verify,
        cert=destination.cert,
        proxies=dict(destination.proxies),
        allow_redirects=False,
        stream=True,
    ) as response:
        return _outcome(batch.signal, response, _answer(response))


def _answer(response: requests.Response) -> bytes:
    # The status has said what matters; an answer that breaks off, or does not end, changes nothing.
    try:
        return bytes(response.raw.read(_MOST_ANSWER_BYTES, decode_content=True))
    except (HTTPError, OSError):
        return b""


def _outcome(signal: Signal, response: requests.Response, answer: bytes) -> Outcome:
    status = response.status_code
    protobuf = response.headers.get("content-type", "").partition(";")[0].strip() == _PROTOBUF
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        rejected, reason = _partial_success(signal, answer) if protobuf else (0, "")
        return Outcome("delivered", reason, rejected=rejected)
    reason = f"{status} {_message(answer, protobuf=protobuf) or response.reason}"
    if status in _LATER:
        wait = _retry_after(response.headers.get("retry-after"))
        return Outcome("later", reason, wait, suspicious=status in {502, 504})
    if status in _MISDIRECTED:
        return Outcome("later", reason, _MISDIRECTED_SECONDS)
    return Outcome("refused", reason)


def _partial_success(signal: Signal, answer: bytes) -> tuple[int, str]:
    message, rejected = _ANSWERS[signal]
    partial: Any = _decoded(message, answer)
    if partial is None:
        return 0, ""
    partial = partial.partial_success
    return max(0, getattr(partial, rejected)), _printable(partial.error_message)


def _message(answer: bytes, *, protobuf: bool) -> str:
    if protobuf:
        status: Any = _decoded(Status, answer)
        return _printable(status.message) if status else ""
    return _printable(answer[:_MOST_REASON].decode(errors="replace"))


def _decoded(message: type[Message], answer: bytes) -> Message | None:
    try:
        return message.FromString(answer)
    except DecodeError:
        return None


def _retry_after(written: str | None) -> float | None:
    if written is None:
        return None
    try:
        seconds = float(written)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(written).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER) if math.isfinite(seconds) else None


def _unreachable(failure: Exception) -> bool:
    """Whether no connection came about, so that the batch cannot be the cause."""
    if isinstance(failure, _NO_CONNECTION):
        return True
    cause = failure.args[0] if failure.args else None
    return isinstance(getattr(cause, "reason", None), NewConnectionError | NameResolutionError)


def _text(failure: Exception) -> str:
    cause = failure.args[0] if failure.args else None
    inner = getattr(cause, "reason", None)
    # The whole text of requests holds the address, which may hold a password.
    if isinstance(inner, NewConnectionError):
        return _printable(str(inner).rpartition(": ")[2])
    return type(inner or failure).__name__


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text[:_MOST_REASON]).strip()
