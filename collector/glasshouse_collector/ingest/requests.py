"""Many items as one OTLP request; a bad item leaves the others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs

from glasshouse_collector.ingest.attributes import attributes
from glasshouse_collector.ingest.items import Item, Mistake

UNKNOWN_SERVICE: Final = "unknown_service"
"""The name of a service whose sender names none, as OpenTelemetry has it."""


@dataclass(frozen=True, slots=True)
class Told:
    """One item: its record, and what tells its resource."""

    record: LogRecord
    resource: Mapping[str, str | int]


Reader = Callable[[Item, int], Told]
"""Reads one item, received at a time in ns since the epoch; raises `Mistake`."""


@dataclass(slots=True)
class Converted:
    """A request of the good items, and what is wrong with the bad ones, by their index."""

    payload: bytes = b""
    accepted: int = 0
    mistakes: list[tuple[int, Mistake]] = field(default_factory=list)


def convert(items: Sequence[Any], read: Reader, scope: str, received_ns: int) -> Converted:
    """Return the items as an `ExportLogsServiceRequest` of scope `scope`, in their order by resource."""
    converted = Converted()
    request = ExportLogsServiceRequest()
    of_resource: dict[tuple[tuple[str, str | int], ...], ScopeLogs] = {}
    for index, item in enumerate(items):
        try:
            told = _read(item, read, received_ns)
        except Mistake as mistake:
            converted.mistakes.append((index, mistake))
            continue
        key = tuple(told.resource.items())
        if key not in of_resource:
            resource = request.resource_logs.add()
            resource.resource.attributes.extend(attributes(told.resource))
            of_resource[key] = resource.scope_logs.add()
            of_resource[key].scope.name = scope
        of_resource[key].log_records.append(told.record)
        converted.accepted += 1
    if converted.accepted:
        converted.payload = request.SerializeToString()
    return converted


def _read(item: object, read: Reader, received_ns: int) -> Told:
    if not isinstance(item, dict):
        raise Mistake("item", "a JSON object is expected")
    try:
        return read(item, received_ns)
    except RecursionError:
        raise Mistake("item", "fewer levels of nesting are expected") from None
