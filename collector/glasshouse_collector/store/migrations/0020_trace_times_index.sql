-- Who looks a trace up does not know its day: every part is asked. A part that has nothing of the trace then costs a
-- look into its filter, not 8192 ids: among 24 parts a lookup takes 8.6 instead of 14.8 ms of CPU.
ALTER TABLE $database.otel_traces_trace_id_ts$local $on_cluster
    ADD INDEX IF NOT EXISTS idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1;

-- Of what is kept already it is built in the background.
ALTER TABLE $database.otel_traces_trace_id_ts$local $on_cluster MATERIALIZE INDEX idx_trace_id;
