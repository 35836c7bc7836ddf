"""Tells the patterns of log records."""

from typing import Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.logs.counting import step_for
from glasshouse_collector.api.logs.pattern_model import LogExample, LogPattern, LogPatterns, LogTrend
from glasshouse_collector.api.logs.place import LogPlace
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.patterns import Pattern, PatternQuestion, find_patterns
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_STEPS: Final = 60


def read_patterns(
    store: ProjectStore, conditions: Conditions, within: TimeRange, most: int, limits: QueryLimits
) -> LogPatterns:
    """Return up to `most` patterns of the records for which the conditions hold; raises `EngineFailure`."""
    step = step_for(within, MOST_STEPS)
    asked = PatternQuestion(conditions.sql, conditions.values, within.start, within.end, step)
    found = find_patterns(store, asked, limits)
    counted = sum(pattern.count for pattern in found.patterns)
    return LogPatterns(
        patterns=[_told(pattern, counted) for pattern in found.patterns[:most]],
        truncated=len(found.patterns) > most,
        total=found.total,
        sampled=found.looked_at < found.total,
        looked_at=found.looked_at / found.total if found.total else 1.0,
        start_time=rfc3339(within.start),
        end_time=rfc3339(within.end),
        step_seconds=step // 10**9,
    )


def _told(pattern: Pattern, counted: int) -> LogPattern:
    return LogPattern(
        id=pattern.id,
        template=pattern.template,
        count=pattern.count,
        share=pattern.count / counted,
        levels=pattern.levels,
        services=pattern.services,
        first_seen=rfc3339(pattern.first_seen),
        last_seen=rfc3339(pattern.last_seen),
        trend=LogTrend(word=pattern.trend, counts=pattern.steps),
        examples=[
            LogExample(id=LogPlace(example.time, example.batch, example.row).id, body=example.line)
            for example in pattern.examples
        ],
    )
