"""The codec in Python: a walk over protobuf's own objects, row by row, written to be read.

It serves where the native extension is not installed, and it is the oracle the native codec is held
against: the two give equal batches, or both raise `Undecodable`. What a sender may get wrong is
settled here once for both:

- An id of the wrong length or all zero is refused in a span's own trace and span id, and stands as
  the empty text everywhere else.
- Unknown numbers of enumerations that stand as text, and of severities, count as the enumeration's zero.
- Times after the year 2262 stand as the last nanosecond an int64 holds; a span that ends before its
  start lasts 0.
- Values that are not there are 0, 0.0 or the empty text.
- Resource and scope attributes are repeated on every record, so a request may not have them
  repeated more than `EXPANSION` times for each of its bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from glasshouse_collector.codec import MOST_BYTES, Checked, Decoded
from glasshouse_collector.codec.anyvalue import attributes_of, text_of
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.errors import Undecodable
from glasshouse_collector.core.schema import DECODED

Request: TypeAlias = ExportTraceServiceRequest | ExportLogsServiceRequest | ExportMetricsServiceRequest
Envelope: TypeAlias = ResourceSpans | ResourceLogs | otlp.ResourceMetrics
Row: TypeAlias = tuple[Any, ...]

EXPANSION = 8
"""How often a request's resource and scope attributes may be repeated, for each byte of it."""

_REQUESTS: Final[dict[RequestKind, type[Request]]] = {
    RequestKind.TRACES: ExportTraceServiceRequest,
    RequestKind.LOGS: ExportLogsServiceRequest,
    RequestKind.METRICS: ExportMetricsServiceRequest,
}
_TRACE_ID_BYTES = 16
_SPAN_ID_BYTES = 8
_LAST_TIME = 2**63 - 1
_LAST_SEVERITY = 24
_SPAN_KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
_STATUS_CODES = ("Unset", "Ok", "Error")


class UpbCodec:
    """Reads OTLP protobuf through the `opentelemetry-proto` package."""

    name: Literal["native", "python"] = "python"

    def check(self, kind: RequestKind, payload: bytes) -> Checked:
        """Return the counts; raises `Undecodable`."""
        request = _parse(kind, payload)
        rejected = 0
        if isinstance(request, ExportTraceServiceRequest):
            rejected = sum(
                not _has_valid_ids(span)
                for resource in request.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            )
        return Checked(sum(_records(scope) for scope in _scopes(request)) - rejected, rejected)

    def decode(self, kind: RequestKind, payloads: Sequence[bytes]) -> dict[Signal, Decoded]:
        """Return the signals that have rows (an empty dict where none has); raises `Undecodable`.

        OverflowError for more than `MOST_BYTES` at once.
        """
        if sum(map(len, payloads)) > MOST_BYTES:
            raise OverflowError(f"more than {MOST_BYTES} bytes to decode: pass fewer requests at once")
        rows: dict[Signal, list[Row]] = {}
        rows_of: dict[Signal, list[int]] = {}
        for number, payload in enumerate(payloads):
            for signal, row in _rows(_parse(kind, payload)):
                rows.setdefault(signal, []).append(row)
                rows_of.setdefault(signal, [0] * len(payloads))[number] += 1
        return {
            signal: Decoded(_batch(signal, rows[signal]), rows_of[signal])
            for signal in Signal
            if signal in rows
        }


def _parse(kind: RequestKind, payload: bytes) -> Request:
    try:
        request = _REQUESTS[kind].FromString(payload)
    except DecodeError as error:
        raise Undecodable(f"the request is no {_REQUESTS[kind].__name__}: {error}") from None
    _refuse_expansion(request, len(payload))
    return request


def _refuse_expansion(request: Request, payload_bytes: int) -> None:
    """Raise `Undecodable` where a few bytes would become very many map entries."""
    repeated = 0
    for envelope in _envelopes(request):
        of_resource = len(envelope.resource.attributes)
        for scope in _scopes_of(envelope):
            repeated += _records(scope) * (of_resource + len(scope.scope.attributes))
    if repeated > EXPANSION * payload_bytes:
        raise Undecodable(
            f"the request repeats resource and scope attributes {repeated} times on its records, "
            f"more than {EXPANSION} times for each of its {payload_bytes} bytes"
        )


def _envelopes(request: Request) -> Iterable[Envelope]:
    if isinstance(request, ExportTraceServiceRequest):
        return request.resource_spans
    if isinstance(request, ExportLogsServiceRequest):
        return request.resource_logs
    return request.resource_metrics


def _scopes_of(envelope: Envelope) -> Iterable[ScopeSpans | ScopeLogs | otlp.ScopeMetrics]:
    if isinstance(envelope, ResourceSpans):
        return envelope.scope_spans
    if isinstance(envelope, ResourceLogs):
        return envelope.scope_logs
    return envelope.scope_metrics


def _scopes(request: Request) -> Iterator[ScopeSpans | ScopeLogs | otlp.ScopeMetrics]:
    for envelope in _envelopes(request):
        yield from _scopes_of(envelope)


def _records(scope: ScopeSpans | ScopeLogs | otlp.ScopeMetrics) -> int:
    if isinstance(scope, ScopeSpans):
        return len(scope.spans)
    if isinstance(scope, ScopeLogs):
        return len(scope.log_records)
    return sum(len(_points(metric)) for metric in scope.metrics)


def _points(metric: otlp.Metric) -> Sequence[Any]:
    kind = metric.WhichOneof("data")
    return getattr(metric, kind).data_points if kind else ()


def _rows(request: Request) -> Iterator[tuple[Signal, Row]]:
    if isinstance(request, ExportTraceServiceRequest):
        return _span_rows(request)
    if isinstance(request, ExportLogsServiceRequest):
        return _log_rows(request)
    return _metric_rows(request)


def _span_rows(request: ExportTraceServiceRequest) -> Iterator[tuple[Signal, Row]]:
    for envelope in request.resource_spans:
        resource = attributes_of(envelope.resource.attributes)
        service = _service_name(resource)
        for scope in envelope.scope_spans:
            for span in scope.spans:
                if _has_valid_ids(span):
                    yield Signal.TRACES, _span_row(span, service, resource, scope.scope)


def _span_row(span: Span, service: str, resource: Any, scope: InstrumentationScope) -> Row:
    return (
        _time(span.start_time_unix_nano),
        span.trace_id.hex(),
        span.span_id.hex(),
        _id(span.parent_span_id, _SPAN_ID_BYTES),
        span.trace_state,
        span.name,
        _named(_SPAN_KINDS, span.kind),
        service,
        resource,
        scope.name,
        scope.version,
        attributes_of(span.attributes),
        max(span.end_time_unix_nano - span.start_time_unix_nano, 0),
        _named(_STATUS_CODES, span.status.code),
        span.status.message,
        [_time(event.time_unix_nano) for event in span.events],
        [event.name for event in span.events],
        [attributes_of(event.attributes) for event in span.events],
        [_id(link.trace_id, _TRACE_ID_BYTES) for link in span.links],
        [_id(link.span_id, _SPAN_ID_BYTES) for link in span.links],
        [link.trace_state for link in span.links],
        [attributes_of(link.attributes) for link in span.links],
    )


def _log_rows(request: ExportLogsServiceRequest) -> Iterator[tuple[Signal, Row]]:
    for envelope in request.resource_logs:
        resource = attributes_of(envelope.resource.attributes)
        shared = (_service_name(resource), envelope.schema_url, resource)
        for scope in envelope.scope_logs:
            scope_attributes = attributes_of(scope.scope.attributes)
            for record in scope.log_records:
                yield Signal.LOGS, _log_row(record, *shared, scope, scope_attributes)


def _log_row(  # noqa: PLR0913, PLR0917  (what a row is made of)
    record: LogRecord, service: str, schema_url: str, resource: Any, scope: ScopeLogs, scope_attributes: Any
) -> Row:
    return (
        _time(record.time_unix_nano or record.observed_time_unix_nano),
        _id(record.trace_id, _TRACE_ID_BYTES),
        _id(record.span_id, _SPAN_ID_BYTES),
        record.flags & 0xFF,
        record.severity_text,
        record.severity_number if 0 <= record.severity_number <= _LAST_SEVERITY else 0,
        service,
        text_of(record.body),
        schema_url,
        resource,
        scope.schema_url,
        scope.scope.name,
        scope.scope.version,
        scope_attributes,
        attributes_of(record.attributes),
        record.event_name,
    )


def _metric_rows(request: ExportMetricsServiceRequest) -> Iterator[tuple[Signal, Row]]:
    for envelope in request.resource_metrics:
        resource = attributes_of(envelope.resource.attributes)
        service = _service_name(resource)
        for scope in envelope.scope_metrics:
            shared = (
                resource,
                envelope.schema_url,
                scope.scope.name,
                scope.scope.version,
                attributes_of(scope.scope.attributes),
                scope.scope.dropped_attributes_count,
                scope.schema_url,
                service,
            )
            for metric in scope.metrics:
                named = (*shared, metric.name, metric.description, metric.unit)
                for point in _points(metric):
                    signal, values = _point_row(metric, point)
                    yield signal, (*named, *_point_columns(point), *values)


def _point_columns(point: Any) -> Row:
    return (
        attributes_of(point.attributes),
        _time(point.start_time_unix_nano),
        _time(point.time_unix_nano),
        point.flags,
    )


def _point_row(metric: otlp.Metric, point: Any) -> tuple[Signal, Row]:
    """Return the signal of a data point, and the columns that only this signal has."""
    match metric.WhichOneof("data"):
        case "gauge":
            return Signal.METRICS_GAUGE, (_number(point), *_exemplars(point.exemplars))
        case "sum":
            return Signal.METRICS_SUM, (
                _number(point),
                *_exemplars(point.exemplars),
                metric.sum.aggregation_temporality,
                metric.sum.is_monotonic,
            )
        case "histogram":
            return Signal.METRICS_HISTOGRAM, _histogram(point, metric.histogram.aggregation_temporality)
        case "exponential_histogram":
            return Signal.METRICS_EXP_HISTOGRAM, _exponential_histogram(
                point, metric.exponential_histogram.aggregation_temporality
            )
        case _:
            return Signal.METRICS_SUMMARY, _summary(point)


def _histogram(point: otlp.HistogramDataPoint, temporality: int) -> Row:
    return (
        point.count,
        point.sum,
        list(point.bucket_counts),
        list(point.explicit_bounds),
        *_exemplars(point.exemplars),
        point.min,
        point.max,
        temporality,
    )


def _exponential_histogram(point: otlp.ExponentialHistogramDataPoint, temporality: int) -> Row:
    return (
        point.count,
        point.sum,
        point.scale,
        point.zero_count,
        point.positive.offset,
        list(point.positive.bucket_counts),
        point.negative.offset,
        list(point.negative.bucket_counts),
        *_exemplars(point.exemplars),
        point.min,
        point.max,
        temporality,
    )


def _summary(point: otlp.SummaryDataPoint) -> Row:
    return (
        point.count,
        point.sum,
        [at.quantile for at in point.quantile_values],
        [at.value for at in point.quantile_values],
    )


def _exemplars(exemplars: Sequence[otlp.Exemplar]) -> Row:
    return (
        [attributes_of(exemplar.filtered_attributes) for exemplar in exemplars],
        [_time(exemplar.time_unix_nano) for exemplar in exemplars],
        [_number(exemplar) for exemplar in exemplars],
        [_id(exemplar.span_id, _SPAN_ID_BYTES) for exemplar in exemplars],
        [_id(exemplar.trace_id, _TRACE_ID_BYTES) for exemplar in exemplars],
    )


def _number(point: otlp.NumberDataPoint | otlp.Exemplar) -> float:
    return point.as_double if point.WhichOneof("value") == "as_double" else float(point.as_int)


def _has_valid_ids(span: Span) -> bool:
    return bool(_id(span.trace_id, _TRACE_ID_BYTES) and _id(span.span_id, _SPAN_ID_BYTES))


def _id(identifier: bytes, length: int) -> str:
    """Return the lower-case hex of a valid id, else the empty text."""
    return identifier.hex() if len(identifier) == length and any(identifier) else ""


def _time(nanoseconds: int) -> int:
    return min(nanoseconds, _LAST_TIME)


def _named(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else names[0]


def _service_name(resource: list[tuple[str, str]]) -> str:
    return dict(resource).get("service.name", "")


def _batch(signal: Signal, rows: list[Row]) -> pa.RecordBatch:
    schema = DECODED[signal]
    columns = [
        pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)
    ]
    return pa.record_batch(columns, schema=schema)
