"""Templates of log records: what they have in common once all that varies is left out."""

from glasshouse_collector.patterns.finding import find_patterns
from glasshouse_collector.patterns.pattern import FoundPatterns, Pattern, Trend, pattern_id
from glasshouse_collector.patterns.shapes import PatternQuestion

__all__ = ["FoundPatterns", "Pattern", "PatternQuestion", "Trend", "find_patterns", "pattern_id"]
