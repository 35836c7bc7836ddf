"""`glasshouse send`: replays OTLP JSON Lines files to any OTLP endpoint.

files ──▶ lines ──▶ requests ──▶ (times moved) ──▶ split ──▶ queue ──▶ several in flight ──▶ endpoint
"""

from glasshouse_collector.send.command import send

__all__ = ["send"]
