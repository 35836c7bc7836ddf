-- Exceptions, a row each: events of spans in one table, log records in the other, as each has its signal's retention.
-- Frame is the line of the stack trace where it was raised: the innermost of the application, not of a library, by the
-- formats of Python, Java and its kin, JavaScript, Go, Rust, Ruby, PHP and .NET. ErrorId is the beginning of the SHA-256
-- of service, type without its package, and frame without what shifts from build to build (or, without any frame, the
-- operation). Ids are kept elsewhere: neither may change. The place is computed here, and not again for each question.
CREATE TABLE IF NOT EXISTS $database.glasshouse_span_exceptions$local $on_cluster
(
    Project LowCardinality(String) CODEC(ZSTD(1)),
    Time DateTime64(9) CODEC(Delta, ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Type LowCardinality(String) CODEC(ZSTD(1)),
    Message String CODEC(ZSTD(1)),
    Stack String CODEC(ZSTD(1)),
    Operation LowCardinality(String) CODEC(ZSTD(1)),
    Version LowCardinality(String) CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchRow UInt32 CODEC(ZSTD(1)),
    Number UInt32 CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Lines Array(String) EPHEMERAL splitByChar('\n', replaceRegexpAll(substring(Stack, position(Stack, '\npanic(') + 1),
        '\\n\\s+(?:at )?([^\\n]+\\.(?:go|rs):\\d)', ' \\1')),
    Frames Array(String) EPHEMERAL arrayFilter(line -> match(line, '^[\\s|+]*File "[^"]+", line \\d|^\\s*at .*(?:\\(.*\\)|:\\d+:\\d+$$)|\\.go:\\d|^\\s*\\d+: .*::|:\\d+:in [`\'"]|^#\\d+ .*\\(\\d+\\): |^\\S*@\\S+:\\d+:\\d+$$'),
        if(position(Stack, 'File "') > 0, arrayReverse(Lines), Lines)),
    Ours String EPHEMERAL arrayFirst(line -> NOT match(line, concat(
            '(?:site|dist)-packages[/\\\\]|[/\\\\]lib(?:64)?[/\\\\]python\\d|[/\\\\]Python\\d+[/\\\\]Lib[/\\\\]|File "<',
            '|at (?:[\\w.@-]*/)*(?:javax?|jakarta|jdk|sun|com\\.sun|kotlinx?|scala|groovy|clojure|io\\.(?:netty|grpc|vertx|micronaut|quarkus|opentelemetry)|org\\.(?:springframework|apache|hibernate|eclipse|junit|jboss|postgresql|slf4j|aspectj)|reactor|com\\.(?:google|fasterxml|zaxxer|mysql)|okhttp3|akka|ch\\.qos|net\\.bytebuddy)\\.|\\$$\\$$|\\$$Proxy',
            '|at (?:System|Microsoft|Npgsql|MySql\\w*|Grpc|Newtonsoft|MongoDB|StackExchange|Polly|Dapper|AutoMapper|MediatR|Serilog|NLog|OpenTelemetry|lambda_method\\w*)[.(]',
            '|node_modules[/\\\\]|\\(?node:|\\(internal/|webpack/(?:bootstrap|runtime)|\\(<anonymous>\\)$$|\\(native\\)$$',
            '|^(?:panic|runtime|reflect|testing|internal|net|database|encoding|sync|syscall|bufio|io|os|fmt|context|errors|text|html|crypto|go\\.opentelemetry\\.io|google\\.golang\\.org|golang\\.org)[./(].*\\.go:|^created by |/pkg/mod/|@v\\d[^/]*/|/usr/(?:local/|lib/)go[-.\\d]*/src/',
            '|^\\s*\\d+: +(?:0x[0-9a-f]+ - )?<?&?(?:(?:std|core|alloc|__rustc|tokio|futures\\w*|anyhow|eyre|backtrace|hyper|axum|tower|tracing\\w*|actix\\w*|opentelemetry\\w*)::|rust_|__rust)|/rustc/|\\.cargo/registry',
            '|/gems/|/lib/ruby/|/ruby/\\d|<internal:|/vendor/|^#\\d+ \\[internal')), Frames),
    Frame String DEFAULT leftUTF8(if(Ours = '', Frames[1], Ours), 500) CODEC(ZSTD(1)),
    ErrorId UInt64 DEFAULT reinterpretAsUInt64(reverse(substring(SHA256(concat(ServiceName, '\n',
        extract(Type, '([^.:/\\\\*&\\s]+)(?:[\\[`<({].*)?$$'), '\n',
        if(Frame = '', Operation, replaceRegexpAll(Frame, '(:in [`\'][^\']*\').*$$|^[\\s|+]*(?:from )?|[^"\\s(]*[/\\\\](?:site|dist)-packages[/\\\\]|[a-z-]+:///?[^/\\s)]*|\\?[^:\\s)]*|\\(\\{?0x[^()]*\\)|\\(\\.\\.\\.\\)| \\+0x[0-9a-f]+$$|0x[0-9a-f]+|[0-9a-f]{7,}|[0-9]+', '\\1')))), 1, 8))) CODEC(ZSTD(1)),
    Occurrence UInt64 DEFAULT if(SpanId = '', cityHash64(BatchId, BatchRow, Number), cityHash64(TraceId, SpanId)) CODEC(ZSTD(1))
)
ENGINE = $merge_tree
PARTITION BY toDate(Time, 'UTC')
ORDER BY (Project, ErrorId, Time)
SETTINGS $rollup_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_span_exceptions $on_cluster AS $database.glasshouse_span_exceptions$local
ENGINE = Distributed($cluster, $database, glasshouse_span_exceptions$local, ErrorId);

CREATE TABLE IF NOT EXISTS $database.glasshouse_log_exceptions$local $on_cluster AS $database.glasshouse_span_exceptions$local
ENGINE = $merge_tree
PARTITION BY toDate(Time, 'UTC')
ORDER BY (Project, ErrorId, Time)
SETTINGS $rollup_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_log_exceptions $on_cluster AS $database.glasshouse_log_exceptions$local
ENGINE = Distributed($cluster, $database, glasshouse_log_exceptions$local, ErrorId);

-- When each error was first seen, for ever: forgotten with its records, it would be a new one each time they go.
CREATE TABLE IF NOT EXISTS $database.glasshouse_errors_first_seen$local $on_cluster
(
    Project LowCardinality(String) CODEC(ZSTD(1)),
    ErrorId UInt64 CODEC(ZSTD(1)),
    FirstSeen SimpleAggregateFunction(min, DateTime64(9)) CODEC(ZSTD(1))
)
ENGINE = $aggregating_merge_tree
ORDER BY (Project, ErrorId)
SETTINGS $rollup_settings;

-- only on a cluster
CREATE TABLE IF NOT EXISTS $database.glasshouse_errors_first_seen $on_cluster AS $database.glasshouse_errors_first_seen$local
ENGINE = Distributed($cluster, $database, glasshouse_errors_first_seen$local, ErrorId);

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_span_errors_first_seen_mv $on_cluster
TO $database.glasshouse_errors_first_seen$local
AS SELECT Project, ErrorId, min(Time) AS FirstSeen
FROM $database.glasshouse_span_exceptions$local
GROUP BY Project, ErrorId;

CREATE MATERIALIZED VIEW IF NOT EXISTS $database.glasshouse_log_errors_first_seen_mv $on_cluster
TO $database.glasshouse_errors_first_seen$local
AS SELECT Project, ErrorId, min(Time) AS FirstSeen
FROM $database.glasshouse_log_exceptions$local
GROUP BY Project, ErrorId;

-- What was there before is copied, a day at a time. Where this was broken off it begins anew.
TRUNCATE TABLE $database.glasshouse_span_exceptions$local $on_cluster;

TRUNCATE TABLE $database.glasshouse_log_exceptions$local $on_cluster;

TRUNCATE TABLE $database.glasshouse_errors_first_seen$local $on_cluster;

INSERT INTO $database.glasshouse_span_exceptions
    (Project, Time, ServiceName, Type, Message, Stack, Operation, Version, Environment, TraceId, SpanId, BatchId, BatchRow,
    Number, Attributes)
SELECT Project, if(toDate(Moment, 'UTC') = toDate(Timestamp, 'UTC'), Moment, Timestamp) AS Time, ServiceName,
    leftUTF8(Event['exception.type'], 200) AS Type, leftUTF8(Event['exception.message'], 2000) AS Message,
    if(length(Event['exception.stacktrace']) <= 16384, Event['exception.stacktrace'], concat(substring(Event['exception.stacktrace'], 1, 4096), '\n...\n', substring(Event['exception.stacktrace'], -12288))) AS Stack,
    leftUTF8(replaceRegexpAll(SpanName, '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}|\\b[0-9a-fA-F]{16,}\\b|[0-9]+', '*'), 200) AS Operation,
    ResourceAttributes['service.version'] AS Version,
    coalesce(nullIf(ResourceAttributes['deployment.environment.name'], ''),
        ResourceAttributes['deployment.environment']) AS Environment,
    TraceId, SpanId, BatchId, BatchRow, Number,
    mapFilter((key, value) -> key NOT IN ('exception.type', 'exception.message', 'exception.stacktrace'), mapUpdate(SpanAttributes, Event)) AS Attributes
FROM
(
    SELECT * FROM $database.otel_traces WHERE has(`Events.Name`, 'exception') AND _partition_id = {day:String}
)
ARRAY JOIN `Events.Name` AS Name, `Events.Timestamp` AS Moment, `Events.Attributes` AS Event, arrayEnumerate(`Events.Name`) AS Number
WHERE Name = 'exception'
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

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
FROM
(
    SELECT * FROM $database.otel_traces$local WHERE has(`Events.Name`, 'exception')
)
ARRAY JOIN `Events.Name` AS Name, `Events.Timestamp` AS Moment, `Events.Attributes` AS Event, arrayEnumerate(`Events.Name`) AS Number
WHERE Name = 'exception';

INSERT INTO $database.glasshouse_log_exceptions
    (Project, Time, ServiceName, Type, Message, Stack, Operation, Version, Environment, TraceId, SpanId, BatchId, BatchRow,
    Number, Attributes)
SELECT Project, Timestamp AS Time, ServiceName,
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
FROM $database.otel_logs
WHERE (mapContains(LogAttributes, 'exception.type') OR mapContains(LogAttributes, 'exception.stacktrace')
    OR mapContains(LogAttributes, 'exception.message')) AND _partition_id = {day:String}
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

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
FROM $database.otel_logs$local
WHERE (mapContains(LogAttributes, 'exception.type') OR mapContains(LogAttributes, 'exception.stacktrace')
    OR mapContains(LogAttributes, 'exception.message'));
