"""Tests of what an application tells of itself: spans, log records and metrics, kept in memory.

Under pytest the fixture `captured_telemetry` is there once glasshouse is installed; elsewhere, `capture`.
"""

from glasshouse.testing.capture import capture
from glasshouse.testing.clock import Clock
from glasshouse.testing.telemetry import Point, Telemetry

__all__ = ["Clock", "Point", "Telemetry", "capture"]
