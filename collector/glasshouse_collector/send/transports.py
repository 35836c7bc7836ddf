"""One request over gRPC or HTTP, and what its answer means.

Source: the OTLP 1.11 specification, "Failures" and "OTLP/HTTP Throttling".
"""

import email.utils
import gzip
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import grpc
import urllib3
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.send.certificates import Certificates
from glasshouse_collector.send.endpoint import Endpoint

TIMEOUT_SECONDS: Final = 30.0

_SERVICES: Final = {
    RequestKind.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    RequestKind.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    RequestKind.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
_RETRYABLE_CODES: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_KEY_CODES: Final = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})
_RETRYABLE_STATUSES: Final = frozenset({429, 502, 503, 504})
_HOPELESS_STATUSES: Final = frozenset({301, 302, 303, 307, 308, 405, 415})
_KEY_STATUSES: Final = frozenset({401, 403})
_KEY_HINT: Final = "(a key is sent as --header 'authorization=Bearer <key>')"
_LONGEST_ANSWER: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """The endpoint took the request, but for `rejected` records, for the reason in `message`."""

    rejected: int = 0
    message: str = ""


class TryAgain(Exception):
    """The endpoint may take the request later: after `retry_after` seconds, where it said so."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Refused(Exception):
    """The endpoint will never take the request; where `hopeless`, none of the others either."""

    def __init__(self, reason: str, *, hopeless: bool) -> None:
        super().__init__(reason)
        self.hopeless = hopeless


class Transport(Protocol):
    """Sends requests, from any thread."""

    def send(self, kind: RequestKind, payload: bytes) -> Answer:
        """Send one request in protobuf, once; raises `TryAgain` or `Refused`."""

    def close(self) -> None:
        """Let go of the connections."""


def connect(endpoint: Endpoint, headers: dict[str, str], *, compress: bool, in_flight: int) -> Transport:
    """Return the endpoint's transport; `UserMistake` where the certificates named for it are of no use."""
    certificates = Certificates.named_by() if endpoint.secure else None
    if endpoint.protocol == "grpc":
        return GrpcTransport(endpoint, headers, certificates, compress=compress)
    return HttpTransport(endpoint, headers, certificates, compress=compress, connections=in_flight)


class GrpcTransport:
    """OTLP/gRPC."""

    def __init__(
        self,
        endpoint: Endpoint,
        headers: dict[str, str],
        certificates: Certificates | None = None,
        *,
        compress: bool,
    ) -> None:
        options = [("grpc.max_receive_message_length", _LONGEST_ANSWER)]
        compression = grpc.Compression.Gzip if compress else grpc.Compression.NoCompression
        if certificates is not None:
            credentials = certificates.credentials()
            self._channel = grpc.secure_channel(endpoint.authority, credentials, options, compression)
        else:
            self._channel = grpc.insecure_channel(endpoint.authority, options, compression)
        self._metadata = tuple(headers.items())
        self._exports: dict[RequestKind, Any] = {
            kind: self._channel.unary_unary(f"/{service}/Export", None, None)
            for kind, service in _SERVICES.items()
        }

    def send(self, kind: RequestKind, payload: bytes) -> Answer:
        """Send one request."""
        try:
            return _answer(self._exports[kind](payload, timeout=TIMEOUT_SECONDS, metadata=self._metadata))
        except grpc.RpcError as failed:
            raise _grpc_failure(failed) from None

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


class HttpTransport:
    """OTLP/HTTP in protobuf."""

    def __init__(
        self,
        endpoint: Endpoint,
        headers: dict[str, str],
        certificates: Certificates | None = None,
        *,
        compress: bool,
        connections: int,
    ) -> None:
        self._url = endpoint.url
        self._compress = compress
        self._headers = {**headers, "content-type": "application/x-protobuf"}
        if compress:
            self._headers["content-encoding"] = "gzip"
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            retries=False,
            timeout=TIMEOUT_SECONDS,
            ssl_context=certificates.context() if certificates else None,
        )

    def send(self, kind: RequestKind, payload: bytes) -> Answer:
        """Send one request."""
        body = gzip.compress(payload, compresslevel=1) if self._compress else payload
        try:
            response = self._pool.request(
                "POST",
                f"{self._url}/v1/{kind.value}",
                body=body,
                headers=self._headers,
                redirect=False,
                preload_content=False,
            )
            content = response.read(_LONGEST_ANSWER, decode_content=True)
            if len(content) < _LONGEST_ANSWER:
                response.release_conn()
            else:
                response.close()
        except urllib3.exceptions.HTTPError as failed:
            raise TryAgain(f"no answer: {_one_line(failed)}") from None
        if response.status == 200:  # noqa: PLR2004  (what OTLP calls success)
            return _answer(content)
        reason = (
            f"{response.status} {response.reason or ''}: {_http_message(response.headers, content)}".strip(
                ": "
            )
        )
        if response.status in _RETRYABLE_STATUSES:
            raise TryAgain(reason, _retry_after(response.headers.get("retry-after")))
        if response.status in _KEY_STATUSES:
            raise Refused(f"{reason} {_KEY_HINT}", hopeless=True)
        raise Refused(reason, hopeless=response.status in _HOPELESS_STATUSES)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


def _answer(payload: bytes) -> Answer:
    """Read any `Export…ServiceResponse`: their partial successes have the same field numbers."""
    try:
        partial = ExportTraceServiceResponse.FromString(payload).partial_success
    except DecodeError:
        raise Refused("the answer is no OTLP; is this an OTLP endpoint?", hopeless=True) from None
    return Answer(max(partial.rejected_spans, 0), partial.error_message)


def _grpc_failure(failed: Any) -> TryAgain | Refused:
    code = failed.code()
    reason = f"{code.name}: {_one_line(failed.details())}"
    retry_after = _retry_info(failed)
    exhausted = code is grpc.StatusCode.RESOURCE_EXHAUSTED and retry_after is not None
    if code in _RETRYABLE_CODES or exhausted:
        return TryAgain(reason, retry_after)
    if code in _KEY_CODES:
        return Refused(f"{reason} {_KEY_HINT}", hopeless=True)
    return Refused(reason, hopeless=False)


def _retry_info(failed: Any) -> float | None:
    """Return the seconds of a RetryInfo in the trailers, None where there is none."""
    for name, value in failed.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            try:
                details = Status.FromString(value).details
                for detail in details:
                    info = RetryInfo()
                    if detail.Unpack(info):
                        return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
            except DecodeError:
                return None
    return None


def _retry_after(written: str | None) -> float | None:
    """Read a Retry-After header: seconds, or a date."""
    if written is None:
        return None
    if written.strip().isdecimal():
        return float(written)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(written).timestamp() - time.time())
    except ValueError:
        return None


def _http_message(headers: Mapping[str, str], content: bytes) -> str:
    if "protobuf" in headers.get("content-type", ""):
        try:
            return _one_line(Status.FromString(content).message)
        except DecodeError:
            return ""
    return _one_line(content[:200].decode(errors="replace"))


def _one_line(text: object) -> str:
    return " ".join(str(text).split())[:300]
