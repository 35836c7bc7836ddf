-- Which metrics there are, by service and day of UTC: what a point alone tells after reading millions of them.
-- Series holds an estimate of how many series there are (2 %), Keys and ResourceKeys at most 100 names of attributes.
CREATE TABLE IF NOT EXISTS $database.glasshouse_metric_names$local $on_cluster
(
    Project LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Kind LowCardinality(String) CODEC(ZSTD(1)),
    Unit LowCardinality(String) CODEC(ZSTD(1)),
    Temporality Int32 CODEC(ZSTD(1)),
    IsMonotonic Bool CODEC(ZSTD(1)),
    Day Date CODEC(ZSTD(1)),
    Description SimpleAggregateFunction(anyLast, String) CODEC(ZSTD(1)),
    FirstSeen SimpleAggregateFunction(min, DateTime64(9)) CODEC(ZSTD(1)),
    LastSeen SimpleAggregateFunction(max, DateTime64(9)) CODEC(ZSTD(1)),
    Points SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    Series AggregateFunction(uniqCombined(12), UInt64) CODEC(ZSTD(1)),
    Keys SimpleAggregateFunction(groupUniqArrayArray(100), Array(String)) CODEC(ZSTD(1)),
    ResourceKeys SimpleAggregateFunction(groupUniqArrayArray(100), Array(String)) CODEC(ZSTD(1))
)
ENGINE = $aggregating_merge_tree
PARTITION BY Day
ORDER BY (Project, MetricName, ServiceName, Kind, Unit, Temporality, IsMonotonic, Day)
SETTINGS $rollup_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_metric_names $on_cluster AS $database.glasshouse_metric_names$local
ENGINE = Distributed($cluster, $database, glasshouse_metric_names$local, cityHash64(MetricName, ServiceName));

-- What was there before is counted once: the table is filled, then fed. Where this was broken off it begins anew.
TRUNCATE TABLE $database.glasshouse_metric_names$local $on_cluster;

INSERT INTO $database.glasshouse_metric_names
    (Project, MetricName, ServiceName, Kind, Unit, Temporality, IsMonotonic, Day, Description, FirstSeen, LastSeen,
     Points, Series, Keys, ResourceKeys)
SELECT Project, MetricName, ServiceName, 'gauge' AS Kind, MetricUnit AS Unit,
    toInt32(0) AS Temporality, false AS IsMonotonic, toDate(TimeUnix, 'UTC') AS Day,
    leftUTF8(anyLast(MetricDescription), 1000) AS Description, min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen,
    count() AS Points,
    uniqCombinedState(12)(cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes)) AS Series,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(Attributes))) AS Keys,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(ResourceAttributes))) AS ResourceKeys
FROM $database.otel_metrics_gauge AS points
GROUP BY Project, MetricName, ServiceName, Unit, Temporality, IsMonotonic, Day
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_metric_names_of_gauge_mv $on_cluster
TO $database.glasshouse_metric_names$local
AS SELECT Project, MetricName, ServiceName, 'gauge' AS Kind, MetricUnit AS Unit,
    toInt32(0) AS Temporality, false AS IsMonotonic, toDate(TimeUnix, 'UTC') AS Day,
    leftUTF8(anyLast(MetricDescription), 1000) AS Description, min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen,
    count() AS Points,
    uniqCombinedState(12)(cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes)) AS Series,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(Attributes))) AS Keys,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(ResourceAttributes))) AS ResourceKeys
FROM $database.otel_metrics_gauge$local AS points
GROUP BY Project, MetricName, ServiceName, Unit, Temporality, IsMonotonic, Day;

INSERT INTO $database.glasshouse_metric_names
    (Project, MetricName, ServiceName, Kind, Unit, Temporality, IsMonotonic, Day, Description, FirstSeen, LastSeen,
     Points, Series, Keys, ResourceKeys)
SELECT Project, MetricName, ServiceName, 'sum' AS Kind, MetricUnit AS Unit,
    AggregationTemporality AS Temporality, points.IsMonotonic AS IsMonotonic, toDate(TimeUnix, 'UTC') AS Day,
    leftUTF8(anyLast(MetricDescription), 1000) AS Description, min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen,
    count() AS Points,
    uniqCombinedState(12)(cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes)) AS Series,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(Attributes))) AS Keys,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(ResourceAttributes))) AS ResourceKeys
FROM $database.otel_metrics_sum AS points
GROUP BY Project, MetricName, ServiceName, Unit, Temporality, IsMonotonic, Day
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_metric_names_of_sum_mv $on_cluster
TO $database.glasshouse_metric_names$local
AS SELECT Project, MetricName, ServiceName, 'sum' AS Kind, MetricUnit AS Unit,
    AggregationTemporality AS Temporality, points.IsMonotonic AS IsMonotonic, toDate(TimeUnix, 'UTC') AS Day,
    leftUTF8(anyLast(MetricDescription), 1000) AS Description, min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen,
    count() AS Points,
    uniqCombinedState(12)(cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes)) AS Series,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(Attributes))) AS Keys,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(ResourceAttributes))) AS ResourceKeys
FROM $database.otel_metrics_sum$local AS points
GROUP BY Project, MetricName, ServiceName, Unit, Temporality, IsMonotonic, Day;

INSERT INTO $database.glasshouse_metric_names
    (Project, MetricName, ServiceName, Kind, Unit, Temporality, IsMonotonic, Day, Description, FirstSeen, LastSeen,
     Points, Series, Keys, ResourceKeys)
SELECT Project, MetricName, ServiceName, 'histogram' AS Kind, MetricUnit AS Unit,
    AggregationTemporality AS Temporality, false AS IsMonotonic, toDate(TimeUnix, 'UTC') AS Day,
    leftUTF8(anyLast(MetricDescription), 1000) AS Description, min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen,
    count() AS Points,
    uniqCombinedState(12)(cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes)) AS Series,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(Attributes))) AS Keys,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(ResourceAttributes))) AS ResourceKeys
FROM $database.otel_metrics_histogram AS points
GROUP BY Project, MetricName, ServiceName, Unit, Temporality, IsMonotonic, Day
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_metric_names_of_histogram_mv $on_cluster
TO $database.glasshouse_metric_names$local
AS SELECT Project, MetricName, ServiceName, 'histogram' AS Kind, MetricUnit AS Unit,
    AggregationTemporality AS Temporality, false AS IsMonotonic, toDate(TimeUnix, 'UTC') AS Day,
    leftUTF8(anyLast(MetricDescription), 1000) AS Description, min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen,
    count() AS Points,
    uniqCombinedState(12)(cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes)) AS Series,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(Attributes))) AS Keys,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(ResourceAttributes))) AS ResourceKeys
FROM $database.otel_metrics_histogram$local AS points
GROUP BY Project, MetricName, ServiceName, Unit, Temporality, IsMonotonic, Day;

INSERT INTO $database.glasshouse_metric_names
    (Project, MetricName, ServiceName, Kind, Unit, Temporality, IsMonotonic, Day, Description, FirstSeen, LastSeen,
     Points, Series, Keys, ResourceKeys)
SELECT Project, MetricName, ServiceName, 'exponential_histogram' AS Kind, MetricUnit AS Unit,
    AggregationTemporality AS Temporality, false AS IsMonotonic, toDate(TimeUnix, 'UTC') AS Day,
    leftUTF8(anyLast(MetricDescription), 1000) AS Description, min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen,
    count() AS Points,
    uniqCombinedState(12)(cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes)) AS Series,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(Attributes))) AS Keys,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(ResourceAttributes))) AS ResourceKeys
FROM $database.otel_metrics_exp_histogram AS points
GROUP BY Project, MetricName, ServiceName, Unit, Temporality, IsMonotonic, Day
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_metric_names_of_exp_histogram_mv $on_cluster
TO $database.glasshouse_metric_names$local
AS SELECT Project, MetricName, ServiceName, 'exponential_histogram' AS Kind, MetricUnit AS Unit,
    AggregationTemporality AS Temporality, false AS IsMonotonic, toDate(TimeUnix, 'UTC') AS Day,
    leftUTF8(anyLast(MetricDescription), 1000) AS Description, min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen,
    count() AS Points,
    uniqCombinedState(12)(cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes)) AS Series,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(Attributes))) AS Keys,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(ResourceAttributes))) AS ResourceKeys
FROM $database.otel_metrics_exp_histogram$local AS points
GROUP BY Project, MetricName, ServiceName, Unit, Temporality, IsMonotonic, Day;

INSERT INTO $database.glasshouse_metric_names
    (Project, MetricName, ServiceName, Kind, Unit, Temporality, IsMonotonic, Day, Description, FirstSeen, LastSeen,
     Points, Series, Keys, ResourceKeys)
SELECT Project, MetricName, ServiceName, 'summary' AS Kind, MetricUnit AS Unit,
    toInt32(0) AS Temporality, false AS IsMonotonic, toDate(TimeUnix, 'UTC') AS Day,
    leftUTF8(anyLast(MetricDescription), 1000) AS Description, min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen,
    count() AS Points,
    uniqCombinedState(12)(cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes)) AS Series,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(Attributes))) AS Keys,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(ResourceAttributes))) AS ResourceKeys
FROM $database.otel_metrics_summary AS points
GROUP BY Project, MetricName, ServiceName, Unit, Temporality, IsMonotonic, Day
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_metric_names_of_summary_mv $on_cluster
TO $database.glasshouse_metric_names$local
AS SELECT Project, MetricName, ServiceName, 'summary' AS Kind, MetricUnit AS Unit,
    toInt32(0) AS Temporality, false AS IsMonotonic, toDate(TimeUnix, 'UTC') AS Day,
    leftUTF8(anyLast(MetricDescription), 1000) AS Description, min(TimeUnix) AS FirstSeen, max(TimeUnix) AS LastSeen,
    count() AS Points,
    uniqCombinedState(12)(cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes)) AS Series,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(Attributes))) AS Keys,
    groupUniqArrayArray(100)(arrayMap(key -> toString(key), mapKeys(ResourceAttributes))) AS ResourceKeys
FROM $database.otel_metrics_summary$local AS points
GROUP BY Project, MetricName, ServiceName, Unit, Temporality, IsMonotonic, Day;
