-- What services do, counted a minute: spans by service, operation, kind and duration. A duration falls into one of
-- eight buckets an octave, floor(log2(nanoseconds + 1) * 8), so that a quantile read off them is within 4.5 %. What
-- looks like an id in an operation's name is a star: names without end would make it as long as otel_traces.
CREATE TABLE IF NOT EXISTS $database.glasshouse_operations$local $on_cluster
(
    Project LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    Minute DateTime CODEC(Delta, ZSTD(1)),
    DurationBucket UInt16 CODEC(ZSTD(1)),
    Calls SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    Errors SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = $aggregating_merge_tree
PARTITION BY toDate(Minute, 'UTC')
ORDER BY (Project, ServiceName, SpanName, SpanKind, Minute, DurationBucket)
SETTINGS $rollup_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_operations $on_cluster AS $database.glasshouse_operations$local
ENGINE = Distributed($cluster, $database, glasshouse_operations$local, cityHash64(ServiceName, SpanName));

-- The same an hour and without operations: days of a whole fleet are asked for at every visit of a page.
-- Entry: spans by which a service is asked (Server, Consumer).
CREATE TABLE IF NOT EXISTS $database.glasshouse_service_hours$local $on_cluster
(
    Project LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Entry Bool CODEC(ZSTD(1)),
    Hour DateTime CODEC(Delta, ZSTD(1)),
    DurationBucket UInt16 CODEC(ZSTD(1)),
    Calls SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    Errors SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = $aggregating_merge_tree
PARTITION BY toDate(Hour, 'UTC')
ORDER BY (Project, ServiceName, Entry, Hour, DurationBucket)
SETTINGS $rollup_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_service_hours $on_cluster AS $database.glasshouse_service_hours$local
ENGINE = Distributed($cluster, $database, glasshouse_service_hours$local, cityHash64(ServiceName));

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_service_hours_mv $on_cluster
TO $database.glasshouse_service_hours$local
AS SELECT Project, ServiceName, SpanKind IN ('Server', 'Consumer') AS Entry, toStartOfHour(Minute, 'UTC') AS Hour,
    DurationBucket, sum(Calls) AS Calls, sum(Errors) AS Errors
FROM $database.glasshouse_operations$local
GROUP BY Project, ServiceName, Entry, Hour, DurationBucket;

-- How many log records services write a minute, and their last heartbeat.
CREATE TABLE IF NOT EXISTS $database.glasshouse_log_counts$local $on_cluster
(
    Project LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Minute DateTime CODEC(Delta, ZSTD(1)),
    Records SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    Warnings SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    Errors SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    LastSeen SimpleAggregateFunction(max, DateTime64(9)) CODEC(ZSTD(1)),
    LastHeartbeat SimpleAggregateFunction(max, DateTime64(9)) CODEC(ZSTD(1))
)
ENGINE = $aggregating_merge_tree
PARTITION BY toDate(Minute, 'UTC')
ORDER BY (Project, ServiceName, Minute)
SETTINGS $rollup_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_log_counts $on_cluster AS $database.glasshouse_log_counts$local
ENGINE = Distributed($cluster, $database, glasshouse_log_counts$local, cityHash64(ServiceName));

-- What runs: instances of services with their host, version and environment, an hour, by resources of any signal.
-- Spans and log records are looked at by sample, but for the first of a batch, which are all there is where little is sent.
CREATE TABLE IF NOT EXISTS $database.glasshouse_instances$local $on_cluster
(
    Project LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Hour DateTime CODEC(Delta, ZSTD(1)),
    Instance String CODEC(ZSTD(1)),
    Host LowCardinality(String) CODEC(ZSTD(1)),
    Version LowCardinality(String) CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    FirstSeen SimpleAggregateFunction(min, DateTime64(9)) CODEC(ZSTD(1)),
    LastSeen SimpleAggregateFunction(max, DateTime64(9)) CODEC(ZSTD(1))
)
ENGINE = $aggregating_merge_tree
PARTITION BY toDate(Hour, 'UTC')
ORDER BY (Project, ServiceName, Hour, Instance, Host, Version, Environment)
SETTINGS $rollup_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_instances $on_cluster AS $database.glasshouse_instances$local
ENGINE = Distributed($cluster, $database, glasshouse_instances$local, cityHash64(ServiceName));

-- What was there before is counted once: a table is filled, then fed. Where this was broken off it begins anew.
TRUNCATE TABLE $database.glasshouse_operations$local $on_cluster;

TRUNCATE TABLE $database.glasshouse_service_hours$local $on_cluster;

TRUNCATE TABLE $database.glasshouse_log_counts$local $on_cluster;

TRUNCATE TABLE $database.glasshouse_instances$local $on_cluster;

INSERT INTO $database.glasshouse_operations
    (Project, ServiceName, SpanName, SpanKind, Minute, DurationBucket, Calls, Errors)
SELECT Project, ServiceName,
    leftUTF8(replaceRegexpAll(spans.SpanName,
        '(/)(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}|[0-9]+\\b)|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}|\\b[0-9a-fA-F]{16,}\\b|[0-9]{4,}',
        '\\1*'), 200) AS SpanName,
    SpanKind, toStartOfMinute(toDateTime(Timestamp)) AS Minute,
    toUInt16(floor(log2(toFloat64(Duration) + 1) * 8)) AS DurationBucket,
    count() AS Calls, countIf(StatusCode = 'Error') AS Errors
FROM $database.otel_traces AS spans
GROUP BY Project, ServiceName, SpanName, SpanKind, Minute, DurationBucket
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0, optimize_aggregation_in_order = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_operations_mv $on_cluster
TO $database.glasshouse_operations$local
AS SELECT Project, ServiceName,
    leftUTF8(replaceRegexpAll(spans.SpanName,
        '(/)(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}|[0-9]+\\b)|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}|\\b[0-9a-fA-F]{16,}\\b|[0-9]{4,}',
        '\\1*'), 200) AS SpanName,
    SpanKind, toStartOfMinute(toDateTime(Timestamp)) AS Minute,
    toUInt16(floor(log2(toFloat64(Duration) + 1) * 8)) AS DurationBucket,
    count() AS Calls, countIf(StatusCode = 'Error') AS Errors
FROM $database.otel_traces$local AS spans
GROUP BY Project, ServiceName, SpanName, SpanKind, Minute, DurationBucket;

INSERT INTO $database.glasshouse_log_counts
    (Project, ServiceName, Minute, Records, Warnings, Errors, LastSeen, LastHeartbeat)
SELECT Project, ServiceName, toStartOfMinute(toDateTime(Timestamp)) AS Minute,
    count() AS Records, countIf(SeverityNumber BETWEEN 13 AND 16) AS Warnings, countIf(SeverityNumber >= 17) AS Errors,
    max(Timestamp) AS LastSeen,
    maxIf(Timestamp, EventName = 'glasshouse.heartbeat') AS LastHeartbeat
FROM $database.otel_logs
GROUP BY Project, ServiceName, Minute
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_log_counts_mv $on_cluster
TO $database.glasshouse_log_counts$local
AS SELECT Project, ServiceName, toStartOfMinute(toDateTime(Timestamp)) AS Minute,
    count() AS Records, countIf(SeverityNumber BETWEEN 13 AND 16) AS Warnings, countIf(SeverityNumber >= 17) AS Errors,
    max(Timestamp) AS LastSeen,
    maxIf(Timestamp, EventName = 'glasshouse.heartbeat') AS LastHeartbeat
FROM $database.otel_logs$local
GROUP BY Project, ServiceName, Minute;

INSERT INTO $database.glasshouse_instances
    (Project, ServiceName, Hour, Instance, Host, Version, Environment, FirstSeen, LastSeen)
SELECT Project, ServiceName, toStartOfHour(toDateTime(Timestamp), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(Timestamp) AS FirstSeen, max(Timestamp) AS LastSeen
FROM $database.otel_traces
WHERE BatchRow % 16 = 0 OR BatchRow < 256
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_instances_of_traces_mv $on_cluster
TO $database.glasshouse_instances$local
AS SELECT Project, ServiceName, toStartOfHour(toDateTime(Timestamp), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(Timestamp) AS FirstSeen, max(Timestamp) AS LastSeen
FROM $database.otel_traces$local
WHERE BatchRow % 16 = 0 OR BatchRow < 256
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment;

INSERT INTO $database.glasshouse_instances
    (Project, ServiceName, Hour, Instance, Host, Version, Environment, FirstSeen, LastSeen)
SELECT Project, ServiceName, toStartOfHour(toDateTime(Timestamp), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(Timestamp) AS FirstSeen, max(Timestamp) AS LastSeen
FROM $database.otel_logs
WHERE BatchRow % 16 = 0 OR BatchRow < 256
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_instances_of_logs_mv $on_cluster
TO $database.glasshouse_instances$local
AS SELECT Project, ServiceName, toStartOfHour(toDateTime(Timestamp), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(Timestamp) AS FirstSeen, max(Timestamp) AS LastSeen
FROM $database.otel_logs$local
WHERE BatchRow % 16 = 0 OR BatchRow < 256
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment;

INSERT INTO $database.glasshouse_instances
    (Project, ServiceName, Hour, Instance, Host, Version, Environment, FirstSeen, LastSeen)
SELECT Project, ServiceName, toStartOfHour(toDateTime(TimeUnix), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen
FROM $database.otel_metrics_gauge
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_instances_of_metrics_gauge_mv $on_cluster
TO $database.glasshouse_instances$local
AS SELECT Project, ServiceName, toStartOfHour(toDateTime(TimeUnix), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen
FROM $database.otel_metrics_gauge$local
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment;

INSERT INTO $database.glasshouse_instances
    (Project, ServiceName, Hour, Instance, Host, Version, Environment, FirstSeen, LastSeen)
SELECT Project, ServiceName, toStartOfHour(toDateTime(TimeUnix), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen
FROM $database.otel_metrics_sum
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_instances_of_metrics_sum_mv $on_cluster
TO $database.glasshouse_instances$local
AS SELECT Project, ServiceName, toStartOfHour(toDateTime(TimeUnix), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen
FROM $database.otel_metrics_sum$local
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment;

INSERT INTO $database.glasshouse_instances
    (Project, ServiceName, Hour, Instance, Host, Version, Environment, FirstSeen, LastSeen)
SELECT Project, ServiceName, toStartOfHour(toDateTime(TimeUnix), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen
FROM $database.otel_metrics_histogram
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_instances_of_metrics_histogram_mv $on_cluster
TO $database.glasshouse_instances$local
AS SELECT Project, ServiceName, toStartOfHour(toDateTime(TimeUnix), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen
FROM $database.otel_metrics_histogram$local
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment;

INSERT INTO $database.glasshouse_instances
    (Project, ServiceName, Hour, Instance, Host, Version, Environment, FirstSeen, LastSeen)
SELECT Project, ServiceName, toStartOfHour(toDateTime(TimeUnix), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen
FROM $database.otel_metrics_exp_histogram
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_instances_of_metrics_exp_histogram_mv $on_cluster
TO $database.glasshouse_instances$local
AS SELECT Project, ServiceName, toStartOfHour(toDateTime(TimeUnix), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen
FROM $database.otel_metrics_exp_histogram$local
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment;

INSERT INTO $database.glasshouse_instances
    (Project, ServiceName, Hour, Instance, Host, Version, Environment, FirstSeen, LastSeen)
SELECT Project, ServiceName, toStartOfHour(toDateTime(TimeUnix), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen
FROM $database.otel_metrics_summary
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_instances_of_metrics_summary_mv $on_cluster
TO $database.glasshouse_instances$local
AS SELECT Project, ServiceName, toStartOfHour(toDateTime(TimeUnix), 'UTC') AS Hour,
    ResourceAttributes['service.instance.id'] AS Instance, ResourceAttributes['host.name'] AS Host,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen
FROM $database.otel_metrics_summary$local
GROUP BY Project, ServiceName, Hour, Instance, Host, Version, Environment;
