"""Turns series over steps into answers and into flat rows."""

from collections.abc import Sequence

import numpy as np

from glasshouse_collector.api.metrics.body import (
    MOST_SERIES,
    MOST_VALUES,
    FormulaQuestion,
    MetricQuestion,
    OverTime,
)
from glasshouse_collector.api.metrics.exemplars import read_exemplars
from glasshouse_collector.api.metrics.formula import computed, parse
from glasshouse_collector.api.metrics.model import (
    Exemplar,
    MetricAnswer,
    MetricPoint,
    MetricPoints,
    MetricSeries,
)
from glasshouse_collector.api.metrics.reading import Lines, read_lines
from glasshouse_collector.api.metrics.steps import Steps, filled
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits


def answer_query(
    store: ProjectStore, asked: MetricQuestion, steps: Steps, limits: QueryLimits
) -> MetricAnswer:
    """Return one metric over time. Raises `Problem`, `EngineFailure`."""
    lines = read_lines(store, asked, steps, asked.limit, limits)
    exemplars: Sequence[Sequence[Exemplar]] = [[] for _ in lines.labels]
    if asked.exemplars and lines.asked:
        found = read_exemplars(store, lines.asked, limits)
        exemplars = [found.get(tuple(labels[key] for key in asked.group_by), []) for labels in lines.labels]
    return _answer(asked.name, asked.function, asked, steps, lines, exemplars)


def answer_formula(
    store: ProjectStore, asked: FormulaQuestion, steps: Steps, limits: QueryLimits
) -> MetricAnswer:
    """Return a formula of several queries over time. Raises `Problem`, `EngineFailure`."""
    formula = parse(asked.formula, asked.queries)
    # The largest series of the answer need not be the largest of each query.
    most = min(MOST_SERIES, MOST_VALUES // steps.count)
    read = {name: read_lines(store, asked.queries[name], steps, most, limits) for name in formula.names}
    lines = computed(formula, read)
    more = len(lines.labels) > asked.limit
    lines.labels, lines.values = lines.labels[: asked.limit], lines.values[: asked.limit]
    lines.notes = [f"{name}: {note}" for name, one in read.items() for note in one.notes]
    lines.truncated = more or any(one.truncated for one in read.values())
    return _answer(asked.formula, "formula", asked, steps, lines, [[] for _ in lines.labels])


def flat(answer: MetricAnswer) -> MetricPoints:
    """Return the values that there are, one a row."""
    return MetricPoints.model_construct(
        points=[
            MetricPoint.model_construct(time=time, labels=series.labels, value=value)
            for series in answer.series
            for time, value in zip(answer.times, series.values, strict=True)
            if value is not None
        ]
    )


def _answer(  # noqa: PLR0913, PLR0917  (what was asked, and what was found)
    name: str,
    function: str,
    asked: OverTime,
    steps: Steps,
    lines: Lines,
    exemplars: Sequence[Sequence[Exemplar]],
) -> MetricAnswer:
    totals = np.nansum(lines.values, axis=1) if lines.adds_up else None
    told = filled(lines.values, asked.fill)
    # None for what is unknown: JSON has no NaN, and an export leaves it out.
    boxed = told.astype(object)
    boxed[~np.isfinite(told)] = None
    values = boxed.tolist()
    return MetricAnswer.model_construct(
        name=name,
        function=function,
        unit=lines.unit,
        start_time=rfc3339(steps.start),
        end_time=rfc3339(steps.end),
        step_seconds=steps.length // 10**9,
        times=steps.times(),
        series=[
            MetricSeries.model_construct(
                labels=labels,
                values=values[row],
                total=None if totals is None else float(totals[row]),
                exemplars=list(exemplars[row]),
            )
            for row, labels in enumerate(lines.labels)
        ],
        truncated=lines.truncated,
        notes=lines.notes,
    )
