"""What a model may look at besides the evidence: read-only questions to the store of one project.

Each is a tool: arguments that are checked, one or two bounded queries, an answer that is cut to size.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from glasshouse_collector.core.times import rfc3339
from glasshouse_collector.insights.explaining.wording import shortened
from glasshouse_collector.insights.windows import SECOND, Question, Window
from glasshouse_collector.patterns import PatternQuestion, find_patterns
from glasshouse_collector.store import ProjectStore, QueryLimits, log_times

_MOST_TEXT: Final = 300
_MOST_SPANS: Final = 100
_MOST_RECORDS: Final = 30
_MOST_OPERATIONS: Final = 25
_MOST_PATTERNS: Final = 20
_MOST_BASELINES: Final = 3
_MINUTE: Final = 60
_WITHIN: Final = (
    "Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})"
)

_Service = Annotated[str, Field(min_length=1, max_length=500)]


@dataclass(frozen=True, slots=True)
class Sight:
    """Where is looked: one project, the incident and its normal times, within limits."""

    store: ProjectStore
    question: Question
    limits: QueryLimits

    def rows(
        self, sql: str, values: Mapping[str, str | int], window: Window | None = None
    ) -> list[dict[str, Any]]:
        """Return the rows of one query; `EngineFailure` where it is over a limit."""
        within = window or self.question.incident
        bounds: dict[str, str | int] = {"start": within.start, "end": within.end}
        found: list[dict[str, Any]] = self.store.query_arrow(
            sql, bounds | dict(values), limits=self.limits
        ).to_pylist()
        return found


class Tool(BaseModel):
    """One question; its fields are the arguments, its docstring is what the model is told of it."""

    model_config = ConfigDict(extra="forbid")
    called: ClassVar[str]

    @abstractmethod
    def look(self, sight: Sight) -> dict[str, Any]:
        """Return what is seen, the most telling first in each list."""


class GetTrace(Tool):
    """The spans of one trace of the incident or its normal times, in order, with durations and errors."""

    called: ClassVar[str] = "get_trace"
    trace_id: str = Field(pattern=r"^[0-9a-f]{32}$", description="32 hex digits")

    def look(self, sight: Sight) -> dict[str, Any]:
        """Return the spans."""
        times = sight.rows(
            "SELECT toUnixTimestamp64Nano(min(Start)) AS First, toUnixTimestamp64Nano(max(End)) AS Last, "
            "count() AS Parts FROM otel_traces_trace_id_ts WHERE TraceId = {trace:String}",
            {"trace": self.trace_id},
        )
        if not times or not times[0]["Parts"]:
            return {"spans": [], "error": "there is no such trace"}
        window = Window(times[0]["First"], times[0]["Last"] + 1)
        found = sight.rows(_SPANS, {"trace": self.trace_id}, window)
        numbers = {row["SpanId"]: number for number, row in enumerate(found)}
        return {"trace_id": self.trace_id, "spans": [self._span(row, numbers, window) for row in found]}

    @staticmethod
    def _span(row: Mapping[str, Any], numbers: Mapping[str, int], window: Window) -> dict[str, Any]:
        said = {
            "parent": numbers.get(row["ParentSpanId"]),
            "service": row["Service"],
            "operation": row["Name"],
            "kind": row["Kind"],
            "start_ms": round((row["Nanos"] - window.start) / 1e6, 3),
            "duration_ms": round(row["Duration"] / 1e6, 3),
            "status": row["Status"],
            "message": shortened(row["Message"], _MOST_TEXT),
        }
        return {name: each for name, each in said.items() if each not in {"", None}}


class SearchLogs(Tool):
    """Log records of the incident: of a service, of a trace, with a text; the most severe first."""

    called: ClassVar[str] = "search_logs"
    service: _Service | None = None
    trace_id: str | None = Field(None, pattern=r"^[0-9a-f]{32}$")
    text: str | None = Field(
        None, min_length=1, max_length=200, description="a part of the text, in either case"
    )
    least_severity: int = Field(0, ge=0, le=24, description="17 is ERROR, 13 WARN, 9 INFO")

    def look(self, sight: Sight) -> dict[str, Any]:
        """Return the records, at most thirty."""
        terms = [log_times("{start:Int64}", "{end:Int64}"), "SeverityNumber >= {severity:UInt8}"]
        asked: dict[str, str | int] = {"severity": self.least_severity}
        for column, name, value in (
            ("ServiceName = {service:String}", "service", self.service),
            ("TraceId = {trace:String}", "trace", self.trace_id),
            ("positionCaseInsensitiveUTF8(Body, {text:String}) > 0", "text", self.text),
        ):
            if value is not None:
                terms.append(column)
                asked[name] = value
        found = sight.rows(_RECORDS.format(where=" AND ".join(terms)), asked)
        return {
            "records": [
                {
                    "time": rfc3339(row["Nanos"]),
                    "service": row["Service"],
                    "severity": row["Severity"],
                    "body": shortened(row["Body"], _MOST_TEXT),
                    **({"trace_id": row["TraceId"]} if row["TraceId"] else {}),
                }
                for row in found
            ]
        }


class ServiceDetail(Tool):
    """What a service does by operation: calls and errors a minute, and durations, now and in normal times."""

    called: ClassVar[str] = "service_detail"
    service: _Service

    def look(self, sight: Sight) -> dict[str, Any]:
        """Return the operations, those with the most errors and calls first."""
        normal = [self._measured(sight, window) for window in sight.question.baselines[:_MOST_BASELINES]]
        now = self._measured(sight, sight.question.incident)
        found = [
            {"operation": name, "now": measured, "normal": [each[name] for each in normal if name in each]}
            for name, measured in now.items()
        ]
        return {**_whose(self.service, found), "operations": found}

    def _measured(self, sight: Sight, window: Window) -> dict[str, dict[str, float]]:
        minutes = max(1.0, window.seconds / _MINUTE)
        return {
            row["Name"]: {
                "calls_a_minute": round(row["Calls"] / minutes, 2),
                "errors_a_minute": round(row["Errors"] / minutes, 2),
                "p50_ms": round(row["Quantiles"][0] / 1e6, 3),
                "p95_ms": round(row["Quantiles"][1] / 1e6, 3),
            }
            for row in sight.rows(_OPERATIONS, {"service": self.service}, window)
        }


class LogPatterns(Tool):
    """Templates of a service's log records with their counts, in the incident and in normal times."""

    called: ClassVar[str] = "log_patterns"
    service: _Service

    def look(self, sight: Sight) -> dict[str, Any]:
        """Return the patterns, the most frequent first."""
        normal: Counter[str] = Counter()
        baselines = sight.question.baselines[:_MOST_BASELINES]
        for window in baselines:
            for template, count in self._counted(sight, window):
                normal[template] += count
        minutes = sum(window.seconds for window in baselines) / _MINUTE
        incident = sight.question.incident
        found = [
            {
                "template": shortened(template, _MOST_TEXT),
                "a_minute": round(_MINUTE * count / incident.seconds, 2),
                "normal_a_minute": round(normal[template] / minutes, 2) if minutes else None,
            }
            for template, count in list(self._counted(sight, incident))[:_MOST_PATTERNS]
        ]
        return {**_whose(self.service, found), "patterns": found}

    def _counted(self, sight: Sight, window: Window) -> Iterator[tuple[str, int]]:
        asked = PatternQuestion(
            "ServiceName = {service:String}",
            {"service": self.service},
            window.start,
            window.end,
            max(SECOND, window.end - window.start),
        )
        for pattern in find_patterns(sight.store, asked, sight.limits).patterns:
            yield pattern.template, pattern.count


def _whose(service: str, found: list[dict[str, Any]]) -> dict[str, str]:
    """Return whose it is; of nothing nothing, as a name that the model made up must not come back as one."""
    return {"service": service} if found else {"error": "nothing was seen of it"}


TOOLS: Final[Mapping[str, type[Tool]]] = {
    tool.called: tool for tool in (GetTrace, SearchLogs, ServiceDetail, LogPatterns)
}

_SPANS: Final = f"""
    SELECT SpanId, ParentSpanId, toString(ServiceName) AS Service, toString(SpanName) AS Name,
        toString(SpanKind) AS Kind, toUnixTimestamp64Nano(Timestamp) AS Nanos, Duration,
        toString(StatusCode) AS Status, leftUTF8(StatusMessage, 1000) AS Message
    FROM otel_traces WHERE TraceId = {{trace:String}} AND {_WITHIN}
    ORDER BY Nanos, SpanId LIMIT {_MOST_SPANS}
"""  # noqa: S608  (constants; values are parameters)
_RECORDS: Final = f"""
    SELECT toUnixTimestamp64Nano(Timestamp) AS Nanos, toString(ServiceName) AS Service,
        toString(SeverityText) AS Severity, leftUTF8(Body, 1000) AS Body, TraceId
    FROM otel_logs WHERE {{where}}
    ORDER BY SeverityNumber DESC, Nanos, BatchId, BatchRow LIMIT {_MOST_RECORDS}
"""  # noqa: S608  (constants; values are parameters)
_OPERATIONS: Final = f"""
    SELECT toString(SpanName) AS Name, count() AS Calls, countIf(StatusCode = 'Error') AS Errors,
        quantiles(0.5, 0.95)(Duration) AS Quantiles
    FROM otel_traces WHERE ServiceName = {{service:String}} AND {_WITHIN}
    GROUP BY Name ORDER BY Errors DESC, Calls DESC, Name LIMIT {_MOST_OPERATIONS}
"""  # noqa: S608  (constants; values are parameters)
