-- The engine keeps the lengths of texts in a stream of their own, which for the short texts of attributes is one more
-- file to open, to compress and to merge. With the length before each text, as the engine had it before 2025, a merge of
-- spans takes 15 % less CPU, and those of a trace of 31 are read in 27 instead of 35 ms. A span of eight attributes takes
-- 7 % less of the disk (one of few attributes 2 % more), a metric's point a third less or better. Parts that are there
-- change when they are merged.
ALTER TABLE $database.otel_traces$local $on_cluster MODIFY SETTING string_serialization_version = 'single_stream';

ALTER TABLE $database.otel_logs$local $on_cluster MODIFY SETTING string_serialization_version = 'single_stream';

ALTER TABLE $database.otel_metrics_gauge$local $on_cluster MODIFY SETTING string_serialization_version = 'single_stream';

ALTER TABLE $database.otel_metrics_sum$local $on_cluster MODIFY SETTING string_serialization_version = 'single_stream';

ALTER TABLE $database.otel_metrics_histogram$local $on_cluster
    MODIFY SETTING string_serialization_version = 'single_stream';

ALTER TABLE $database.otel_metrics_exp_histogram$local $on_cluster
    MODIFY SETTING string_serialization_version = 'single_stream';

ALTER TABLE $database.otel_metrics_summary$local $on_cluster
    MODIFY SETTING string_serialization_version = 'single_stream';
