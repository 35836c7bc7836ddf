"""The collector: OTLP in, a durable journal, Arrow batches, ClickHouse, and a way to ask."""
