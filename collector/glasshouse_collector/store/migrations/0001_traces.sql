-- Spans, as the OpenTelemetry ClickHouse exporter lays them out; Project, BatchId and BatchRow are ours.
-- The spans of one trace lie far apart, and each is read with its whole granule: with 2048 rows instead of 8192
-- a trace is read in two thirds of the time (26 against 38 ms among 10 M spans), and inserts cost the same.
CREATE TABLE IF NOT EXISTS $database.otel_traces$local $on_cluster
(
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    `Events.Timestamp` Array(DateTime64(9)) CODEC(ZSTD(1)),
    `Events.Name` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `Events.Attributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `Links.TraceId` Array(String) CODEC(ZSTD(1)),
    `Links.SpanId` Array(String) CODEC(ZSTD(1)),
    `Links.TraceState` Array(String) CODEC(ZSTD(1)),
    `Links.Attributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchRow UInt32 CODEC(Delta, ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
)
ENGINE = $merge_tree
PARTITION BY toDate(Timestamp, 'UTC')
ORDER BY (Project, ServiceName, SpanName, toDateTime(Timestamp))
SETTINGS index_granularity = 2048, $merge_tree_settings;

-- When a trace began and ended, so that a lookup by id reads a few seconds of otel_traces, not all of it.
-- The id leads: who asks may not know the project. One row is wanted of all: with 1024 rows in a granule a lookup takes
-- 3.8 instead of 4.7 ms of CPU.
CREATE TABLE IF NOT EXISTS $database.otel_traces_trace_id_ts$local $on_cluster
(
    TraceId String CODEC(ZSTD(1)),
    Start DateTime64(9) CODEC(Delta, ZSTD(1)),
    End DateTime64(9) CODEC(Delta, ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1))
)
ENGINE = $merge_tree
PARTITION BY toDate(Start, 'UTC')
ORDER BY (TraceId, toUnixTimestamp(Start))
SETTINGS index_granularity = 1024, $merge_tree_settings;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.otel_traces_trace_id_ts_mv $on_cluster
TO $database.otel_traces_trace_id_ts$local
AS SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End, Project
FROM $database.otel_traces$local
WHERE TraceId != ''
GROUP BY Project, TraceId;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.otel_traces $on_cluster AS $database.otel_traces$local
ENGINE = Distributed($cluster, $database, otel_traces$local, cityHash64(TraceId));

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.otel_traces_trace_id_ts $on_cluster AS $database.otel_traces_trace_id_ts$local
ENGINE = Distributed($cluster, $database, otel_traces_trace_id_ts$local, cityHash64(TraceId));
