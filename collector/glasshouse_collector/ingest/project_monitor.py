"""The items of project-monitor-sdk: `POST /api/v1/logs` with `{"logs": [...]}`.

Source: the package's README, version 0.1.2, "Log ingest payload" and "Logging".
"""

import re
from typing import Any, Final

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from glasshouse_collector.ingest import items
from glasshouse_collector.ingest.attributes import any_value, attributes, beside
from glasshouse_collector.ingest.items import Item
from glasshouse_collector.ingest.requests import UNKNOWN_SERVICE, Told

HEARTBEAT: Final = "heartbeat"
"""The operation of a sign of life."""
HEARTBEAT_EVENT: Final = "glasshouse.heartbeat"
"""The event's name in our own SDK's heartbeats, so that one question finds both."""
_FIELDS: Final = frozenset(
    {
        "service_name",
        "level",
        "message",
        "operation",
        "status",
        "error_type",
        "correlation_id",
        "metadata",
        "source",
        "timestamp",
    }
)
_PLAIN: Final = ("operation", "status", "source", "correlation_id")
_LAST_LINE: Final = re.compile(r"(?:[\w.<>]+\.)?(\w+): (.*)")
"""Of a traceback in Python: the exception's type without its module, and its message."""


def project_monitor(item: Item, received_ns: int) -> Told:
    """Return the record of one item; raises `Mistake`."""
    severity_text, severity = items.level(item)
    own: dict[str, Any] = {name: items.text(item, name) for name in _PLAIN}
    metadata = dict(items.mapping(item, "metadata"))
    own |= _exception(items.text(item, "error_type"), metadata)
    unknown = {name: value for name, value in item.items() if name not in _FIELDS}
    record = LogRecord(
        time_unix_nano=items.timestamp(item, received_ns),
        observed_time_unix_nano=received_ns,
        severity_number=severity,  # type: ignore[arg-type]  # an enumeration's value
        severity_text=severity_text,
        body=any_value(items.message(item)),
        attributes=attributes(beside(own, unknown | metadata, "metadata")),
        trace_id=items.trace_id(own["correlation_id"]),
        event_name=HEARTBEAT_EVENT if own["operation"] == HEARTBEAT else "",
    )
    return Told(record, {"service.name": items.text(item, "service_name") or UNKNOWN_SERVICE})


def _exception(error_type: str, metadata: Item) -> dict[str, str]:
    """Return an exception's attributes; the traceback is taken out of the metadata, where it was sent."""
    traceback = metadata.get("traceback")
    if not isinstance(traceback, str) or not traceback:
        return {"exception.type": error_type}
    del metadata["traceback"]
    said = _LAST_LINE.fullmatch(traceback.strip().rsplit("\n", 1)[-1])
    known = said is not None and said[1] == error_type.rpartition(".")[2]
    return {
        "exception.type": error_type,
        "exception.message": said[2] if said and known else "",
        "exception.stacktrace": traceback,
    }
