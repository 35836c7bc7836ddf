"""Answers questions about metrics over time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glasshouse_collector.api.metrics.body import MetricQuery
from glasshouse_collector.api.metrics.facts import Fact, is_delta, near_names, read_facts
from glasshouse_collector.api.metrics.model import Kind
from glasshouse_collector.api.metrics.points import BESIDE, TABLE_OF, Asked, Points, labelled
from glasshouse_collector.api.metrics.statement import adds_up, require_fitting, statement
from glasshouse_collector.api.metrics.steps import Steps, tidy
from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.store import ProjectStore, QueryLimits

_MOST_NAMED: Final = 200


@dataclass(slots=True)
class Lines:
    """Series over the steps: `values` has a row each of `labels`; NaN: nothing was told."""

    labels: list[dict[str, str]]
    values: npt.NDArray[np.float64]
    unit: str
    adds_up: bool
    truncated: bool = False
    notes: list[str] = field(default_factory=list)
    asked: Asked | None = None


def read_lines(
    store: ProjectStore, query: MetricQuery, steps: Steps, most: int, limits: QueryLimits
) -> Lines:
    """Return at most `most` series, the largest first. Raises `Problem`, `EngineFailure`."""
    facts = read_facts(store, query, TimeRange(steps.start, steps.end), limits)
    if not facts:
        raise no_such_metric(store, query.name, limits)
    asked, of_kind = _understood(query, steps, facts, most)
    if asked.kind is Kind.HISTOGRAM and query.wanted_quantile() is not None:
        asked = replace(asked, bounds=_common_bounds(store, asked, limits))
    sql, parameters = statement(asked)
    found = store.query_arrow(sql, parameters, limits=limits)
    lines = _lines(asked, found.slice(0, most))
    lines.truncated = found.num_rows > most
    lines.unit = _unit(query, of_kind)
    lines.notes = _notes(asked, of_kind, found)
    if not found.num_rows:
        _require_known_quantile(store, asked, limits)
    return lines


def no_such_metric(store: ProjectStore, name: str, limits: QueryLimits) -> Problem:
    """Return a 404 that names metrics written nearly so, or says that it is there at other times."""
    near = near_names(store, name, limits)
    if name in near:
        return Problem(HTTPStatus.NOT_FOUND, f"{name[:_MOST_NAMED]} has no points in this range of time")
    like = f"; there is {', '.join(one[:_MOST_NAMED] for one in near)}" if near else ""
    return Problem(HTTPStatus.NOT_FOUND, f"no metric is called {name[:_MOST_NAMED]!r}{like}")


def _understood(
    query: MetricQuery, steps: Steps, facts: Sequence[Fact], most: int
) -> tuple[Asked, list[Fact]]:
    """Return the question with its kind decided, and the facts of that kind."""
    kinds = list(dict.fromkeys(fact.kind for fact in facts))
    if query.kind is None and len(kinds) > 1:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            f"kind: {query.name[:_MOST_NAMED]} is of several; one of {', '.join(kinds)} is expected",
        )
    kind = query.kind or kinds[0]
    of_kind = [fact for fact in facts if fact.kind is kind]
    if not of_kind:
        raise Problem(HTTPStatus.BAD_REQUEST, f"kind: {query.name[:_MOST_NAMED]} is a {kinds[0]}, no {kind}")
    # Where senders differ, the most frequent way is asked, and said to be.
    monotonic = kind is Kind.SUM and of_kind[0].monotonic
    require_fitting(query, kind, monotonic=monotonic)
    return Asked(query, steps, kind, monotonic, delta=is_delta(of_kind[0]), most=most), of_kind


def _common_bounds(store: ProjectStore, asked: Asked, limits: QueryLimits) -> tuple[float, ...]:
    """Return the bounds that all points have; empty where they differ, or have none."""
    source = Points(asked, beside=BESIDE)
    sql = (
        "SELECT uniqUpTo(1)(ExplicitBounds) AS n, any(ExplicitBounds) AS bounds "  # noqa: S608
        f"FROM {TABLE_OF[asked.kind]} WHERE {source.conditions.sql}"
    )
    [found] = store.query_arrow(sql, source.conditions.values, limits=limits).to_pylist()
    finite = all(map(math.isfinite, found["bounds"]))
    return tuple(found["bounds"]) if found["n"] == 1 and finite else ()


def _lines(asked: Asked, found: pa.Table) -> Lines:
    """Lay the rows out over the steps."""
    values = asked.steps.empty(found.num_rows)
    labels: list[dict[str, str]] = []
    if found.num_rows:
        labels = [labelled(asked.query.group_by, texts) for texts in found["labels"].to_pylist()]
        steps, told = (found[name].combine_chunks() for name in ("steps", "values"))
        rows = np.repeat(np.arange(found.num_rows), np.diff(np.asarray(steps.offsets)))
        values[rows, np.asarray(steps.flatten())] = np.asarray(told.flatten())
        if asked.query.function == "rate":
            _judge_by_what_is_there(values, asked.steps, found["newest"][0].as_py())
    return Lines(labels, tidy(values), "", adds_up(asked), asked=asked)


def _judge_by_what_is_there(values: npt.NDArray[np.float64], steps: Steps, newest: int) -> None:
    """Make the last rate that of the time up to the newest point; unknown: up to half a step."""
    last, into = divmod(newest - 1 - steps.start, steps.length)
    into += 1
    if last >= steps.count or into == steps.length:
        return
    values[:, last] *= steps.length / into if 2 * into > steps.length else np.nan


def _unit(query: MetricQuery, facts: Sequence[Fact]) -> str:
    unit = facts[0].unit
    distribution = facts[0].kind not in {Kind.GAUGE, Kind.SUM}
    if query.function == "count":
        return "1"
    if query.function == "rate":
        return f"{'1' if distribution else unit or '1'}/s"
    return "1" if query.function == "increase" and distribution else unit


def _notes(asked: Asked, facts: Sequence[Fact], found: pa.Table) -> list[str]:
    notes = []
    if asked.kind not in {Kind.GAUGE, Kind.SUMMARY}:
        ways = {is_delta(fact) for fact in facts}
        notes.append("delta and cumulative" if len(ways) > 1 else "delta" if True in ways else "cumulative")
    if units := sorted({fact.unit for fact in facts} - {facts[0].unit}):
        notes.append(f"some points have another unit: {', '.join(units)[:_MOST_NAMED]}")
    if asked.kind is Kind.SUM and len({fact.monotonic for fact in facts}) > 1:
        notes.append(
            f"only the points of sums that {'rise' if asked.monotonic else 'rise and fall'} are asked"
        )
    distribution = asked.kind in {Kind.HISTOGRAM, Kind.EXPONENTIAL_HISTOGRAM}
    if distribution and asked.query.function in {"min", "max"} and not all(map(is_delta, facts)):
        notes.append("cumulative points tell the least and greatest since their series began")
    if asked.kind is Kind.SUMMARY and asked.query.wanted_quantile() is not None:
        notes.append("of several series: the average of their quantiles")
    if found.num_rows:
        numbers = {name: int(found[name][0].as_py()) for name in ("resets", "gaps")}
        notes += [
            f"{number} {name if number > 1 else name[:-1]}" for name, number in numbers.items() if number
        ]
    return notes


def _require_known_quantile(store: ProjectStore, asked: Asked, limits: QueryLimits) -> None:
    """Refuse a quantile that a summary does not tell: a `Problem` names those it does."""
    quantile = asked.query.wanted_quantile()
    if asked.kind is not Kind.SUMMARY or quantile is None:
        return
    sql = (
        "SELECT arraySort(groupUniqArrayArray(20)(`ValueAtQuantiles.Quantile`)) AS told "
        "FROM otel_metrics_summary WHERE MetricName = {name:String} "
        "AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) "
        "AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})"
    )
    parameters: dict[str, str | int] = {
        "name": asked.query.name,
        "start": asked.steps.start,
        "end": asked.steps.end,
    }
    told = store.query_arrow(sql, parameters, limits=limits)["told"][0].as_py()
    if told and not any(abs(one - quantile) < 1e-9 for one in told):  # noqa: PLR2004  (as the statement compares)
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            f"function: this summary tells the quantiles {', '.join(map(str, told))}; one is expected",
        )
