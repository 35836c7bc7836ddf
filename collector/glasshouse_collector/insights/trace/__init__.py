"""One slow or failed trace, held against normal ones of the same operation."""

from glasshouse_collector.insights.trace.explaining import explain_trace
from glasshouse_collector.insights.trace.findings import (
    CallDifference,
    JudgedSpan,
    LineDifference,
    SiblingTraces,
    SpanFinding,
    TraceExplanation,
)

__all__ = [
    "CallDifference",
    "JudgedSpan",
    "LineDifference",
    "SiblingTraces",
    "SpanFinding",
    "TraceExplanation",
    "explain_trace",
]
