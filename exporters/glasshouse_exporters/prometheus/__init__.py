"""Shows spans and the metrics of applications on the collector's `/metrics`, for Prometheus to scrape."""
