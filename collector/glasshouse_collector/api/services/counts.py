"""Counts of spans from the tables that are filled as records come in, never from the records themselves."""

from dataclasses import dataclass
from typing import Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.times import rfc3339

SECOND: Final = 10**9
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
_LATEST: Final = 2**32 - 1
"""The last second of the columns of minutes and hours."""

QUANTILES: Final = "quantilesExactWeighted(0.5, 0.95, 0.99)(DurationBucket, Calls)"
_BUCKETS_AN_OCTAVE: Final = 8


@dataclass(frozen=True, slots=True)
class Minutes:
    """A range of time in whole minutes; seconds since the Unix epoch."""

    start: int
    end: int

    @classmethod
    def around(cls, within: TimeRange) -> "Minutes":
        """Return the minutes that a range touches."""
        start, end = within.start // MINUTE * 60, -(-within.end // MINUTE) * 60
        return cls(min(start, _LATEST), min(end, _LATEST))

    @property
    def seconds(self) -> int:
        """How long it is, for rates; at least one minute."""
        return max(self.end - self.start, 60)

    @property
    def told(self) -> dict[str, str]:
        """Its ends as an answer tells them."""
        return {"start_time": rfc3339(self.start * SECOND), "end_time": rfc3339(self.end * SECOND)}

    def holds(self, conditions: Conditions, column: str) -> None:
        """Demand that a DateTime lies within."""
        start, end = conditions.value(self.start, "UInt32"), conditions.value(self.end, "UInt32")
        conditions.add(f"{column} >= toDateTime({start}) AND {column} < toDateTime({end})")

    def touches(self, conditions: Conditions) -> None:
        """Demand that an instance was seen within, by its rows an hour."""
        hour = conditions.value(self.start // 3600 * 3600, "UInt32")
        start, end = conditions.value(self.start, "UInt32"), conditions.value(self.end, "UInt32")
        conditions.add(f"Hour >= toDateTime({hour}) AND Hour < toDateTime({end})")
        conditions.add(f"LastSeen >= toDateTime({start}) AND FirstSeen < toDateTime({end})")


def counted_spans(minutes: Minutes, service_names: list[str]) -> tuple[str, Conditions]:
    """Return SQL for rows of ServiceName, Entry, DurationBucket, Calls and Errors, and its parameters.

    Whole hours come from the table of hours, what lies before and behind them from that of minutes.
    """
    values = Conditions()
    first, last = -(-minutes.start // 3600) * 3600, minutes.end // 3600 * 3600
    if first >= last:
        return _of_minutes(minutes, service_names, values), values
    edges = (Minutes(minutes.start, first), Minutes(last, minutes.end))
    parts = [
        _of_hours(Minutes(first, last), service_names, values),
        *(_of_minutes(edge, service_names, values) for edge in edges if edge.start < edge.end),
    ]
    return " UNION ALL ".join(parts), values


def _of_hours(hours: Minutes, service_names: list[str], values: Conditions) -> str:
    where = Conditions(values=values.values)
    hours.holds(where, "Hour")
    where.one_of("ServiceName", service_names)
    return (
        "SELECT ServiceName, Entry, DurationBucket, Calls, Errors "  # noqa: S608  (values are parameters)
        f"FROM glasshouse_service_hours WHERE {where.sql}"
    )


def _of_minutes(minutes: Minutes, service_names: list[str], values: Conditions) -> str:
    where = Conditions(values=values.values)
    minutes.holds(where, "Minute")
    where.one_of("ServiceName", service_names)
    return (
        "SELECT ServiceName, SpanKind IN ('Server', 'Consumer') AS Entry, "  # noqa: S608
        f"DurationBucket, Calls, Errors FROM glasshouse_operations WHERE {where.sql}"
    )


def duration_of(bucket: float) -> int:
    """Return the duration in nanoseconds that stands for a bucket: its middle, on a logarithmic scale."""
    return round(2.0 ** ((bucket + 0.5) / _BUCKETS_AN_OCTAVE) - 1) if bucket else 0


def ratio(part: int, whole: int) -> float | None:
    """Return a share, None of nothing."""
    return part / whole if whole else None
