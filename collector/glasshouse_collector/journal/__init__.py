"""The durable queue between the receivers and the exporters."""
