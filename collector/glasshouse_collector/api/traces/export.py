"""One trace as an OTLP document in JSON, which any OTLP endpoint takes.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids are hex, enums are numbers, integers of
64 bits are text. The store keeps values of attributes, and bodies, as text; so they are strings here, and an
array or a map is its JSON.
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field

from glasshouse_collector.api.logs.model import LogRecord
from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.traces.reading import read_trace_logs
from glasshouse_collector.api.traces.span_rows import SpanRow, read_extent, read_spans
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_EXPORTED: Final = 50_000
"""Spans, or log records, of one document."""
ExportedSignal = Literal["traces", "logs"]
Record = TypeVar("Record")

_KINDS: Final = {
    name: number
    for number, name in enumerate(("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"))
}
_STATUSES: Final = {"Unset": 0, "Ok": 1, "Error": 2}


class OtlpDocument(BaseModel):
    """An `ExportTraceServiceRequest` or an `ExportLogsServiceRequest` in OTLP's JSON."""

    model_config = ConfigDict(populate_by_name=True)

    resource_spans: list[dict[str, Any]] | None = Field(
        default=None, alias="resourceSpans", description="Of an export of spans"
    )
    resource_logs: list[dict[str, Any]] | None = Field(
        default=None, alias="resourceLogs", description="Of an export of log records"
    )


def read_export(
    store: ProjectStore, trace_id: str, signal: ExportedSignal, limits: QueryLimits, most: int = MOST_EXPORTED
) -> bytes | None:
    """Return the document; None where nothing of the trace is kept.

    Raises `EngineFailure`, and `Problem` where there is more than one document may hold: never a part.
    """
    extent = read_extent(store, trace_id, limits)
    if signal == "logs":
        logs = read_trace_logs(store, trace_id, extent, most + 1, limits)
        return orjson.dumps(_logs_document(_no_more(logs, most, "log records"))) if logs else None
    if extent is None:
        return None
    _no_more(range(extent.spans), most, "spans")
    spans = read_spans(store, trace_id, extent, most + 1, limits)
    return orjson.dumps(_spans_document(trace_id, _no_more(spans, most, "spans"))) if spans else None


def _no_more(records: Sequence[Record], most: int, kind: str) -> Sequence[Record]:
    if len(records) > most:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"the trace has more than {most:,} {kind}, the most that one document holds; POST /sql reads any",
        )
    return records


def _spans_document(trace_id: str, rows: Iterable[SpanRow]) -> dict[str, Any]:
    grouped = _Grouped("scopeSpans", "spans")
    for row in rows:
        scope = {"name": row["ScopeName"], "version": row["ScopeVersion"]}
        grouped.add(row["ResourceAttributes"], scope, _span(trace_id, row))
    return {"resourceSpans": grouped.resources}


def _logs_document(logs: Iterable[LogRecord]) -> dict[str, Any]:
    grouped = _Grouped("scopeLogs", "logRecords")
    for log in logs:
        scope = {"name": log.scope.name, "version": log.scope.version, **_attributes(log.scope_attributes)}
        grouped.add(log.resource_attributes, scope, _log(log))
    return {"resourceLogs": grouped.resources}


class _Grouped:
    """Records beneath their resource and scope, each of which stands there once."""

    def __init__(self, scopes: str, records: str) -> None:
        self.resources: list[dict[str, Any]] = []
        self._scopes, self._records = scopes, records
        self._places: dict[bytes, tuple[list[dict[str, Any]], dict[bytes, list[Any]]]] = {}

    def add(self, resource: Mapping[str, str], scope: Mapping[str, Any], record: dict[str, Any]) -> None:
        """Put a record beneath; it is written at once, for a large trace has millions of attributes."""
        key = orjson.dumps(resource)
        if key not in self._places:
            self._places[key] = ([], {})
            self.resources.append({"resource": _attributes(resource), self._scopes: self._places[key][0]})
        scopes, records = self._places[key]
        own = orjson.dumps(scope)
        if own not in records:
            records[own] = []
            scopes.append({"scope": _without_empty(scope), self._records: records[own]})
        records[own].append(orjson.Fragment(orjson.dumps(record)))


def _span(trace_id: str, row: SpanRow) -> dict[str, Any]:
    start = int(row["Nanos"])
    return {
        "traceId": trace_id,
        "spanId": row["SpanId"],
        **_without_empty({"parentSpanId": row["ParentSpanId"], "traceState": row["TraceState"]}),
        "name": row["SpanName"],
        "kind": _KINDS.get(row["SpanKind"], 0),
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + int(row["Duration"])),
        **_attributes(row["SpanAttributes"]),
        "events": [
            {"timeUnixNano": nanos, "name": name, **_attributes(attributes)}
            for nanos, name, attributes in zip(
                row["EventNanos"], row["Events.Name"], row["Events.Attributes"], strict=True
            )
        ],
        "links": [
            {
                "traceId": linked,
                "spanId": span_id,
                **_without_empty({"traceState": state}),
                **_attributes(attributes),
            }
            for linked, span_id, state, attributes in zip(
                row["Links.TraceId"],
                row["Links.SpanId"],
                row["Links.TraceState"],
                row["Links.Attributes"],
                strict=True,
            )
        ],
        "status": {
            "code": _STATUSES.get(row["StatusCode"], 0),
            **_without_empty({"message": row["StatusMessage"]}),
        },
    }


def _log(log: LogRecord) -> dict[str, Any]:
    return {
        "timeUnixNano": log.time_unix_nano,
        "severityNumber": log.severity_number,
        "body": {"stringValue": log.body},
        "flags": log.trace_flags,
        **_attributes(log.attributes),
        **_without_empty(
            {
                "severityText": log.severity_text,
                "traceId": log.trace_id,
                "spanId": log.span_id,
                "eventName": log.event_name,
            }
        ),
    }


def _attributes(attributes: Mapping[str, str]) -> dict[str, Any]:
    return {
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    }


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
