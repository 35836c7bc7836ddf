CREATE MATERIALIZED VIEW IF NOT EXISTS `default`.otel_traces_trace_id_ts_mv ON CLUSTER `fleet`
TO `default`.otel_traces_trace_id_ts_local
AS SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End, Project
FROM `default`.otel_traces_local
WHERE TraceId != ''
GROUP BY Project, TraceId;

CREATE TABLE IF NOT EXISTS `default`.otel_logs_local ON CLUSTER `fleet`
(
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)),
    TimestampTime DateTime ALIAS toDateTime(Timestamp),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    TraceFlags UInt8 CODEC(ZSTD(1)),
    SeverityText LowCardinality(String) CODEC(ZSTD(1)),
    SeverityNumber UInt8 CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Body String CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion LowCardinality(String) CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    EventName String CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchRow UInt32 CODEC(Delta, ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_log_attr_key mapKeys(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_log_attr_value mapValues(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_lower_body lower(Body) TYPE text(tokenizer = 'splitByNonAlpha')
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toDate(Timestamp, 'UTC')
ORDER BY (Project, toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)
SETTINGS index_granularity = 2048, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, merge_selector_base = 16, min_level_for_wide_part = 1, auto_statistics_types = '', fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS `default`.otel_logs ON CLUSTER `fleet` AS `default`.otel_logs_local
ENGINE = Distributed(`fleet`, `default`, otel_logs_local, cityHash64(BatchId, BatchRow));

CREATE MATERIALIZED VIEW IF NOT EXISTS `default`.otel_traces_trace_id_ts_mv ON CLUSTER `fleet`
TO `default`.otel_traces_trace_id_ts_local
AS SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End,
    fromUnixTimestamp64Nano(max(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration))) AS Finish,
    toUInt32(count()) AS Spans, toUInt32(countIf(StatusCode = 'Error')) AS Errors,
    toUInt32(countIf(StatusCode = 'Ok')) AS Oks,
    argMinIf(SpanId, Timestamp, ParentSpanId = '') AS RootSpanId,
    argMinIf(ServiceName, Timestamp, ParentSpanId = '') AS RootService,
    argMinIf(SpanName, Timestamp, ParentSpanId = '') AS RootName,
    groupArray(ServiceName) AS Services, groupArrayIf(ServiceName, StatusCode = 'Error') AS FailedServices, Project
FROM `default`.otel_traces_local
WHERE TraceId != ''
GROUP BY Project, TraceId;
