"""The only place that knows ClickHouse."""
