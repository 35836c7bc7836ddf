-- What tells one series of a metric from another, by OpenTelemetry's data model (temporality does it too), as one number:
-- who asks for a metric need not read and compare maps of attributes for each point. Points lie series by series, so it
-- takes next to no disk. Of parts that are there it is computed as they are read, until they are merged.
ALTER TABLE $database.otel_metrics_gauge$local $on_cluster ADD COLUMN IF NOT EXISTS
    Series UInt64 MATERIALIZED cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes) CODEC(ZSTD(1));

-- only on a cluster
ALTER TABLE $database.otel_metrics_gauge $on_cluster ADD COLUMN IF NOT EXISTS
    Series UInt64 MATERIALIZED cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes);

ALTER TABLE $database.otel_metrics_sum$local $on_cluster ADD COLUMN IF NOT EXISTS
    Series UInt64 MATERIALIZED cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes) CODEC(ZSTD(1));

-- only on a cluster
ALTER TABLE $database.otel_metrics_sum $on_cluster ADD COLUMN IF NOT EXISTS
    Series UInt64 MATERIALIZED cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes);

ALTER TABLE $database.otel_metrics_histogram$local $on_cluster ADD COLUMN IF NOT EXISTS
    Series UInt64 MATERIALIZED cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes) CODEC(ZSTD(1));

-- only on a cluster
ALTER TABLE $database.otel_metrics_histogram $on_cluster ADD COLUMN IF NOT EXISTS
    Series UInt64 MATERIALIZED cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes);

ALTER TABLE $database.otel_metrics_exp_histogram$local $on_cluster ADD COLUMN IF NOT EXISTS
    Series UInt64 MATERIALIZED cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes) CODEC(ZSTD(1));

-- only on a cluster
ALTER TABLE $database.otel_metrics_exp_histogram $on_cluster ADD COLUMN IF NOT EXISTS
    Series UInt64 MATERIALIZED cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes);

ALTER TABLE $database.otel_metrics_summary$local $on_cluster ADD COLUMN IF NOT EXISTS
    Series UInt64 MATERIALIZED cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes) CODEC(ZSTD(1));

-- only on a cluster
ALTER TABLE $database.otel_metrics_summary $on_cluster ADD COLUMN IF NOT EXISTS
    Series UInt64 MATERIALIZED cityHash64(ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, Attributes);
