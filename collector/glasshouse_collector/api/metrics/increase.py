"""How much what only counts up has counted, as SQL: increases of series, laid over the steps of time.

A cumulative point counts from its series' start, so its increase is what it has beyond the point before. It
has all of it where the series began anew in between: its value fell, or its start lies after the point
before (a start that merely wavers is no new one). Of a series without a point before, the first one counts
from its start where that lies in what is read; else nobody knows when it was counted. A delta point is an
increase as it is. Source: opentelemetry.io/docs/specs/otel/metrics/data-model, resets and gaps.

An increase belongs evenly to the time from the point before (or the start) to its own. Each step gets the
part that lies in it: a rate is right whether steps are shorter or longer than the distance of the points.

An increase over several points is the same as the sum of theirs. Where both neighbours of a point lie in one
step with it, and nothing began anew, it is left out: where steps are long that is most of the points, and
buckets need not be compared for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from glasshouse_collector.api.metrics.points import BESIDE, Points

_WINDOW: Final = "PARTITION BY series ORDER BY t ROWS BETWEEN 1 PRECEDING AND CURRENT ROW"
_BESIDE: Final = "PARTITION BY series ORDER BY t, v ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING"


@dataclass(frozen=True, slots=True)
class Measure:
    """Something cumulative of a point: its column, and its increase where the point before counts."""

    column: str
    beyond: str = "{0} - before_{0}"

    @property
    def increase(self) -> str:
        """Return its increase since the point before, as SQL named `more_…`."""
        return f"if(anew, {self.column}, {self.beyond.format(self.column)}) AS more_{self.column}"


VALUE: Final = Measure("v")
"""What tells resets: it falls with them alone."""
SUM: Final = Measure("s")
COUNTS: Final = Measure(
    "counts", "arrayMap((now, before) -> now - before, {0}, arrayResize(before_{0}, length({0})))"
)
"""An array, one count each bucket; of one length within a series."""


def increases(
    points: str, source: Points, measures: Sequence[Measure], *, carried: Sequence[str] = ()
) -> str:
    """Return SQL for the parts of increases: labels_key, series, step, share, and each measure's `more_…`.

    `points` selects points with `delta`, `v` and the measures; of several of one time that with the least `v`
    counts. `carried` are columns to hand on. A part is `share` of its increase. `resets` and `gaps` are 1 in
    the first part of an increase that has one, `t` is when the increase ended.
    """
    steps = source.asked.steps
    beforehand = "".join(f", lagInFrame({it.column}) OVER w AS before_{it.column}" for it in measures)
    told = "".join(f", {column}" for column in carried)
    pairs = (
        f"SELECT *, lagInFrame(t, 1, 0) OVER w AS before_t{beforehand} "  # noqa: S608
        f"FROM ({_telling(points, source)}) WINDOW w AS ({_WINDOW})"
    )
    judged = (
        "SELECT *, NOT delta AND before_t > 0 AND (v < before_v OR began > before_t) AS reset, "  # noqa: S608
        f"delta OR before_t = 0 OR reset AS anew FROM ({pairs}) "
        f"WHERE delta OR before_t > 0 OR (began >= {max(1, steps.start - BESIDE)} AND began < t)"
    )
    start = "multiIf(delta, if(began > 0, began, t), before_t = 0, began, greatest(began, before_t))"
    since = f"if(delta OR before_t = 0 OR reset, {start}, before_t)"
    grown = (
        f"SELECT labels_key, series, t, least(t - 1, {since}) AS since, reset{told}, "  # noqa: S608
        f"{', '.join(it.increase for it in measures)} FROM ({judged})"
    )
    begins, ends = f"greatest(since, {steps.start})", f"least(t, {steps.end})"
    first = f"intDiv({begins} - {steps.start}, {steps.length})"
    last = f"intDiv({ends} - 1 - {steps.start}, {steps.length})"
    edge = f"({steps.start} + step * {steps.length})"
    part = f"least(t, {edge} + {steps.length}) - greatest(since, {edge})"
    longest = max(BESIDE, steps.length)
    return (
        f"SELECT labels_key, series, t{told}, {', '.join(f'more_{it.column}' for it in measures)}, "  # noqa: S608
        f"arrayJoin(range({first}, {last} + 1)) AS step, ({part}) / (t - since) AS share, "
        f"reset AND step = {first} AS resets, t - since > {longest} AND step = {first} AS gaps "
        f"FROM ({grown}) WHERE t > {steps.start} AND since < {steps.end}"
    )


def _telling(points: str, source: Points) -> str:
    """Return SQL for the points without doubled ones, and without those that change no step's increase.

    Where the next point has the same start, which lies before the point before, no reset is overlooked.
    """
    steps = source.asked.steps
    begins, ends = (f"intDiv({edge} - {steps.start}, {steps.length})" for edge in ("t_before", "t_after - 1"))
    between = (
        f"NOT delta AND t_before >= {steps.start} AND t_before < t AND t < t_after AND {begins} = {ends} "
        "AND v_before <= v AND v <= v_after AND began <= t_before AND began = began_after"
    )
    return (
        "SELECT * EXCEPT (t_before, t_after, v_before, v_after, began_after) FROM ("  # noqa: S608
        "SELECT *, lagInFrame(t, 1, 0) OVER beside AS t_before, leadInFrame(t, 1, 0) OVER beside AS t_after, "
        "lagInFrame(v) OVER beside AS v_before, leadInFrame(v) OVER beside AS v_after, "
        f"leadInFrame(began) OVER beside AS began_after FROM ({points}) WINDOW beside AS ({_BESIDE})"
        f") WHERE t_before != t AND NOT ({between})"
    )
