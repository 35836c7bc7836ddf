-- Which attributes spans and log records have, a quarter of an hour, by service. Place: the record's own, its resource's,
-- its scope's. Every record is counted, by the set of its keys, of which a batch has few: a key that came once is there.
CREATE TABLE IF NOT EXISTS $database.glasshouse_span_attributes$local $on_cluster
(
    Project LowCardinality(String) CODEC(ZSTD(1)),
    Quarter DateTime CODEC(Delta, ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Place LowCardinality(String) CODEC(ZSTD(1)),
    Key LowCardinality(String) CODEC(ZSTD(1)),
    Records SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    LastSeen SimpleAggregateFunction(max, DateTime64(9)) CODEC(ZSTD(1))
)
ENGINE = $aggregating_merge_tree
PARTITION BY toDate(Quarter, 'UTC')
ORDER BY (Project, Quarter, ServiceName, Place, Key)
SETTINGS $rollup_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_span_attributes $on_cluster AS $database.glasshouse_span_attributes$local
ENGINE = Distributed($cluster, $database, glasshouse_span_attributes$local, cityHash64(ServiceName));

CREATE TABLE IF NOT EXISTS $database.glasshouse_log_attributes$local $on_cluster
(
    Project LowCardinality(String) CODEC(ZSTD(1)),
    Quarter DateTime CODEC(Delta, ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Place LowCardinality(String) CODEC(ZSTD(1)),
    Key LowCardinality(String) CODEC(ZSTD(1)),
    Records SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    LastSeen SimpleAggregateFunction(max, DateTime64(9)) CODEC(ZSTD(1))
)
ENGINE = $aggregating_merge_tree
PARTITION BY toDate(Quarter, 'UTC')
ORDER BY (Project, Quarter, ServiceName, Place, Key)
SETTINGS $rollup_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_log_attributes $on_cluster AS $database.glasshouse_log_attributes$local
ENGINE = Distributed($cluster, $database, glasshouse_log_attributes$local, cityHash64(ServiceName));

-- Their values, of a sample: the first 128 records of a batch, which are all where little is sent, and one of 128 of the
-- rest, with its weight. Ids have a value a record: what is kept of a key is its 20 most frequent values and an estimate of how many.
CREATE TABLE IF NOT EXISTS $database.glasshouse_span_attribute_values$local $on_cluster
(
    Project LowCardinality(String) CODEC(ZSTD(1)),
    Quarter DateTime CODEC(Delta, ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Place LowCardinality(String) CODEC(ZSTD(1)),
    Key LowCardinality(String) CODEC(ZSTD(1)),
    Sampled SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    Weight SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    Distinct AggregateFunction(uniqCombined(12), String) CODEC(ZSTD(1)),
    Top AggregateFunction(topKWeighted(20, 3, 'counts'), String, UInt64) CODEC(ZSTD(1))
)
ENGINE = $aggregating_merge_tree
PARTITION BY toDate(Quarter, 'UTC')
ORDER BY (Project, Key, Place, ServiceName, Quarter)
SETTINGS index_granularity = 256, $rollup_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_span_attribute_values $on_cluster AS $database.glasshouse_span_attribute_values$local
ENGINE = Distributed($cluster, $database, glasshouse_span_attribute_values$local, cityHash64(ServiceName));

CREATE TABLE IF NOT EXISTS $database.glasshouse_log_attribute_values$local $on_cluster
(
    Project LowCardinality(String) CODEC(ZSTD(1)),
    Quarter DateTime CODEC(Delta, ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Place LowCardinality(String) CODEC(ZSTD(1)),
    Key LowCardinality(String) CODEC(ZSTD(1)),
    Sampled SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    Weight SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    Distinct AggregateFunction(uniqCombined(12), String) CODEC(ZSTD(1)),
    Top AggregateFunction(topKWeighted(20, 3, 'counts'), String, UInt64) CODEC(ZSTD(1))
)
ENGINE = $aggregating_merge_tree
PARTITION BY toDate(Quarter, 'UTC')
ORDER BY (Project, Key, Place, ServiceName, Quarter)
SETTINGS index_granularity = 256, $rollup_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_log_attribute_values $on_cluster AS $database.glasshouse_log_attribute_values$local
ENGINE = Distributed($cluster, $database, glasshouse_log_attribute_values$local, cityHash64(ServiceName));

-- What was there before is counted once, a day at a time: a table is filled, then fed. Where this was broken off it begins anew.
TRUNCATE TABLE $database.glasshouse_span_attributes$local $on_cluster;

TRUNCATE TABLE $database.glasshouse_log_attributes$local $on_cluster;

TRUNCATE TABLE $database.glasshouse_span_attribute_values$local $on_cluster;

TRUNCATE TABLE $database.glasshouse_log_attribute_values$local $on_cluster;

INSERT INTO $database.glasshouse_span_attributes
    (Project, Quarter, ServiceName, Place, Key, Records, LastSeen)
SELECT Project, Quarter, ServiceName, attribute.1 AS Place, attribute.2 AS Key,
    sum(Rows) AS Records, max(Last) AS LastSeen
FROM
(
    SELECT Project, ServiceName, toStartOfFifteenMinutes(toDateTime(Timestamp)) AS Quarter,
        any(mapKeys(SpanAttributes)) AS Own,
        any(mapKeys(ResourceAttributes)) AS OfResource,
        count() AS Rows, max(Timestamp) AS Last
    FROM $database.otel_traces
    WHERE _partition_id = {day:String}
    GROUP BY Project, ServiceName, Quarter, cityHash64(mapKeys(SpanAttributes), mapKeys(ResourceAttributes))
)
ARRAY JOIN arrayConcat(arrayMap(key -> ('own', leftUTF8(key, 200)), Own),
    arrayMap(key -> ('resource', leftUTF8(key, 200)), OfResource)) AS attribute
GROUP BY Project, Quarter, ServiceName, Place, Key
LIMIT 1000 BY Project, Quarter, ServiceName, Place
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_span_attributes_mv $on_cluster
TO $database.glasshouse_span_attributes$local
AS SELECT Project, Quarter, ServiceName, attribute.1 AS Place, attribute.2 AS Key,
    sum(Rows) AS Records, max(Last) AS LastSeen
FROM
(
    SELECT Project, ServiceName, toStartOfFifteenMinutes(toDateTime(Timestamp)) AS Quarter,
        any(mapKeys(SpanAttributes)) AS Own,
        any(mapKeys(ResourceAttributes)) AS OfResource,
        count() AS Rows, max(Timestamp) AS Last
    FROM $database.otel_traces$local
    GROUP BY Project, ServiceName, Quarter, cityHash64(mapKeys(SpanAttributes), mapKeys(ResourceAttributes))
)
ARRAY JOIN arrayConcat(arrayMap(key -> ('own', leftUTF8(key, 200)), Own),
    arrayMap(key -> ('resource', leftUTF8(key, 200)), OfResource)) AS attribute
GROUP BY Project, Quarter, ServiceName, Place, Key
LIMIT 1000 BY Project, Quarter, ServiceName, Place;

INSERT INTO $database.glasshouse_span_attribute_values
    (Project, Quarter, ServiceName, Place, Key, Sampled, Weight, Distinct, Top)
SELECT Project, toStartOfFifteenMinutes(toDateTime(Timestamp)) AS Quarter, ServiceName, Place, leftUTF8(Name, 200) AS Key,
    count() AS Sampled, sum(toUInt64(if(BatchRow < 128, 1, 128))) AS Weight,
    uniqCombinedState(12)(leftUTF8(Value, 200)) AS Distinct,
    topKWeightedState(20, 3, 'counts')(leftUTF8(Value, 200), toUInt64(if(BatchRow < 128, 1, 128))) AS Top
FROM
(
    SELECT Project, Timestamp, ServiceName, BatchRow,
        arrayConcat(mapKeys(SpanAttributes), mapKeys(ResourceAttributes)) AS Names,
        arrayConcat(mapValues(SpanAttributes), mapValues(ResourceAttributes)) AS Values,
        arrayConcat(arrayMap(key -> 'own', mapKeys(SpanAttributes)), arrayMap(key -> 'resource', mapKeys(ResourceAttributes))) AS Places
    FROM $database.otel_traces
    WHERE (BatchRow < 128 OR BatchRow % 128 = 0) AND _partition_id = {day:String}
)
ARRAY JOIN Names AS Name, Values AS Value, Places AS Place
GROUP BY Project, Quarter, ServiceName, Place, Key
LIMIT 1000 BY Project, Quarter, ServiceName, Place
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_span_attribute_values_mv $on_cluster
TO $database.glasshouse_span_attribute_values$local
AS SELECT Project, toStartOfFifteenMinutes(toDateTime(Timestamp)) AS Quarter, ServiceName, Place, leftUTF8(Name, 200) AS Key,
    count() AS Sampled, sum(toUInt64(if(BatchRow < 128, 1, 128))) AS Weight,
    uniqCombinedState(12)(leftUTF8(Value, 200)) AS Distinct,
    topKWeightedState(20, 3, 'counts')(leftUTF8(Value, 200), toUInt64(if(BatchRow < 128, 1, 128))) AS Top
FROM
(
    SELECT Project, Timestamp, ServiceName, BatchRow,
        arrayConcat(mapKeys(SpanAttributes), mapKeys(ResourceAttributes)) AS Names,
        arrayConcat(mapValues(SpanAttributes), mapValues(ResourceAttributes)) AS Values,
        arrayConcat(arrayMap(key -> 'own', mapKeys(SpanAttributes)), arrayMap(key -> 'resource', mapKeys(ResourceAttributes))) AS Places
    FROM $database.otel_traces$local
    WHERE (BatchRow < 128 OR BatchRow % 128 = 0)
)
ARRAY JOIN Names AS Name, Values AS Value, Places AS Place
GROUP BY Project, Quarter, ServiceName, Place, Key
LIMIT 1000 BY Project, Quarter, ServiceName, Place;

INSERT INTO $database.glasshouse_log_attributes
    (Project, Quarter, ServiceName, Place, Key, Records, LastSeen)
SELECT Project, Quarter, ServiceName, attribute.1 AS Place, attribute.2 AS Key,
    sum(Rows) AS Records, max(Last) AS LastSeen
FROM
(
    SELECT Project, ServiceName, toStartOfFifteenMinutes(toDateTime(Timestamp)) AS Quarter,
        any(mapKeys(LogAttributes)) AS Own,
        any(mapKeys(ResourceAttributes)) AS OfResource,
        any(mapKeys(ScopeAttributes)) AS OfScope,
        count() AS Rows, max(Timestamp) AS Last
    FROM $database.otel_logs
    WHERE _partition_id = {day:String}
    GROUP BY Project, ServiceName, Quarter, cityHash64(mapKeys(LogAttributes), mapKeys(ResourceAttributes), mapKeys(ScopeAttributes))
)
ARRAY JOIN arrayConcat(arrayMap(key -> ('own', leftUTF8(key, 200)), Own),
    arrayMap(key -> ('resource', leftUTF8(key, 200)), OfResource),
    arrayMap(key -> ('scope', leftUTF8(key, 200)), OfScope)) AS attribute
GROUP BY Project, Quarter, ServiceName, Place, Key
LIMIT 1000 BY Project, Quarter, ServiceName, Place
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_log_attributes_mv $on_cluster
TO $database.glasshouse_log_attributes$local
AS SELECT Project, Quarter, ServiceName, attribute.1 AS Place, attribute.2 AS Key,
    sum(Rows) AS Records, max(Last) AS LastSeen
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
ARRAY JOIN arrayConcat(arrayMap(key -> ('own', leftUTF8(key, 200)), Own),
    arrayMap(key -> ('resource', leftUTF8(key, 200)), OfResource),
    arrayMap(key -> ('scope', leftUTF8(key, 200)), OfScope)) AS attribute
GROUP BY Project, Quarter, ServiceName, Place, Key
LIMIT 1000 BY Project, Quarter, ServiceName, Place;

INSERT INTO $database.glasshouse_log_attribute_values
    (Project, Quarter, ServiceName, Place, Key, Sampled, Weight, Distinct, Top)
SELECT Project, toStartOfFifteenMinutes(toDateTime(Timestamp)) AS Quarter, ServiceName, Place, leftUTF8(Name, 200) AS Key,
    count() AS Sampled, sum(toUInt64(if(BatchRow < 128, 1, 128))) AS Weight,
    uniqCombinedState(12)(leftUTF8(Value, 200)) AS Distinct,
    topKWeightedState(20, 3, 'counts')(leftUTF8(Value, 200), toUInt64(if(BatchRow < 128, 1, 128))) AS Top
FROM
(
    SELECT Project, Timestamp, ServiceName, BatchRow,
        arrayConcat(mapKeys(LogAttributes), mapKeys(ResourceAttributes), mapKeys(ScopeAttributes)) AS Names,
        arrayConcat(mapValues(LogAttributes), mapValues(ResourceAttributes), mapValues(ScopeAttributes)) AS Values,
        arrayConcat(arrayMap(key -> 'own', mapKeys(LogAttributes)), arrayMap(key -> 'resource', mapKeys(ResourceAttributes)), arrayMap(key -> 'scope', mapKeys(ScopeAttributes))) AS Places
    FROM $database.otel_logs
    WHERE (BatchRow < 128 OR BatchRow % 128 = 0) AND _partition_id = {day:String}
)
ARRAY JOIN Names AS Name, Values AS Value, Places AS Place
GROUP BY Project, Quarter, ServiceName, Place, Key
LIMIT 1000 BY Project, Quarter, ServiceName, Place
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_log_attribute_values_mv $on_cluster
TO $database.glasshouse_log_attribute_values$local
AS SELECT Project, toStartOfFifteenMinutes(toDateTime(Timestamp)) AS Quarter, ServiceName, Place, leftUTF8(Name, 200) AS Key,
    count() AS Sampled, sum(toUInt64(if(BatchRow < 128, 1, 128))) AS Weight,
    uniqCombinedState(12)(leftUTF8(Value, 200)) AS Distinct,
    topKWeightedState(20, 3, 'counts')(leftUTF8(Value, 200), toUInt64(if(BatchRow < 128, 1, 128))) AS Top
FROM
(
    SELECT Project, Timestamp, ServiceName, BatchRow,
        arrayConcat(mapKeys(LogAttributes), mapKeys(ResourceAttributes), mapKeys(ScopeAttributes)) AS Names,
        arrayConcat(mapValues(LogAttributes), mapValues(ResourceAttributes), mapValues(ScopeAttributes)) AS Values,
        arrayConcat(arrayMap(key -> 'own', mapKeys(LogAttributes)), arrayMap(key -> 'resource', mapKeys(ResourceAttributes)), arrayMap(key -> 'scope', mapKeys(ScopeAttributes))) AS Places
    FROM $database.otel_logs$local
    WHERE (BatchRow < 128 OR BatchRow % 128 = 0)
)
ARRAY JOIN Names AS Name, Values AS Value, Places AS Place
GROUP BY Project, Quarter, ServiceName, Place, Key
LIMIT 1000 BY Project, Quarter, ServiceName, Place;
