"""Which stretches of a range of time are looked at, where its spans are too many to look at all."""

from dataclasses import dataclass
from typing import Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.services.counts import Minutes, counted_spans
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_SPANS: Final = 200_000
"""Spans that one question looks at."""
_STRETCHES: Final = 4
_MILLISECOND: Final = 10**6


@dataclass(frozen=True, slots=True)
class Sample:
    """Stretches of the same length, evenly spread over a range; nanoseconds since the Unix epoch.

    Time is cut up, not the set of traces: the tables are sorted by it, so what is left out is not read.
    """

    starts: tuple[int, ...]
    length: int
    one_in: int
    """1 where the range is looked at whole."""

    def holds(self, conditions: Conditions, later: int = 0) -> None:
        """Demand that a span begins in a stretch, or up to `later` nanoseconds behind it."""
        moment = "fromUnixTimestamp64Nano({})"
        stretches = []
        for start in self.starts:
            first = moment.format(conditions.value(start, "Int64"))
            last = moment.format(conditions.value(start + self.length + later, "Int64"))
            stretches.append(f"(Timestamp >= {first} AND Timestamp < {last})")
        conditions.add(" OR ".join(stretches))


def sample_of(minutes: Minutes, spans: int, most: int = MOST_SPANS) -> Sample:
    """Return what to look at of a range with so many spans, so that some `most` of them are."""
    start, whole = minutes.start * 10**9, max(minutes.end - minutes.start, 0) * 10**9
    one_in = max(-(-spans // most), 1)
    if one_in == 1:
        return Sample((start,), whole, 1)
    # The middle of each quarter: a beginning at full hours would see what runs at full hours.
    apart = whole // _STRETCHES
    length = max(apart // one_in, _MILLISECOND)
    return Sample(
        tuple(start + number * apart + (apart - length) // 2 for number in range(_STRETCHES)), length, one_in
    )


def count_spans(
    store: ProjectStore, minutes: Minutes, limits: QueryLimits, service_names: list[str] | None = None
) -> int:
    """Return how many spans there are in a range, of some services or all; raises `EngineFailure`."""
    counted, values = counted_spans(minutes, service_names or [])
    sql = f"SELECT sum(Calls) AS spans FROM ({counted})"  # noqa: S608  (values are parameters)
    return int(store.query_arrow(sql, values.values, limits=limits)["spans"][0].as_py() or 0)
