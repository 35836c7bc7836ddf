"""How a fault reached those who noticed: from the span that shows it up to where the request came in."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from glasshouse_collector.insights.findings import PathStep
from glasshouse_collector.insights.spans import Spans
from glasshouse_collector.insights.tree import NONE

_SLOWER: Final = 1.5
"""A trace is noticed as slow beyond so many times what all but one in twenty took."""
_MOST_SYMPTOMS: Final = 5


def path_of(spans: Spans, rows: npt.NDArray[Any]) -> tuple[PathStep, ...]:
    """Return the way from one of these rows, of the most usual place, up to its root, a step a service."""
    place = int(np.bincount(spans.place[rows]).argmax())
    at = int(rows[spans.place[rows] == place][0])
    steps = [_step(spans, at, "is where it starts")]
    above = int(spans.tree.parent[at])
    while above != NONE:
        if spans.service[above] != spans.service[at]:
            effect = "failed too" if spans.failed[above] else "waited for it"
            steps.append(_step(spans, above, effect))
        at, above = above, int(spans.tree.parent[above])
    return tuple(steps)


def symptoms_of(spans: Spans) -> tuple[PathStep, ...]:
    """Return the operations where requests come in that became slower or fail, the worst first."""
    roots = np.flatnonzero(spans.tree.depth == 0)
    found: list[tuple[float, PathStep]] = []
    for place in np.unique(spans.place[roots]):
        rows = roots[spans.place[roots] == place]
        now, before = rows[spans.incident[rows]], rows[~spans.incident[rows]]
        if not len(now) or not len(before):
            continue
        slow = _SLOWER * float(np.quantile(spans.duration[before], 0.95))
        for told, shares in (
            ("slower", [float((spans.duration[each] > slow).mean()) for each in (now, before)]),
            ("failing", [float(spans.failed[each].mean()) for each in (now, before)]),
        ):
            more = shares[0] - shares[1]
            if more * len(now) >= 1 and more > 1 / len(now):
                effect = f"{told} in {shares[0]:.0%} of {len(now)} requests, {shares[1]:.0%} before"
                found.append((more * len(now), _step(spans, int(now[0]), effect)))
    found.sort(key=lambda it: -it[0])
    return tuple(step for _, step in found[:_MOST_SYMPTOMS])


def _step(spans: Spans, row: int, effect: str) -> PathStep:
    place = spans.places[spans.place[row]]
    return PathStep(place.service, place.operation, effect)
