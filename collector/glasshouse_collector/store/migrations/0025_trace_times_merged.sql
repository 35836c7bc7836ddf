-- Who looks a trace up asks every part. A day that nobody has written to for ten minutes becomes one part: of eight days
-- 8 instead of 33 are asked, and a lookup takes 7.3 instead of 9.5 ms of CPU.
ALTER TABLE $database.otel_traces_trace_id_ts$local $on_cluster
    MODIFY SETTING min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1;
