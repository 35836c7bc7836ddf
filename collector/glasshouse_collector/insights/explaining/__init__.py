"""Tells an analysis in words: what happened, why, what to do, and what else was wrong at the time."""

from glasshouse_collector.insights.explaining.explaining import explain
from glasshouse_collector.insights.explaining.explanation import (
    Change,
    DependentErrors,
    ErrorGroup,
    Explanation,
    Moment,
    MomentKind,
)

__all__ = ["Change", "DependentErrors", "ErrorGroup", "Explanation", "Moment", "MomentKind", "explain"]
