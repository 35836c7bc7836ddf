"""The metrics of applications in Prometheus' form."""
