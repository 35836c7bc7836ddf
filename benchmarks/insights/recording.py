"""OTLP JSON Lines files as spans and log records, read by the benchmark itself.

What an analysis cites is held against these, so nothing of the collector stands between.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from glasshouse_collector.insights.windows import Window


@dataclass(frozen=True, slots=True)
class RecordedSpan:
    """A span; times in nanoseconds since the epoch."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    failed: bool


@dataclass(frozen=True, slots=True)
class RecordedLog:
    """A log record."""

    service: str
    time: int
    severity: int
    body: str
    trace_id: str
    span_id: str


@dataclass(slots=True)
class Recording:
    """All spans, by trace, and all log records of some files."""

    traces: dict[str, list[RecordedSpan]] = field(default_factory=lambda: defaultdict(list))
    logs: list[RecordedLog] = field(default_factory=list)

    @classmethod
    def read(cls, files: Sequence[Path]) -> Self:
        """Read traces and logs; other signals are passed over."""
        found = cls()
        for line in _lines(files):
            for resource in line.get("resourceSpans", ()):
                found._add_spans(_service(resource), resource)
            for resource in line.get("resourceLogs", ()):
                found._add_logs(_service(resource), resource)
        return found

    def window(self) -> Window:
        """Return the time from the first span's start until the last one's."""
        starts = [span.start for span in self.spans()]
        return Window(min(starts), max(starts) + 1)

    def spans(self, window: Window | None = None) -> Iterator[RecordedSpan]:
        """Yield the spans that began in a window, or all."""
        for trace in self.traces.values():
            for span in trace:
                if window is None or window.start <= span.start < window.end:
                    yield span

    def logs_in(self, window: Window) -> Iterator[RecordedLog]:
        """Yield the log records of a window."""
        return (log for log in self.logs if window.start <= log.time < window.end)

    def services(self, window: Window) -> set[str]:
        """Return who sent spans or log records in a window."""
        return {span.service for span in self.spans(window)} | {log.service for log in self.logs_in(window)}

    def _add_spans(self, service: str, resource: dict[str, Any]) -> None:
        for span in _records(resource, "scopeSpans", "spans"):
            self.traces[span["traceId"].lower()].append(
                RecordedSpan(
                    service,
                    span.get("name", ""),
                    span["traceId"].lower(),
                    span["spanId"].lower(),
                    span.get("parentSpanId", "").lower(),
                    int(span.get("startTimeUnixNano", 0)),
                    int(span.get("endTimeUnixNano", 0)),
                    span.get("status", {}).get("code") == 2,
                )
            )

    def _add_logs(self, service: str, resource: dict[str, Any]) -> None:
        for log in _records(resource, "scopeLogs", "logRecords"):
            time = int(log.get("timeUnixNano", 0)) or int(log.get("observedTimeUnixNano", 0))
            severity = int(log.get("severityNumber", 0))
            body = log.get("body", {}).get("stringValue", "")
            trace_id, span_id = log.get("traceId", "").lower(), log.get("spanId", "").lower()
            self.logs.append(RecordedLog(service, time, severity, body, trace_id, span_id))


def _lines(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines if line.strip())


def _service(resource: dict[str, Any]) -> str:
    for attribute in resource.get("resource", {}).get("attributes", ()):
        if attribute["key"] == "service.name":
            name: str = attribute["value"].get("stringValue", "")
            return name
    return ""


def _records(resource: dict[str, Any], scopes: str, records: str) -> Iterator[dict[str, Any]]:
    for scope in resource.get(scopes, ()):
        yield from scope.get(records, ())
