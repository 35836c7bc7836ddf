"""Says that there is an incident, or that it ended: a log record of its project, in OTLP."""

import time
from datetime import datetime
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from glasshouse_collector.core.incidents import INSIGHTS_SERVICE, Incident, Severity
from glasshouse_collector.insights.detection.grouping import nanoseconds

EVENT: Final = "glasshouse.incident"
MOST_TRACES: Final = 10
_SEVERITIES: Final = {
    Severity.CRITICAL: SeverityNumber.SEVERITY_NUMBER_FATAL,
    Severity.HIGH: SeverityNumber.SEVERITY_NUMBER_ERROR,
    Severity.MEDIUM: SeverityNumber.SEVERITY_NUMBER_WARN,
    Severity.LOW: SeverityNumber.SEVERITY_NUMBER_INFO,
}
_PREFIX: Final = len("SEVERITY_NUMBER_")


def log_request(incident: Incident) -> bytes:
    """Return the request with the one record: of when it began or ended, by its severity (an end: INFO)."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.append(_attribute("service.name", INSIGHTS_SERVICE))
    scope = resource.scope_logs.add()
    scope.scope.name = "glasshouse_collector.insights"
    ended = incident.status == "resolved"
    record = scope.log_records.add(
        time_unix_nano=nanoseconds(incident.ended_at or incident.started_at),
        observed_time_unix_nano=time.time_ns(),
        event_name=EVENT,
    )
    record.severity_number = SeverityNumber.SEVERITY_NUMBER_INFO if ended else _SEVERITIES[incident.severity]
    record.severity_text = SeverityNumber.Name(record.severity_number)[_PREFIX:]
    record.body.string_value = text_of(incident)
    _describe(record, incident)
    return request.SerializeToString()


def text_of(incident: Incident) -> str:
    """Return what happened, in a sentence or two."""
    since = _clock(incident.started_at)
    if incident.status == "resolved":
        return f"Incident over: {incident.title}, from {since} to {_clock(incident.ended_at)}"
    reason = reason_of(incident)
    title = incident.title
    if incident.answer.get("rethought"):
        title = f"now thought to be {title} (first told: {incident.answer['first_told']['title']})"
    return f"Incident: {title}, since {since}" + (f". {reason}" if reason else "")


def reason_of(incident: Incident) -> str:
    """Return why the first cause is taken for it; what was noticed first where nothing is known."""
    cause = first_cause(incident)
    return str(cause.get("reason", "")) or (incident.signals[0] if incident.signals else "")


def first_cause(incident: Incident) -> dict[str, Any]:
    """Return the first root cause of the analysis, empty where there is none."""
    causes = incident.answer.get("root_causes") or [{}]
    cause: dict[str, Any] = causes[0]
    return cause


def trace_ids_of(incident: Incident) -> list[str]:
    """Return traces that show the first cause."""
    found = [trace for each in first_cause(incident).get("evidence", ()) for trace in each["trace_ids"]]
    return list(dict.fromkeys(found))[:MOST_TRACES]


def _describe(record: LogRecord, incident: Incident) -> None:
    cause = first_cause(incident)
    told = {
        "incident.id": incident.id,
        "incident.status": incident.status,
        "incident.severity": incident.severity.value,
        "incident.title": incident.title,
        "incident.root_cause.service": cause.get("service", ""),
        "incident.root_cause.operation": cause.get("operation", ""),
        "incident.root_cause.kind": cause.get("kind", ""),
    }
    record.attributes.extend(_attribute(name, value) for name, value in told.items() if value)
    lists = {"incident.services": incident.services, "incident.trace_ids": trace_ids_of(incident)}
    for name, values in lists.items():
        if values:
            attribute = record.attributes.add(key=name)
            for value in values:
                attribute.value.array_value.values.add(string_value=value)


def _attribute(name: str, value: str) -> KeyValue:
    attribute = KeyValue(key=name)
    attribute.value.string_value = value
    return attribute


def _clock(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "?"
