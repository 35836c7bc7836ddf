"""The statement that answers one query about a metric: a value each group of series and step."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from glasshouse_collector.api.metrics.body import MetricQuery
from glasshouse_collector.api.metrics.buckets import explicit_quantiles, exponential_quantiles
from glasshouse_collector.api.metrics.increase import SUM, VALUE, increases
from glasshouse_collector.api.metrics.model import Kind
from glasshouse_collector.api.metrics.points import BESIDE, Asked, Points
from glasshouse_collector.api.metrics.steps import SECOND
from glasshouse_collector.api.problems import Problem

_LEVELS: Final = ("sum", "avg", "min", "max", "last", "count", "quantile")
_COUNTED: Final = ("rate", "increase", "sum", "avg", "min", "max", "count", "quantile")
_HISTOGRAMS: Final = frozenset({Kind.HISTOGRAM, Kind.EXPONENTIAL_HISTOGRAM})
_NOTED: Final = "max(t) AS newest, sum(resets) AS resets, sum(gaps) AS gaps"


def fitting(kind: Kind, *, monotonic: bool) -> tuple[str, ...]:
    """Return the functions that a metric of this kind can be asked by."""
    if kind is Kind.SUM and monotonic:
        return (*_COUNTED, "last")
    if kind in _HISTOGRAMS:
        return _COUNTED
    if kind is Kind.SUMMARY:
        return ("rate", "increase", "sum", "avg", "count", "quantile")
    return _LEVELS


def require_fitting(query: MetricQuery, kind: Kind, *, monotonic: bool) -> None:
    """Refuse a function that means nothing for this kind: a `Problem` tells those that do."""
    function = "quantile" if query.wanted_quantile() is not None else query.function
    if query.function == "quantile" and query.quantile is None:
        raise _wrong("quantile: which one is expected, from 0 to 1")
    if query.function != "quantile" and query.quantile is not None:
        raise _wrong("quantile: it goes with the function quantile alone")
    fit = fitting(kind, monotonic=monotonic)
    if function not in fit:
        named = "sum that rises and falls" if kind is Kind.SUM else kind.value.replace("_", " ")
        raise _wrong(
            f"function: {query.function} does not fit a {named}; one of {', '.join(fit)} is expected"
        )


def adds_up(asked: Asked) -> bool:
    """Whether the values of all steps make a total."""
    function, counter = asked.query.function, asked.kind is Kind.SUM and asked.monotonic
    if function == "increase":
        return True
    if function == "sum":
        return counter or asked.kind in _HISTOGRAMS or asked.kind is Kind.SUMMARY or asked.delta
    return function == "count" and asked.kind not in {Kind.SUM, Kind.GAUGE}


def statement(asked: Asked) -> tuple[str, dict[str, str | int | float]]:
    """Return SQL and its parameters: a row each group, the largest first, at most `asked.most` + 1.

    Each has labels, steps (numbers), values, newest (when the newest point was, over all groups), resets and
    gaps (over all groups).
    """
    way = _way(asked)
    # An increase may reach over the edges of the range: the points beside it are read too.
    source = Points(asked, beside=BESIDE if way in {_counters, _distributions, _quantiles} else 0)
    rows = way(source)
    order = "sum" if adds_up(asked) or asked.query.function == "rate" else "avg"
    grouped = (
        "SELECT labels_key, groupArray(toUInt32(step)) AS steps, groupArray(value) AS values, "  # noqa: S608
        f"{order}(value) AS size, max(newest) AS last_point, sum(resets) AS found_resets, "
        "sum(gaps) AS found_gaps "
        f"FROM ({rows}) WHERE isFinite(value) GROUP BY labels_key"
    )
    sql = (
        f"SELECT {source.labels_of_key()} AS labels, steps, values, max(last_point) OVER () AS newest, "  # noqa: S608
        "sum(found_resets) OVER () AS resets, sum(found_gaps) OVER () AS gaps "
        f"FROM ({grouped}) ORDER BY size DESC, labels LIMIT {asked.most + 1}"
    )
    return sql, source.conditions.values


def _way(asked: Asked) -> Callable[[Points], str]:
    """Return what writes the rows for this kind and function."""
    function = asked.query.function
    quantile = asked.query.wanted_quantile() is not None
    if asked.kind in _HISTOGRAMS:
        if quantile:
            return _quantiles
        return _extremes if function in {"min", "max"} else _distributions
    if asked.kind is Kind.SUMMARY:
        return _told_quantiles if quantile else _distributions
    if asked.kind is Kind.SUM and function != "last" and (asked.monotonic or asked.delta):
        return _counters
    return _levels


def _levels(source: Points) -> str:
    """Take of each series the last value of a step; then of these what is asked."""
    points = source.select("Value AS v")
    return _over_series(source, f"SELECT * FROM ({points}) WHERE isFinite(v)")  # noqa: S608


def _over_series(source: Points, points: str) -> str:
    steps = source.asked.steps
    last = (
        f"SELECT series, any(labels_key) AS labels_key, intDiv(t - {steps.start}, {steps.length}) AS step, "  # noqa: S608
        f"argMax(points.v, (points.t, points.v)) AS v, max(points.t) AS newest FROM ({points}) AS points "
        "GROUP BY series, step"
    )
    value = "argMax(v, last.newest)" if source.asked.query.function == "last" else _aggregate(source.asked)
    return (
        f"SELECT labels_key, step, {value} AS value, max(last.newest) AS newest, 0 AS resets, 0 AS gaps "  # noqa: S608
        f"FROM ({last}) AS last GROUP BY labels_key, step"
    )


def _counters(source: Points) -> str:
    """Take of each series the increase in a step; then of these what is asked."""
    points = source.select("AggregationTemporality = 1 AS delta", "Value AS v")
    parts = increases(f"SELECT * FROM ({points}) WHERE isFinite(v)", source, (VALUE,))  # noqa: S608
    if source.asked.query.function in {"rate", "increase", "sum"}:
        value = f"sum(more_v * share){_per_second(source.asked)}"
        return f"SELECT labels_key, step, {value} AS value, {_NOTED} FROM ({parts}) GROUP BY labels_key, step"  # noqa: S608
    each = (
        f"SELECT labels_key, series, step, sum(more_v * share) AS v, {_NOTED} "  # noqa: S608
        f"FROM ({parts}) GROUP BY labels_key, series, step"
    )
    return (
        f"SELECT labels_key, step, {_aggregate(source.asked)} AS value, max(each.newest) AS newest, "  # noqa: S608
        f"sum(each.resets) AS resets, sum(each.gaps) AS gaps FROM ({each}) AS each GROUP BY labels_key, step"
    )


def _distributions(source: Points) -> str:
    """Count the measurements of a step, or take their sum or average."""
    asked = source.asked
    # A summary has no temporality: it counts from its start.
    delta = "false" if asked.kind is Kind.SUMMARY else "AggregationTemporality = 1"
    points = source.select(f"{delta} AS delta", "toFloat64(Count) AS v", "Sum AS s")
    parts = increases(points, source, (VALUE, SUM))
    count, total = "sum(more_v * share)", "sum(more_s * share)"
    value = {"sum": total, "avg": f"{total} / {count}"}.get(asked.query.function, count)
    return (
        f"SELECT labels_key, step, {value}{_per_second(asked)} AS value, {_NOTED} "  # noqa: S608
        f"FROM ({parts}) GROUP BY labels_key, step"
    )


def _extremes(source: Points) -> str:
    """Read the least or greatest measurement, of points that tell it: who tells none has 0 for both."""
    steps, function = source.asked.steps, source.asked.query.function
    points = source.select("Min AS least", "Max AS greatest", "Count AS v", "Sum AS s")
    value = "min(least)" if function == "min" else "max(greatest)"
    return (
        f"SELECT labels_key, intDiv(t - {steps.start}, {steps.length}) AS step, {value} AS value, "  # noqa: S608
        f"max(t) AS newest, 0 AS resets, 0 AS gaps FROM ({points}) "
        "WHERE v > 0 AND NOT (least = 0 AND greatest = 0 AND s != 0) GROUP BY labels_key, step"
    )


def _quantiles(source: Points) -> str:
    quantile = repr(source.asked.query.wanted_quantile())
    if source.asked.kind is Kind.HISTOGRAM:
        return explicit_quantiles(source, quantile)
    return exponential_quantiles(source, quantile)


def _told_quantiles(source: Points) -> str:
    """Read the quantile that a summary tells itself, the last of a step; of several series their average."""
    points = source.select(
        "arrayElement(`ValueAtQuantiles.Value`, arrayFirstIndex(told -> abs(told - "
        f"{source.asked.query.wanted_quantile()!r}) < 1e-9, `ValueAtQuantiles.Quantile`) AS place) AS v",
        "place",
    )
    return _over_series(source, f"SELECT * FROM ({points}) WHERE place > 0 AND isFinite(v)")  # noqa: S608


def _aggregate(asked: Asked) -> str:
    """Return what is made of the series' values `v`."""
    quantile = asked.query.wanted_quantile()
    if asked.kind is Kind.SUMMARY:
        return "avg(v)"
    if quantile is not None:
        return f"quantileExactInclusive({quantile!r})(v)"
    return "toFloat64(count())" if asked.query.function == "count" else f"{asked.query.function}(v)"


def _per_second(asked: Asked) -> str:
    return f" / {asked.steps.length / SECOND}" if asked.query.function == "rate" else ""


def _wrong(detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, detail)
