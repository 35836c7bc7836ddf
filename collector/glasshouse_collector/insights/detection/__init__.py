"""Finds incidents: what was strange beside the minutes before, and what of it belongs together."""

from glasshouse_collector.insights.detection.watching import detect

__all__ = ["detect"]
