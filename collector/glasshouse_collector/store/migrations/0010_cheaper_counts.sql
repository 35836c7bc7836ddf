-- What an insert pays for its counts, less: each view costs some milliseconds, whatever it finds.
-- Spans and log records with an exception, of which most batches have none, are told apart before the store has
-- them: they go into tables that keep nothing and feed the views of exceptions.
CREATE TABLE IF NOT EXISTS $database.glasshouse_raising_spans$local $on_cluster
(
    Project LowCardinality(String),
    Timestamp DateTime64(9),
    ServiceName LowCardinality(String),
    SpanName LowCardinality(String),
    TraceId String,
    SpanId String,
    ResourceAttributes Map(LowCardinality(String), String),
    SpanAttributes Map(LowCardinality(String), String),
    `Events.Timestamp` Array(DateTime64(9)),
    `Events.Name` Array(LowCardinality(String)),
    `Events.Attributes` Array(Map(LowCardinality(String), String)),
    BatchId LowCardinality(String),
    BatchRow UInt32
)
ENGINE = Null;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_raising_spans $on_cluster AS $database.glasshouse_raising_spans$local
ENGINE = Distributed($cluster, $database, glasshouse_raising_spans$local, cityHash64(TraceId));

CREATE TABLE IF NOT EXISTS $database.glasshouse_raising_logs$local $on_cluster
(
    Project LowCardinality(String),
    Timestamp DateTime64(9),
    ServiceName LowCardinality(String),
    ScopeName String,
    TraceId String,
    SpanId String,
    ResourceAttributes Map(LowCardinality(String), String),
    LogAttributes Map(LowCardinality(String), String),
    BatchId LowCardinality(String),
    BatchRow UInt32
)
ENGINE = Null;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_raising_logs $on_cluster AS $database.glasshouse_raising_logs$local
ENGINE = Distributed($cluster, $database, glasshouse_raising_logs$local, cityHash64(BatchId, BatchRow));

DROP VIEW IF EXISTS $database.glasshouse_span_exceptions_mv $on_cluster SYNC;

DROP VIEW IF EXISTS $database.glasshouse_log_exceptions_mv $on_cluster SYNC;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_span_exceptions_mv $on_cluster
TO $database.glasshouse_span_exceptions$local
AS SELECT Project, if(toDate(Moment, 'UTC') = toDate(Timestamp, 'UTC'), Moment, Timestamp) AS Time, ServiceName,
    leftUTF8(Event['exception.type'], 200) AS Type, leftUTF8(Event['exception.message'], 2000) AS Message,
    if(length(Event['exception.stacktrace']) <= 16384, Event['exception.stacktrace'], concat(substring(Event['exception.stacktrace'], 1, 4096), '\n...\n', substring(Event['exception.stacktrace'], -12288))) AS Stack,
    leftUTF8(replaceRegexpAll(SpanName, '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}|\\b[0-9a-fA-F]{16,}\\b|[0-9]+', '*'), 200) AS Operation,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    TraceId, SpanId, BatchId, BatchRow, Number,
    mapFilter((key, value) -> key NOT IN ('exception.type', 'exception.message', 'exception.stacktrace'), mapUpdate(SpanAttributes, Event)) AS Attributes
FROM $database.glasshouse_raising_spans$local
ARRAY JOIN `Events.Name` AS Name, `Events.Timestamp` AS Moment, `Events.Attributes` AS Event, arrayEnumerate(`Events.Name`) AS Number
WHERE Name = 'exception';

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_log_exceptions_mv $on_cluster
TO $database.glasshouse_log_exceptions$local
AS SELECT Project, Timestamp AS Time, ServiceName,
    leftUTF8(LogAttributes['exception.type'], 200) AS Type, leftUTF8(LogAttributes['exception.message'], 2000) AS Message,
    if(length(LogAttributes['exception.stacktrace']) <= 16384, LogAttributes['exception.stacktrace'], concat(substring(LogAttributes['exception.stacktrace'], 1, 4096), '\n...\n', substring(LogAttributes['exception.stacktrace'], -12288))) AS Stack,
    leftUTF8(replaceRegexpAll(multiIf(LogAttributes['operation'] != '', LogAttributes['operation'],
        LogAttributes['code.function.name'] != '', LogAttributes['code.function.name'],
        LogAttributes['code.function'] != '', LogAttributes['code.function'], ScopeName), '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}|\\b[0-9a-fA-F]{16,}\\b|[0-9]+', '*'), 200) AS Operation,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    TraceId, SpanId, BatchId, BatchRow, 0 AS Number,
    mapFilter((key, value) -> key NOT IN ('exception.type', 'exception.message', 'exception.stacktrace'), LogAttributes) AS Attributes
FROM $database.glasshouse_raising_logs$local;

-- Keys of attributes, without a function for each of them.
DROP VIEW IF EXISTS $database.glasshouse_span_attributes_mv $on_cluster SYNC;

DROP VIEW IF EXISTS $database.glasshouse_log_attributes_mv $on_cluster SYNC;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_span_attributes_mv $on_cluster
TO $database.glasshouse_span_attributes$local
AS SELECT Project, Quarter, ServiceName, Place, leftUTF8(Name, 200) AS Key, sum(Rows) AS Records, max(Last) AS LastSeen
FROM
(
    SELECT Project, ServiceName, toStartOfFifteenMinutes(toDateTime(Timestamp)) AS Quarter,
        any(mapKeys(SpanAttributes)) AS Own,
        any(mapKeys(ResourceAttributes)) AS OfResource,
        count() AS Rows, max(Timestamp) AS Last
    FROM $database.otel_traces$local
    GROUP BY Project, ServiceName, Quarter, cityHash64(mapKeys(SpanAttributes), mapKeys(ResourceAttributes))
)
ARRAY JOIN arrayConcat(Own, OfResource) AS Name,
    arrayConcat(arrayWithConstant(length(Own), 'own'), arrayWithConstant(length(OfResource), 'resource')) AS Place
GROUP BY Project, Quarter, ServiceName, Place, Key
LIMIT 1000 BY Project, Quarter, ServiceName, Place;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_log_attributes_mv $on_cluster
TO $database.glasshouse_log_attributes$local
AS SELECT Project, Quarter, ServiceName, Place, leftUTF8(Name, 200) AS Key, sum(Rows) AS Records, max(Last) AS LastSeen
FROM
(
    SELECT Project, ServiceName, toStartOfFifteenMinutes(toDateTime(Timestamp)) AS Quarter,
        any(mapKeys(LogAttributes)) AS Own,
        any(mapKeys(ResourceAttributes)) AS OfResource,
        any(mapKeys(ScopeAttributes)) AS OfScope,
        count() AS Rows, max(Timestamp) AS Last
    FROM $database.otel_logs$local
    GROUP BY Project, ServiceName, Quarter, cityHash64(mapKeys(LogAttributes), mapKeys(ResourceAttributes), mapKeys(ScopeAttributes))
)
ARRAY JOIN arrayConcat(Own, OfResource, OfScope) AS Name,
    arrayConcat(arrayWithConstant(length(Own), 'own'), arrayWithConstant(length(OfResource), 'resource'), arrayWithConstant(length(OfScope), 'scope')) AS Place
GROUP BY Project, Quarter, ServiceName, Place, Key
LIMIT 1000 BY Project, Quarter, ServiceName, Place;

-- Made anew: a view whose query was changed in place is another to deduplication after a restart.
DROP VIEW IF EXISTS $database.otel_traces_trace_id_ts_mv $on_cluster SYNC;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.otel_traces_trace_id_ts_mv $on_cluster
TO $database.otel_traces_trace_id_ts$local
AS SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End,
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
