"""Shows spans and the metrics of applications on the collector's `/metrics`, for Prometheus to scrape."""

from glasshouse_exporters.prometheus.config import PrometheusConfig
from glasshouse_exporters.prometheus.exporter import PrometheusExporter

__all__ = ["PrometheusConfig", "PrometheusExporter"]
