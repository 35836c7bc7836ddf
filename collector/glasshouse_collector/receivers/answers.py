"""What an OTLP server answers, in protobuf and in JSON.

Source: the OTLP 1.11 specification, "OTLP/gRPC Response", "OTLP/HTTP Response". The three
`Export…PartialSuccess` messages have the same field numbers, so one encoding serves them all.
"""

import orjson
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from grpc import StatusCode
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.components import Accepted
from glasshouse_collector.receivers.refusals import Refusal

MESSAGE_LIMIT = 400
"""Characters of a message; the rest is cut. Over gRPC a message stands thrice in the trailers, of
which clients take 8 KiB by default."""

SUCCESS_PROTOBUF = b""
SUCCESS_JSON = b"{}"

_REJECTED_FIELD = {
    RequestKind.TRACES: "rejectedSpans",
    RequestKind.LOGS: "rejectedLogRecords",
    RequestKind.METRICS: "rejectedDataPoints",
}


def success_protobuf(accepted: Accepted) -> bytes:
    """Return an `Export…ServiceResponse`; `partial_success` is unset where there is nothing to say."""
    if not accepted.rejected and not accepted.message:
        return SUCCESS_PROTOBUF
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = accepted.rejected
    response.partial_success.error_message = shorten(accepted.message)
    return response.SerializeToString()


def success_json(kind: RequestKind, accepted: Accepted) -> bytes:
    """Return the same in JSON, where a 64-bit integer is a string."""
    if not accepted.rejected and not accepted.message:
        return SUCCESS_JSON
    rejected = {_REJECTED_FIELD[kind]: str(accepted.rejected)} if accepted.rejected else {}
    return orjson.dumps({"partialSuccess": {**rejected, "errorMessage": shorten(accepted.message)}})


def status_protobuf(refusal: Refusal) -> bytes:
    """Return a `google.rpc.Status`, with a `RetryInfo` or a `BadRequest` where that is the reason."""
    message = shorten(refusal.message)
    status = Status(code=refusal.code.value[0], message=message)
    if refusal.retry_after is not None:
        seconds, nanos = divmod(int(max(refusal.retry_after, 0.0) * 1e9), 10**9)
        retry = RetryInfo(retry_delay=Duration(seconds=seconds, nanos=nanos))
        status.details.add().Pack(retry)
    elif refusal.code is StatusCode.INVALID_ARGUMENT:
        violation = BadRequest.FieldViolation(field="request", description=message)
        status.details.add().Pack(BadRequest(field_violations=[violation]))
    serialized: bytes = status.SerializeToString()
    return serialized


def status_json(refusal: Refusal) -> bytes:
    """Return the code and message of a `google.rpc.Status` in JSON."""
    return orjson.dumps({"code": refusal.code.value[0], "message": shorten(refusal.message)})


def shorten(message: str) -> str:
    """Return what of `message` fits into an answer."""
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"
