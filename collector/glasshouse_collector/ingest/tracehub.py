"""The items of tracehub-logger: `POST /api/v1/ingest` with a JSON list.

Source: the package tracehub-logger 1.2.0, `tracehub/models.py` and `tracehub/enricher.py`.
"""

from typing import Any, Final

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from glasshouse_collector.ingest import items
from glasshouse_collector.ingest.attributes import any_value, attributes, beside
from glasshouse_collector.ingest.items import Item, Mistake
from glasshouse_collector.ingest.requests import UNKNOWN_SERVICE, Told

_FIELDS: Final = frozenset(
    {
        "level",
        "message",
        "timestamp",
        "service",
        "environment",
        "host",
        "pid",
        "thread_id",
        "sdk_version",
        "trace_id",
        "module",
        "stack_trace",
        "error_type",
        "error_message",
        "extra",
    }
)
_MOST_PID: Final = 1 << 32


def tracehub(item: Item, received_ns: int) -> Told:
    """Return the record of one item; raises `Mistake`."""
    severity_text, severity = items.level(item)
    sent_id = items.text(item, "trace_id")
    found_id = items.trace_id(sent_id)
    own: dict[str, Any] = {
        "code.namespace": items.text(item, "module"),
        "thread.name": items.text(item, "thread_id"),
        "correlation_id": "" if found_id else sent_id,
        **_exception(item),
    }
    unknown = {name: value for name, value in item.items() if name not in _FIELDS}
    record = LogRecord(
        time_unix_nano=items.timestamp(item, received_ns),
        observed_time_unix_nano=received_ns,
        severity_number=severity,  # type: ignore[arg-type]  # an enumeration's value
        severity_text=severity_text,
        body=any_value(items.message(item)),
        attributes=attributes(beside(own, items.mapping(item, "extra") | unknown, "extra")),
        trace_id=found_id,
    )
    return Told(record, _resource(item))


def _resource(item: Item) -> dict[str, str | int]:
    version = items.text(item, "sdk_version")
    return {
        "service.name": items.text(item, "service") or UNKNOWN_SERVICE,
        "deployment.environment.name": items.text(item, "environment"),
        "host.name": items.text(item, "host"),
        **_process(item),
        "telemetry.sdk.name": "tracehub-logger" if version else "",
        "telemetry.sdk.language": "python" if version else "",
        "telemetry.sdk.version": version,
    }


def _process(item: Item) -> dict[str, int]:
    pid = item.get("pid")
    if pid is None or pid == 0:
        return {}
    if isinstance(pid, bool) or not isinstance(pid, int) or not 0 < pid < _MOST_PID:
        raise Mistake("pid", "a process's number is expected")
    return {"process.pid": pid}


def _exception(item: Item) -> dict[str, str]:
    """Return an exception's attributes; a stack without an exception is where the record was made."""
    kind, about = items.text(item, "error_type"), items.text(item, "error_message", None)
    stack = items.text(item, "stack_trace", None)
    if stack and not (kind or about):
        return {"code.stacktrace": stack}
    return {"exception.type": kind, "exception.message": about, "exception.stacktrace": stack}
