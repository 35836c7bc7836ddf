"""Older clients' JSON as OTLP: what they send becomes log records like any other's.

Two formats are known: `project_monitor` (project-monitor-sdk) and `tracehub` (tracehub-logger).
"""

from glasshouse_collector.ingest.bodies import MOST_ITEMS, Malformed, TooMany, read_items
from glasshouse_collector.ingest.items import Mistake
from glasshouse_collector.ingest.project_monitor import project_monitor
from glasshouse_collector.ingest.requests import Converted, Reader, convert
from glasshouse_collector.ingest.tracehub import tracehub

__all__ = [
    "MOST_ITEMS",
    "Converted",
    "Malformed",
    "Mistake",
    "Reader",
    "TooMany",
    "convert",
    "project_monitor",
    "read_items",
    "tracehub",
]
