-- The spans of a trace lie far apart, and of each all columns are read. A compressed block of 64 kB holds a column of
-- several granules: all of them were decompressed for one. With 16 kB a trace of 27 spans takes 49 instead of 69 ms of
-- CPU, and the table 6 % more disk; inserts and merges cost the same. Parts that are there change when they are merged.
ALTER TABLE $database.otel_traces$local $on_cluster MODIFY SETTING min_compress_block_size = 16384;

-- Who links to a trace: few spans have links, and a granule without any costs nothing in this index.
ALTER TABLE $database.otel_traces$local $on_cluster
    ADD INDEX IF NOT EXISTS idx_links_trace_id `Links.TraceId` TYPE bloom_filter(0.001) GRANULARITY 1;

-- Of what is kept already it is built in the background.
ALTER TABLE $database.otel_traces$local $on_cluster MATERIALIZE INDEX idx_links_trace_id;
