"""What tables of counts hold, beside what the records themselves come to."""

from collections.abc import Iterable
from typing import Any, Final

_OWN_OF_SPANS = "length(mapKeys(SpanAttributes)) + length(mapKeys(ResourceAttributes))"
_OWN_OF_LOGS = (
    "length(mapKeys(LogAttributes)) + length(mapKeys(ResourceAttributes)) + length(mapKeys(ScopeAttributes))"
)
_SAMPLED = "BatchRow < 128 OR BatchRow % 128 = 0"
_RAISED = (
    "mapContains(LogAttributes, 'exception.type') OR mapContains(LogAttributes, 'exception.stacktrace') "
    "OR mapContains(LogAttributes, 'exception.message')"
)
_POINTS = " + ".join(
    f"(SELECT count() FROM otel_metrics_{kind})"
    for kind in ("gauge", "sum", "histogram", "exp_histogram", "summary")
)

COUNTED: Final = {
    "otel_traces_trace_id_ts": ("sum(Spans)", "SELECT count() FROM otel_traces WHERE TraceId != ''"),
    "glasshouse_operations": ("sum(Calls)", "SELECT count() FROM otel_traces"),
    "glasshouse_service_hours": ("sum(Calls)", "SELECT count() FROM otel_traces"),
    "glasshouse_span_attributes": ("sum(Records)", f"SELECT sum({_OWN_OF_SPANS}) FROM otel_traces"),
    "glasshouse_span_attribute_values": (
        "sum(Sampled)",
        f"SELECT sum({_OWN_OF_SPANS}) FROM otel_traces WHERE {_SAMPLED}",
    ),
    "glasshouse_span_exceptions": (
        "count()",
        "SELECT sum(countEqual(`Events.Name`, 'exception')) FROM otel_traces",
    ),
    "glasshouse_log_counts": ("sum(Records)", "SELECT count() FROM otel_logs"),
    "glasshouse_log_attributes": ("sum(Records)", f"SELECT sum({_OWN_OF_LOGS}) FROM otel_logs"),
    "glasshouse_log_attribute_values": (
        "sum(Sampled)",
        f"SELECT sum({_OWN_OF_LOGS}) FROM otel_logs WHERE {_SAMPLED}",
    ),
    "glasshouse_log_exceptions": ("count()", f"SELECT countIf({_RAISED}) FROM otel_logs"),
    "glasshouse_metric_names": ("sum(Points)", f"SELECT {_POINTS}"),
}
"""For each table of counts: its sum, and the query of the records that must come to the same."""

COUNTS_AND_RECORDS: Final = " UNION ALL ".join(
    f"SELECT '{table}' AS name, toInt64(({ours})) AS records, toInt64((SELECT {told} FROM {table})) AS told"
    for table, (told, ours) in COUNTED.items()
)
"""A query of rows: a table of counts, what the records come to, what it holds."""


def miscounted(rows: Iterable[Iterable[Any]]) -> dict[str, tuple[int, int]]:
    """Return of those rows what the records come to and what is told, where the two differ."""
    return {name: (int(records), int(told)) for name, records, told in rows if int(records) != int(told)}
