"""Quantiles from the buckets of histograms, as SQL.

Explicit buckets: a quantile lies on the line between the bounds of its bucket, which reaches from 0 where it
is the first and its bound is positive; in the last one, without an end, it is that bucket's beginning, as
Prometheus has it. Histograms of different bounds meet on all bounds of both: each one's counts are cut there
along the same lines, so that the quantile is that of both together.

Exponential buckets: a quantile lies between the bounds of its bucket evenly in the logarithm. Scales meet on
the smallest, where every bucket is a whole number of finer ones. The zero bucket counts as 0.
Source: opentelemetry.io/docs/specs/otel/metrics/data-model, exponential histogram.
"""

from collections.abc import Sequence
from typing import Final

from glasshouse_collector.api.metrics.increase import COUNTS, VALUE, Measure, increases
from glasshouse_collector.api.metrics.points import Points

_ROWS: Final = "labels_key, step, max(t) AS newest, sum(resets) AS resets, sum(gaps) AS gaps"
_ALL: Final = "labels_key, step, max(newest) AS newest, sum(resets) AS resets, sum(gaps) AS gaps"
_LEAST: Final = "1e-9"
"""Below it a count is what is left of a difference of fractions."""


def explicit_quantiles(source: Points, quantile: str) -> str:
    """Return SQL for a quantile (an expression) each labels_key and step."""
    counted = (
        "AggregationTemporality = 1 AS delta",
        "toFloat64(Count) AS v",
        "arrayMap(count -> toFloat64(count), BucketCounts) AS counts",
    )
    cumulated = _added(source, counted) if source.asked.bounds else _met(source, counted)
    summed = (
        "SELECT labels_key, step, newest, resets, gaps, up_to, "  # noqa: S608
        "arrayPushFront(uppers, if(uppers[1] > 0, 0., uppers[1])) AS lowers, "
        f"arrayPushBack(uppers, uppers[-1]) AS ends FROM ({cumulated})"
    )
    return _read_off(summed, quantile, "low + (high - low) * part")


def _added(source: Points, counted: Sequence[str]) -> str:
    """Add buckets of bounds that are known: those of the points are neither read nor carried along."""
    bounds = source.asked.bounds
    parts = increases(source.select(*counted), source, (VALUE, COUNTS))
    return (
        f"SELECT {_ROWS}, [{', '.join(map(repr, bounds))}]::Array(Float64) AS uppers, "  # noqa: S608
        "arrayCumSum(sumForEach(arrayMap(count -> count * share, more_counts))) AS up_to "
        f"FROM ({parts}) WHERE length(more_counts) = {len(bounds) + 1} GROUP BY labels_key, step"
    )


def _met(source: Points, counted: Sequence[str]) -> str:
    """Add buckets of any bounds, cut where they meet."""
    # A series that changes its bounds counts anew in other buckets: it is another series.
    points = source.select(*counted, "ExplicitBounds AS bounds", apart="ExplicitBounds")
    parts = increases(points, source, (VALUE, COUNTS), carried=("bounds",))
    parts = f"SELECT * FROM ({parts}) WHERE notEmpty(bounds) AND length(more_counts) = length(bounds) + 1"  # noqa: S608
    added = (
        f"SELECT {_ROWS}, bounds, sumForEach(arrayMap(count -> count * share, more_counts)) AS counts, "  # noqa: S608
        "arrayPushFront(arrayPopBack(bounds), if(bounds[1] > 0, 0., bounds[1])) AS begins "
        f"FROM ({parts}) GROUP BY labels_key, step, bounds"
    )
    met = (
        f"SELECT {_ALL}, arraySort(arrayDistinct(arrayFlatten(groupArray(bounds)))) AS uppers, "  # noqa: S608
        "groupArray((bounds, begins, counts)) AS every, "
        # Both sides of an `if` are computed: where there is nothing to cut, it is over nothing.
        "if(length(every) = 1, [], uppers) AS cut, arraySum(arrayFlatten(groupArray(counts))) AS all "
        f"FROM ({added}) GROUP BY labels_key, step"
    )
    return (
        "SELECT labels_key, step, newest, resets, gaps, uppers, arrayPushBack(if(length(every) = 1, "  # noqa: S608
        "arrayPopBack(arrayCumSum(every[1].3)), "
        f"arrayMap(edge -> arraySum(arrayMap(one -> {_UP_TO}, every)), cut)), all) AS up_to FROM ({met})"
    )


_UP_TO: Final = (
    "arraySum((low, high, count) -> "
    "if(edge >= high, count, if(edge <= low OR low = high, 0., count * (edge - low) / (high - low))), "
    "one.2, one.1, arrayPopBack(one.3))"
)
"""How much of `one` (upper bounds, lower bounds, counts) lies at or below `edge`."""


def exponential_quantiles(source: Points, quantile: str) -> str:
    """Return SQL for a quantile (an expression) each labels_key and step."""
    points = source.select(
        "AggregationTemporality = 1 AS delta",
        "toFloat64(Count) AS v",
        "Scale AS scale",
        "toFloat64(ZeroCount) AS zero",
        *(
            f"arrayMap((count, at) -> (toInt64({side}Offset) + at - 1, toFloat64(count)), "
            f"{side}BucketCounts, arrayEnumerate({side}BucketCounts)) AS {side.lower()}"
            for side in ("Positive", "Negative")
        ),
    )
    measures = (
        VALUE,
        Measure("zero"),
        Measure("scale", "before_{0}"),
        Measure("positive", "before_{0}"),
        Measure("negative", "before_{0}"),
    )
    # Buckets of two scales are of one only where they have met: what was before is taken off there.
    parts = increases(points, source, measures, carried=("anew", "scale", "positive", "negative"))
    signed = (
        "SELECT labels_key, step, t, resets, gaps, more_zero * share AS zeros, arrayJoin("  # noqa: S608
        "if(anew, [(scale, positive, negative, share)], "
        "[(scale, positive, negative, share), (more_scale, more_positive, more_negative, -share)])) AS one, "
        "one.4 > 0 AS now "
        f"FROM ({parts})"
    )
    added = (
        "SELECT labels_key, step, one.1 AS scale, max(t) AS newest, sumIf(resets, now) AS resets, "  # noqa: S608
        "sumIf(gaps, now) AS gaps, sumIf(zeros, now) AS zeros, "
        "sumMap(one.2.1, arrayMap(count -> count * one.4, one.2.2)) AS positive, "
        "sumMap(one.3.1, arrayMap(count -> count * one.4, one.3.2)) AS negative "
        f"FROM ({signed}) GROUP BY labels_key, step, scale"
    )
    least = f"SELECT *, min(scale) OVER (PARTITION BY labels_key, step) AS coarsest FROM ({added})"  # noqa: S608
    coarse = "arrayMap(at -> bitShiftRight(at, least(scale - coarsest, 62)), {0}.1), {0}.2"
    met = (
        f"SELECT {_ALL}, any(coarsest) AS met_scale, sum(zeros) AS zeros, "  # noqa: S608
        f"sumMap({coarse.format('positive')}) AS above, sumMap({coarse.format('negative')}) AS below "
        f"FROM ({least}) GROUP BY labels_key, step"
    )
    bound = "exp2(({}) * exp2(-met_scale))"
    summed = (
        "SELECT labels_key, step, newest, resets, gaps, "  # noqa: S608
        "arrayCumSum(arrayMap(count -> greatest(count, 0), "
        "arrayConcat(arrayReverse(below.2), [zeros], above.2))) AS up_to, "
        f"arrayConcat(arrayMap(at -> -{bound.format('at + 1')}, arrayReverse(below.1)), [0.], "
        f"arrayMap(at -> {bound.format('at')}, above.1)) AS lowers, "
        f"arrayConcat(arrayMap(at -> -{bound.format('at')}, arrayReverse(below.1)), [0.], "
        f"arrayMap(at -> {bound.format('at + 1')}, above.1)) AS ends "
        f"FROM ({met})"
    )
    return _read_off(summed, quantile, "if(low = 0, 0, low * pow(high / low, part))")


def _read_off(summed: str, quantile: str, between: str) -> str:
    """Return SQL that finds the bucket of a rank, and the place within."""
    placed = (
        "SELECT *, up_to[-1] AS all, arrayPushFront(arrayPopBack(up_to), 0.) AS before, "  # noqa: S608
        f"all * {quantile} AS rank, arrayFirstIndex((now, was) -> now >= rank - all * {_LEAST} "
        f"AND now - was > all * {_LEAST}, up_to, before) AS at FROM ({summed}) WHERE up_to[-1] > {_LEAST}"
    )
    return (
        "SELECT labels_key, step, newest, resets, gaps, lowers[at] AS low, ends[at] AS high, "  # noqa: S608
        "least(1, (rank - before[at]) / (up_to[at] - before[at])) AS part, "
        f"{between} AS value FROM ({placed}) WHERE at > 0"
    )
