"""The page, pushed to a Prometheus-compatible server."""
