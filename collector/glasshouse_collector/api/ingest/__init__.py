"""Takes older clients' log records."""
