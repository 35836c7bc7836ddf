"""The Grafana dashboards, as code that writes their JSON."""
