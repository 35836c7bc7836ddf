-- Data points, one table a kind. The metric's name leads after the project: a service-first key reads
-- 69 % of the granules for one metric where this one reads 4 %.
CREATE TABLE IF NOT EXISTS $database.otel_metrics_gauge$local $on_cluster
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime64(9) CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime64(9) CODEC(Delta, ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Value Float64 CODEC(ZSTD(1)),
    `Exemplars.FilteredAttributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `Exemplars.TimeUnix` Array(DateTime64(9)) CODEC(ZSTD(1)),
    `Exemplars.Value` Array(Float64) CODEC(ZSTD(1)),
    `Exemplars.SpanId` Array(String) CODEC(ZSTD(1)),
    `Exemplars.TraceId` Array(String) CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchRow UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = $merge_tree
PARTITION BY toDate(TimeUnix, 'UTC')
ORDER BY (Project, MetricName, ServiceName, cityHash64(Attributes), TimeUnix)
SETTINGS $merge_tree_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.otel_metrics_gauge $on_cluster AS $database.otel_metrics_gauge$local
ENGINE = Distributed($cluster, $database, otel_metrics_gauge$local, cityHash64(MetricName, ServiceName, Attributes));

CREATE TABLE IF NOT EXISTS $database.otel_metrics_sum$local $on_cluster
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime64(9) CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime64(9) CODEC(Delta, ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Value Float64 CODEC(ZSTD(1)),
    `Exemplars.FilteredAttributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `Exemplars.TimeUnix` Array(DateTime64(9)) CODEC(ZSTD(1)),
    `Exemplars.Value` Array(Float64) CODEC(ZSTD(1)),
    `Exemplars.SpanId` Array(String) CODEC(ZSTD(1)),
    `Exemplars.TraceId` Array(String) CODEC(ZSTD(1)),
    AggregationTemporality Int32 CODEC(ZSTD(1)),
    IsMonotonic Bool CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchRow UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = $merge_tree
PARTITION BY toDate(TimeUnix, 'UTC')
ORDER BY (Project, MetricName, ServiceName, cityHash64(Attributes), TimeUnix)
SETTINGS $merge_tree_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.otel_metrics_sum $on_cluster AS $database.otel_metrics_sum$local
ENGINE = Distributed($cluster, $database, otel_metrics_sum$local, cityHash64(MetricName, ServiceName, Attributes));

CREATE TABLE IF NOT EXISTS $database.otel_metrics_histogram$local $on_cluster
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime64(9) CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime64(9) CODEC(Delta, ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Count UInt64 CODEC(ZSTD(1)),
    Sum Float64 CODEC(ZSTD(1)),
    BucketCounts Array(UInt64) CODEC(ZSTD(1)),
    ExplicitBounds Array(Float64) CODEC(ZSTD(1)),
    `Exemplars.FilteredAttributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `Exemplars.TimeUnix` Array(DateTime64(9)) CODEC(ZSTD(1)),
    `Exemplars.Value` Array(Float64) CODEC(ZSTD(1)),
    `Exemplars.SpanId` Array(String) CODEC(ZSTD(1)),
    `Exemplars.TraceId` Array(String) CODEC(ZSTD(1)),
    Min Float64 CODEC(ZSTD(1)),
    Max Float64 CODEC(ZSTD(1)),
    AggregationTemporality Int32 CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchRow UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = $merge_tree
PARTITION BY toDate(TimeUnix, 'UTC')
ORDER BY (Project, MetricName, ServiceName, cityHash64(Attributes), TimeUnix)
SETTINGS $merge_tree_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.otel_metrics_histogram $on_cluster AS $database.otel_metrics_histogram$local
ENGINE = Distributed($cluster, $database, otel_metrics_histogram$local, cityHash64(MetricName, ServiceName, Attributes));

CREATE TABLE IF NOT EXISTS $database.otel_metrics_exp_histogram$local $on_cluster
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime64(9) CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime64(9) CODEC(Delta, ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Count UInt64 CODEC(ZSTD(1)),
    Sum Float64 CODEC(ZSTD(1)),
    Scale Int32 CODEC(ZSTD(1)),
    ZeroCount UInt64 CODEC(ZSTD(1)),
    PositiveOffset Int32 CODEC(ZSTD(1)),
    PositiveBucketCounts Array(UInt64) CODEC(ZSTD(1)),
    NegativeOffset Int32 CODEC(ZSTD(1)),
    NegativeBucketCounts Array(UInt64) CODEC(ZSTD(1)),
    `Exemplars.FilteredAttributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `Exemplars.TimeUnix` Array(DateTime64(9)) CODEC(ZSTD(1)),
    `Exemplars.Value` Array(Float64) CODEC(ZSTD(1)),
    `Exemplars.SpanId` Array(String) CODEC(ZSTD(1)),
    `Exemplars.TraceId` Array(String) CODEC(ZSTD(1)),
    Min Float64 CODEC(ZSTD(1)),
    Max Float64 CODEC(ZSTD(1)),
    AggregationTemporality Int32 CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchRow UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = $merge_tree
PARTITION BY toDate(TimeUnix, 'UTC')
ORDER BY (Project, MetricName, ServiceName, cityHash64(Attributes), TimeUnix)
SETTINGS $merge_tree_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.otel_metrics_exp_histogram $on_cluster AS $database.otel_metrics_exp_histogram$local
ENGINE = Distributed($cluster, $database, otel_metrics_exp_histogram$local, cityHash64(MetricName, ServiceName, Attributes));

CREATE TABLE IF NOT EXISTS $database.otel_metrics_summary$local $on_cluster
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime64(9) CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime64(9) CODEC(Delta, ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Count UInt64 CODEC(ZSTD(1)),
    Sum Float64 CODEC(ZSTD(1)),
    `ValueAtQuantiles.Quantile` Array(Float64) CODEC(ZSTD(1)),
    `ValueAtQuantiles.Value` Array(Float64) CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchRow UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = $merge_tree
PARTITION BY toDate(TimeUnix, 'UTC')
ORDER BY (Project, MetricName, ServiceName, cityHash64(Attributes), TimeUnix)
SETTINGS $merge_tree_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.otel_metrics_summary $on_cluster AS $database.otel_metrics_summary$local
ENGINE = Distributed($cluster, $database, otel_metrics_summary$local, cityHash64(MetricName, ServiceName, Attributes));

-- A second name in use among readers.
CREATE VIEW IF NOT EXISTS $database.otel_metrics_exponential_histogram $on_cluster
AS SELECT * FROM $database.otel_metrics_exp_histogram;
