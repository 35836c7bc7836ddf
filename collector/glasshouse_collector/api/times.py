"""Times as the API tells them."""

from glasshouse_collector.core.times import rfc3339

__all__ = ["rfc3339"]
