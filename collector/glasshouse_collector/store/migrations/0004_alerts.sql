-- What Alertmanager told of alerts: one row an alert (by project, fingerprint and start) and status. Told again,
-- a row replaces the one before with the next merge; who reads takes the last of each.
CREATE TABLE IF NOT EXISTS $database.glasshouse_alerts$local $on_cluster
(
    StartsAt DateTime64(6) CODEC(Delta, ZSTD(1)),
    EndsAt DateTime64(6) CODEC(Delta, ZSTD(1)),
    ReceivedAt DateTime64(6) CODEC(Delta, ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    Fingerprint String CODEC(ZSTD(1)),
    Status LowCardinality(String) CODEC(ZSTD(1)),
    AlertName LowCardinality(String) CODEC(ZSTD(1)),
    Severity LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Annotations Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    GroupLabels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    GroupKey String CODEC(ZSTD(1)),
    Receiver LowCardinality(String) CODEC(ZSTD(1)),
    GeneratorUrl String CODEC(ZSTD(1)),
    AlertmanagerUrl String CODEC(ZSTD(1)),
    TraceIds Array(String) CODEC(ZSTD(1))
)
ENGINE = $replacing_merge_tree
PARTITION BY toYYYYMM(StartsAt, 'UTC')
ORDER BY (StartsAt, Project, Fingerprint, Status)
SETTINGS $merge_tree_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_alerts $on_cluster AS $database.glasshouse_alerts$local
ENGINE = Distributed($cluster, $database, glasshouse_alerts$local, cityHash64(Fingerprint));
