"""What the metrics of a service say: whether it runs out of processor, of memory, of places in a pool.

Which metric is about what is read from its name, as names differ between agents: a word that each of them
uses is enough. A series is compared with its own past, by ratio: how far it rose above the most it had
reached before.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from glasshouse_collector.insights.constants import Constants
from glasshouse_collector.insights.spans import times
from glasshouse_collector.insights.windows import SECOND, Question, Window
from glasshouse_collector.store import ProjectStore, QueryLimits

_PAST: Final = 900 * SECOND
"""How long before the incident a series is looked at."""
_MOST_SERIES: Final = 20_000


class Resource(StrEnum):
    """What a process runs out of."""

    PROCESSOR = "processor"
    MEMORY = "memory"
    POOL = "pool"


_WORDS: Final = {
    Resource.PROCESSOR: re.compile(r"cpu|throttl", re.IGNORECASE),
    Resource.MEMORY: re.compile(r"memory|mem[._]|heap|rss", re.IGNORECASE),
    Resource.POOL: re.compile(r"pool|pending|connections?[._](usage|count|waiting)|queue", re.IGNORECASE),
}
_OF_THE_MACHINE: Final = re.compile(
    r"^(node|host|system|machine|k8s[._]node)|virtual|(cpu|mem\w*)[._](limit|request|capacity)", re.IGNORECASE
)
"""Of what many services share, or set: that says nothing of one of them."""
_READ: Final = """
SELECT Service, Metric, Unit, Instance, any(Monotonic) AS Monotonic,
    arraySort(groupArray((toUnixTimestamp64Nano(TimeUnix), Total))) AS Points
FROM (
    SELECT toString(ServiceName) AS Service, toString(MetricName) AS Metric,
        any(toString(MetricUnit)) AS Unit,
        multiIf(ResourceAttributes['k8s.pod.name'] != '', ResourceAttributes['k8s.pod.name'],
            ResourceAttributes['service.instance.id'] != '', ResourceAttributes['service.instance.id'],
            ResourceAttributes['host.name']) AS Instance,
        {monotonic} AS Monotonic, TimeUnix, sum(Value) AS Total
    FROM {table}
    WHERE ({when}) AND ServiceName != '' AND match(MetricName, {{words:String}})
        AND NOT match(MetricName, {{without:String}})
    GROUP BY Service, Metric, Instance, TimeUnix
)
GROUP BY Service, Metric, Unit, Instance LIMIT {most}
"""


@dataclass(frozen=True, slots=True)
class Shift:
    """A series that rose in the incident: from what was usual (`before`) to the most it reached (`after`)."""

    resource: Resource
    service: str
    metric: str
    unit: str
    instance: str
    before: float
    after: float
    evidence: float
    since: int


def find_shifts(
    store: ProjectStore, question: Question, limits: QueryLimits, constants: Constants
) -> list[Shift]:
    """Return what rose beyond its own past, the strongest first; raises `EngineFailure`."""
    start = question.incident.start
    windows = (Window(start - _PAST, question.incident.end), *question.baselines)
    when = times(windows, 0, "TimeUnix")
    words = {
        "words": "(?i)" + "|".join(rule.pattern for rule in _WORDS.values()),
        "without": "(?i)" + _OF_THE_MACHINE.pattern,
    }
    found: list[Shift] = []
    for table, monotonic in (("otel_metrics_gauge", "0"), ("otel_metrics_sum", "toUInt8(any(IsMonotonic))")):
        sql = _READ.format(table=table, monotonic=monotonic, when=when, most=_MOST_SERIES)
        for row in store.query_arrow(sql, words, limits=limits).to_pylist():
            shift = _shift(row, question, constants)
            if shift is not None and shift.evidence >= constants.least_evidence:
                found.append(shift)
    return sorted(found, key=lambda shift: -shift.evidence)


def _shift(row: dict[str, object], question: Question, constants: Constants) -> Shift | None:
    points = np.array([list(point.values()) if isinstance(point, dict) else point for point in row["Points"]])  # type: ignore[attr-defined]
    moments, values = points[:, 0].astype(np.int64), points[:, 1].astype(np.float64)
    if row["Monotonic"]:
        moments, values = (
            moments[1:],
            np.maximum(np.diff(values), 0) / np.maximum(np.diff(moments) / SECOND, 1e-9),
        )
    now = (moments >= question.incident.start) & (moments < question.incident.end)
    past, present = values[~now & np.isfinite(values)], values[now & np.isfinite(values)]
    if len(past) < constants.fewest_points or not len(present):
        return None
    resource = next(each for each, rule in _WORDS.items() if rule.search(str(row["Metric"])))
    usual, most, reached = float(np.median(past)), float(past.max()), float(present.max())
    if min(usual, reached) < 0 or reached <= most:
        return None
    floor = max(usual, most / 10, 1e-9)
    rise = np.log(reached / floor) - np.log(max(most, floor) / floor)
    evidence = (rise / _scatter(resource, constants)) ** 2
    return Shift(
        resource=resource,
        service=str(row["Service"]),
        metric=str(row["Metric"]),
        unit=str(row["Unit"]),
        instance=str(row["Instance"]),
        before=usual,
        after=reached,
        evidence=float(evidence),
        since=int(moments[now][np.argmax(present > most)]) if now.any() else question.incident.start,
    )


def _scatter(resource: Resource, constants: Constants) -> float:
    return {
        Resource.PROCESSOR: constants.processor_scatter,
        Resource.MEMORY: constants.memory_scatter,
        Resource.POOL: constants.pool_scatter,
    }[resource]
