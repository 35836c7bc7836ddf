"""Reads log records: pages, counts, context, live, as patterns."""
