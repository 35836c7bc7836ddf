-- What a list of traces tells of each, one row an insert and trace, as before: who reads adds them up. Services has one
-- item a span, FailedServices one a span with the status Error. RootSpanId is empty where the insert had no root.
ALTER TABLE $database.otel_traces_trace_id_ts$local $on_cluster
    ADD COLUMN IF NOT EXISTS Finish DateTime64(9) CODEC(Delta, ZSTD(1)) AFTER End,
    ADD COLUMN IF NOT EXISTS Spans UInt32 CODEC(ZSTD(1)) AFTER Finish,
    ADD COLUMN IF NOT EXISTS Errors UInt32 CODEC(ZSTD(1)) AFTER Spans,
    ADD COLUMN IF NOT EXISTS Oks UInt32 CODEC(ZSTD(1)) AFTER Errors,
    ADD COLUMN IF NOT EXISTS RootSpanId String CODEC(ZSTD(1)) AFTER Oks,
    ADD COLUMN IF NOT EXISTS RootService LowCardinality(String) CODEC(ZSTD(1)) AFTER RootSpanId,
    ADD COLUMN IF NOT EXISTS RootName LowCardinality(String) CODEC(ZSTD(1)) AFTER RootService,
    ADD COLUMN IF NOT EXISTS Services Array(LowCardinality(String)) CODEC(ZSTD(1)) AFTER RootName,
    ADD COLUMN IF NOT EXISTS FailedServices Array(LowCardinality(String)) CODEC(ZSTD(1)) AFTER Services;

-- only on a cluster
ALTER TABLE $database.otel_traces_trace_id_ts $on_cluster
    ADD COLUMN IF NOT EXISTS Finish DateTime64(9) AFTER End,
    ADD COLUMN IF NOT EXISTS Spans UInt32 AFTER Finish,
    ADD COLUMN IF NOT EXISTS Errors UInt32 AFTER Spans,
    ADD COLUMN IF NOT EXISTS Oks UInt32 AFTER Errors,
    ADD COLUMN IF NOT EXISTS RootSpanId String AFTER Oks,
    ADD COLUMN IF NOT EXISTS RootService LowCardinality(String) AFTER RootSpanId,
    ADD COLUMN IF NOT EXISTS RootName LowCardinality(String) AFTER RootService,
    ADD COLUMN IF NOT EXISTS Services Array(LowCardinality(String)) AFTER RootName,
    ADD COLUMN IF NOT EXISTS FailedServices Array(LowCardinality(String)) AFTER Services;

-- Duration is unsigned: a sum beyond the time's range wraps to long ago, and counts for no end.
ALTER TABLE $database.otel_traces_trace_id_ts_mv $on_cluster MODIFY QUERY
SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End,
    fromUnixTimestamp64Nano(max(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration))) AS Finish,
    toUInt32(count()) AS Spans, toUInt32(countIf(StatusCode = 'Error')) AS Errors,
    toUInt32(countIf(StatusCode = 'Ok')) AS Oks,
    argMinIf(SpanId, Timestamp, ParentSpanId = '') AS RootSpanId,
    argMinIf(ServiceName, Timestamp, ParentSpanId = '') AS RootService,
    argMinIf(SpanName, Timestamp, ParentSpanId = '') AS RootName,
    groupArray(ServiceName) AS Services, groupArrayIf(ServiceName, StatusCode = 'Error') AS FailedServices, Project
FROM $database.otel_traces$local
WHERE TraceId != ''
GROUP BY Project, TraceId;

-- What was kept before is told once: begun anew, so that a migration that was killed tells nothing twice.
TRUNCATE TABLE $database.otel_traces_trace_id_ts$local $on_cluster;

INSERT INTO $database.otel_traces_trace_id_ts (TraceId, Start, End, Finish, Spans, Errors, Oks,
    RootSpanId, RootService, RootName, Services, FailedServices, Project)
SELECT TraceId, min(Timestamp), max(Timestamp),
    fromUnixTimestamp64Nano(max(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration))),
    toUInt32(count()), toUInt32(countIf(StatusCode = 'Error')), toUInt32(countIf(StatusCode = 'Ok')),
    argMinIf(SpanId, Timestamp, ParentSpanId = ''), argMinIf(ServiceName, Timestamp, ParentSpanId = ''),
    argMinIf(SpanName, Timestamp, ParentSpanId = ''),
    groupArray(ServiceName), groupArrayIf(ServiceName, StatusCode = 'Error'), Project
FROM $database.otel_traces
WHERE TraceId != ''
GROUP BY Project, TraceId, toDate(Timestamp, 'UTC')
SETTINGS max_partitions_per_insert_block = 0, max_bytes_before_external_group_by = 1073741824;
