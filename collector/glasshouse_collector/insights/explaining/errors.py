"""Reads the errors of a window: exceptions, failed spans and log records, grouped in the store.

What an exception tells is not told again by the span or the log record that it came in. One that is
told by an event of a span and by a log record of that span is counted once, as `GET /errors` does.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from glasshouse_collector.insights.explaining.explanation import DependentErrors, ErrorGroup
from glasshouse_collector.insights.incidents import INSIGHTS_SERVICE
from glasshouse_collector.insights.windows import Window
from glasshouse_collector.patterns.masking import mask
from glasshouse_collector.store import ProjectStore, QueryLimits, log_times

MOST_GROUPS: Final = 20
MOST_DEPENDENT: Final = 10
_MOST_TOGETHER: Final = 12
_MOST_TRACES: Final = 5

_EXCEPTIONS: Final = """
    SELECT ErrorId AS Id, Occurrence, toString(ServiceName) AS Service, toString(Type) AS Kind,
        if(Frame != '', trimBoth(Frame), toString(Operation)) AS Place, leftUTF8(Message, 500) AS Text,
        toUnixTimestamp64Nano(Time) AS Nanos, TraceId, OF_LOG AS OfLog
    FROM TABLE
    WHERE Time >= fromUnixTimestamp64Nano({start:Int64})
        AND Time < fromUnixTimestamp64Nano({end:Int64})
"""
_SPANS: Final = r"""
    SELECT cityHash64('span', Service, Kind, Place) AS Id, cityHash64(TraceId, SpanId) AS Occurrence,
        toString(ServiceName) AS Service,
        multiIf(match(SpanAttributes['error.type'], '^[1-5][0-9][0-9]$'),
            concat('HTTP ', SpanAttributes['error.type']),
            SpanAttributes['error.type'] NOT IN ('', '_OTHER'), SpanAttributes['error.type'],
            SpanAttributes['http.response.status_code'] != '',
            concat('HTTP ', SpanAttributes['http.response.status_code']),
            SpanAttributes['rpc.response.status_code'] != '',
            concat('RPC ', SpanAttributes['rpc.response.status_code']), 'failed span') AS Kind,
        replaceRegexpAll(toString(SpanName), '[0-9]{4,}|[0-9a-fA-F-]{16,}', '*') AS Place,
        leftUTF8(StatusMessage, 500) AS Text, toUnixTimestamp64Nano(Timestamp) AS Nanos, TraceId,
        false AS OfLog
    FROM otel_traces
    WHERE StatusCode = 'Error' AND NOT has(`Events.Name`, 'exception')
        AND Timestamp >= fromUnixTimestamp64Nano({start:Int64})
        AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
"""
_LOGS: Final = r"""
    SELECT cityHash64('log', Service, replaceRegexpAll(replaceRegexpAll(Text, '\b[0-9a-fA-F-]{8,}\b', 'h'),
            '[0-9]+', '0')) AS Id, cityHash64(BatchId, BatchRow) AS Occurrence,
        toString(ServiceName) AS Service, 'log record' AS Kind, ScopeName AS Place,
        substringUTF8(substringIndex(trimLeft(Body), '\n', 1), 1, 500) AS Text,
        toUnixTimestamp64Nano(Timestamp) AS Nanos, TraceId, true AS OfLog
    FROM otel_logs
    WHERE SeverityNumber >= 17 AND ServiceName != {ours:String}
        AND NOT (mapContains(LogAttributes, 'exception.type')
            OR mapContains(LogAttributes, 'exception.message')
            OR mapContains(LogAttributes, 'exception.stacktrace'))
        AND {times}
""".replace("{times}", log_times("{start:Int64}", "{end:Int64}"))
_ERRORS: Final = " UNION ALL ".join(
    (
        _EXCEPTIONS.replace("TABLE", "glasshouse_span_exceptions").replace("OF_LOG", "false"),
        _EXCEPTIONS.replace("TABLE", "glasshouse_log_exceptions").replace("OF_LOG", "true"),
        _SPANS,
        _LOGS,
    )
)
"""A row an error: what it is an occurrence of, where, what it says, when, in which trace."""
_GROUPS: Final = f"""
    SELECT argMax(Service, Last) AS Service, argMax(Kind, Last) AS Kind, argMax(Place, Last) AS Place,
        argMax(Text, Last) AS Text, sum(greatest(Events, Records)) AS Count, min(First) AS First,
        max(Last) AS Latest, groupUniqArrayIf({_MOST_TRACES})(Trace, Trace != '') AS Traces
    FROM
        (SELECT Id, any(Service) AS Service, any(Kind) AS Kind, any(Place) AS Place, any(Text) AS Text,
            countIf(NOT OfLog) AS Events, countIf(OfLog) AS Records, min(Nanos) AS First, max(Nanos) AS Last,
            any(TraceId) AS Trace
        FROM ({_ERRORS}) GROUP BY Id, Occurrence)
    GROUP BY Id ORDER BY Count DESC, First, Service, Kind LIMIT {MOST_GROUPS}
"""  # noqa: S608  (constants; values are parameters)
_DEPENDENT: Final = f"""
    SELECT Errors, count() AS Traces, groupArraySorted({_MOST_TRACES})(TraceId) AS Examples
    FROM
        (SELECT TraceId, arraySort(groupUniqArray({_MOST_TOGETHER})((Service, Kind))) AS Errors
        FROM ({_ERRORS}) WHERE TraceId != '' GROUP BY TraceId HAVING uniqExact(Service) > 1)
    GROUP BY Errors ORDER BY Traces DESC, Errors LIMIT {MOST_DEPENDENT}
"""  # noqa: S608  (constants; values are parameters)


def read_error_groups(store: ProjectStore, window: Window, limits: QueryLimits) -> tuple[ErrorGroup, ...]:
    """Return the errors of the window, the most frequent first; raises `EngineFailure`."""
    return tuple(_group(row) for row in _read(store, _GROUPS, window, limits))


def read_dependent_errors(
    store: ProjectStore, window: Window, limits: QueryLimits
) -> tuple[DependentErrors, ...]:
    """Return which errors of different services came in the same traces; raises `EngineFailure`.

    Those of the most traces come first. Errors of a trace without others stand alone, and in none.
    """
    return tuple(
        DependentErrors(
            groups=tuple(_pair(error) for error in row["Errors"]),
            shared_traces=row["Traces"],
            trace_ids=tuple(row["Examples"]),
        )
        for row in _read(store, _DEPENDENT, window, limits)
    )


def read_usual_errors(
    store: ProjectStore, baselines: Sequence[Window], limits: QueryLimits
) -> Mapping[tuple[str, str, str], float]:
    """Return how often a second errors came in normal times, by service, type and place."""
    seconds = sum(baseline.seconds for baseline in baselines)
    rates: Counter[tuple[str, str, str]] = Counter()
    for baseline in baselines:
        for group in read_error_groups(store, baseline, limits):
            rates[group.service, group.type, group.place] += group.count
    return {key: count / seconds for key, count in rates.items()}


def _read(store: ProjectStore, sql: str, window: Window, limits: QueryLimits) -> list[dict[str, Any]]:
    within: dict[str, str | int] = {"start": window.start, "end": window.end, "ours": INSIGHTS_SERVICE}
    rows: list[dict[str, Any]] = store.query_arrow(sql, within, limits=limits).to_pylist()
    return rows


def _group(row: dict[str, Any]) -> ErrorGroup:
    return ErrorGroup(
        type=row["Kind"] or "exception",
        service=row["Service"],
        place=row["Place"],
        message=row["Text"] if row["Kind"] != "log record" else mask(row["Text"]),
        count=row["Count"],
        first_seen=row["First"],
        last_seen=row["Latest"],
        trace_ids=tuple(sorted(row["Traces"])),
    )


def _pair(error: Any) -> tuple[str, str]:
    service, kind = error.values() if isinstance(error, dict) else error
    return service, kind or "exception"
