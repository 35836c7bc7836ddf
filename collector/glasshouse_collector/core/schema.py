"""The Arrow columns of each signal, named as the tables' columns are.

Strings that repeat (names, attribute keys, resource attributes) are dictionary-encoded, so that
the decoder writes each once a batch and the store reads them as LowCardinality. Attribute maps are
sorted by key, without duplicates. Times are UTC nanoseconds since the Unix epoch.
Source: the tables of the OpenTelemetry ClickHouse exporter.
"""

import pyarrow as pa

from glasshouse_collector.core.batch import Signal

TEXT = pa.string()
NAME = pa.dictionary(pa.int32(), pa.string())
TIME = pa.timestamp("ns", "UTC")
ATTRIBUTES = pa.map_(NAME, TEXT, keys_sorted=True)
"""Values that differ from row to row: span, log record, data point, event, link attributes."""
SHARED_ATTRIBUTES = pa.map_(NAME, NAME, keys_sorted=True)
"""Values that are the same for many rows: resource and scope attributes."""


def _list(item: pa.DataType) -> pa.ListType:
    return pa.list_(pa.field("item", item, nullable=False))


def _schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns])


_EXEMPLARS = (
    ("Exemplars.FilteredAttributes", _list(ATTRIBUTES)),
    ("Exemplars.TimeUnix", _list(TIME)),
    ("Exemplars.Value", _list(pa.float64())),
    ("Exemplars.SpanId", _list(TEXT)),
    ("Exemplars.TraceId", _list(TEXT)),
)

_METRIC = (
    ("ResourceAttributes", SHARED_ATTRIBUTES),
    ("ResourceSchemaUrl", NAME),
    ("ScopeName", NAME),
    ("ScopeVersion", NAME),
    ("ScopeAttributes", SHARED_ATTRIBUTES),
    ("ScopeDroppedAttrCount", pa.uint32()),
    ("ScopeSchemaUrl", NAME),
    ("ServiceName", NAME),
    ("MetricName", NAME),
    ("MetricDescription", NAME),
    ("MetricUnit", NAME),
    ("Attributes", ATTRIBUTES),
    ("StartTimeUnix", TIME),
    ("TimeUnix", TIME),
    ("Flags", pa.uint32()),
)

DECODED: dict[Signal, pa.Schema] = {
    Signal.TRACES: _schema(
        ("Timestamp", TIME),
        ("TraceId", TEXT),
        ("SpanId", TEXT),
        ("ParentSpanId", TEXT),
        ("TraceState", TEXT),
        ("SpanName", NAME),
        ("SpanKind", NAME),
        ("ServiceName", NAME),
        ("ResourceAttributes", SHARED_ATTRIBUTES),
        ("ScopeName", NAME),
        ("ScopeVersion", NAME),
        ("SpanAttributes", ATTRIBUTES),
        ("Duration", pa.uint64()),
        ("StatusCode", NAME),
        ("StatusMessage", TEXT),
        ("Events.Timestamp", _list(TIME)),
        ("Events.Name", _list(NAME)),
        ("Events.Attributes", _list(ATTRIBUTES)),
        ("Links.TraceId", _list(TEXT)),
        ("Links.SpanId", _list(TEXT)),
        ("Links.TraceState", _list(TEXT)),
        ("Links.Attributes", _list(ATTRIBUTES)),
    ),
    Signal.LOGS: _schema(
        ("Timestamp", TIME),
        ("TraceId", TEXT),
        ("SpanId", TEXT),
        ("TraceFlags", pa.uint8()),
        ("SeverityText", NAME),
        ("SeverityNumber", pa.uint8()),
        ("ServiceName", NAME),
        ("Body", TEXT),
        ("ResourceSchemaUrl", NAME),
        ("ResourceAttributes", SHARED_ATTRIBUTES),
        ("ScopeSchemaUrl", NAME),
        ("ScopeName", NAME),
        ("ScopeVersion", NAME),
        ("ScopeAttributes", SHARED_ATTRIBUTES),
        ("LogAttributes", ATTRIBUTES),
        ("EventName", NAME),
    ),
    Signal.METRICS_GAUGE: _schema(*_METRIC, ("Value", pa.float64()), *_EXEMPLARS),
    Signal.METRICS_SUM: _schema(
        *_METRIC,
        ("Value", pa.float64()),
        *_EXEMPLARS,
        ("AggregationTemporality", pa.int32()),
        ("IsMonotonic", pa.bool_()),
    ),
    Signal.METRICS_HISTOGRAM: _schema(
        *_METRIC,
        ("Count", pa.uint64()),
        ("Sum", pa.float64()),
        ("BucketCounts", _list(pa.uint64())),
        ("ExplicitBounds", _list(pa.float64())),
        *_EXEMPLARS,
        ("Min", pa.float64()),
        ("Max", pa.float64()),
        ("AggregationTemporality", pa.int32()),
    ),
    Signal.METRICS_EXP_HISTOGRAM: _schema(
        *_METRIC,
        ("Count", pa.uint64()),
        ("Sum", pa.float64()),
        ("Scale", pa.int32()),
        ("ZeroCount", pa.uint64()),
        ("PositiveOffset", pa.int32()),
        ("PositiveBucketCounts", _list(pa.uint64())),
        ("NegativeOffset", pa.int32()),
        ("NegativeBucketCounts", _list(pa.uint64())),
        *_EXEMPLARS,
        ("Min", pa.float64()),
        ("Max", pa.float64()),
        ("AggregationTemporality", pa.int32()),
    ),
    Signal.METRICS_SUMMARY: _schema(
        *_METRIC,
        ("Count", pa.uint64()),
        ("Sum", pa.float64()),
        ("ValueAtQuantiles.Quantile", _list(pa.float64())),
        ("ValueAtQuantiles.Value", _list(pa.float64())),
    ),
}
"""What the decoder returns."""

OURS = (
    pa.field("Project", NAME, nullable=False),
    pa.field("BatchId", NAME, nullable=False),
    pa.field("BatchRow", pa.uint32(), nullable=False),
)
"""Columns of our own, last in each table: whose record it is, and what exactly-once needs."""

TABLE_COLUMNS: dict[Signal, pa.Schema] = {
    signal: pa.schema([*decoded, *OURS]) for signal, decoded in DECODED.items()
}
"""What the pipeline hands on."""

TIME_COLUMN: dict[Signal, str] = {
    signal: "Timestamp" if signal in (Signal.TRACES, Signal.LOGS) else "TimeUnix" for signal in Signal
}
"""The column a table is partitioned by, in days of UTC."""
