"""What an analysis may use of the store: its answers are columns to compute with, not rows to show."""

from dataclasses import replace
from typing import Final

from glasshouse_collector.store import QueryLimits

MOST_ROWS: Final = 5_000_000
MOST_BYTES: Final = 1 << 30


def analysis_limits(limits: QueryLimits) -> QueryLimits:
    """Return the limits of questions with room for what an analysis reads, which bounds itself.

    Seconds and memory stay as they are set.
    """
    return replace(
        limits, rows=max(limits.rows, MOST_ROWS), answer_bytes=max(limits.answer_bytes, MOST_BYTES)
    )
