"""What metrics say: a series against its own past, as much as it rose beyond that."""

from dataclasses import replace

import pytest

from glasshouse_collector.insights.constants import DEFAULT
from glasshouse_collector.insights.resources import Resource, Shift, find_shifts
from glasshouse_collector.insights.windows import SECOND
from glasshouse_collector.store import QueryLimits, Store
from made_traces import INCIDENT, NOON, QUESTION, Recorder, analysed, plain

STEP = 10 * SECOND
TIMES = range(NOON - 60 * STEP, INCIDENT.end, STEP)
BEFORE = sum(time < NOON for time in TIMES)
NOW = len(TIMES) - BEFORE

PLAIN = replace(DEFAULT, least_evidence=3.0)


def shifts(store: Store, recorder: Recorder) -> list[Shift]:
    """Keep what was recorded, and return what rose."""
    recorder.keep(store)
    return find_shifts(
        store.of_project(recorder.project), QUESTION, QueryLimits(), replace(DEFAULT, least_evidence=3.0)
    )


def steps(before: float, now: float) -> list[tuple[int, float]]:
    """Return points of one value before the incident, and of another in it."""
    return list(zip(TIMES, [before] * BEFORE + [now] * NOW, strict=True))


@pytest.mark.parametrize(
    ("name", "unit", "resource"),
    [
        ("process.cpu.utilization", "1", Resource.PROCESSOR),
        ("container_cpu_cfs_throttled_periods", "", Resource.PROCESSOR),
        ("jvm.memory.used", "By", Resource.MEMORY),
        ("go_memstats_heap_inuse_bytes", "", Resource.MEMORY),
        ("db.client.connection.pending_requests", "{request}", Resource.POOL),
        ("hikaricp_connections_usage", "", Resource.POOL),
    ],
)
def test_a_gauge_that_rose(store: Store, name: str, unit: str, resource: Resource) -> None:
    """From what was usual to the most it reached, of which instance, since when."""
    recorder = Recorder(f"rose-{name}")
    recorder.gauge("stock", name, unit, steps(0.2, 2.0))
    (found,) = shifts(store, recorder)
    assert (found.resource, found.service, found.instance) == (resource, "stock", "stock-1")
    assert (found.before, found.after, found.since) == (0.2, 2.0, NOON)
    assert (found.metric, found.unit) == (name, unit)


def test_a_counter_is_looked_at_by_rate(store: Store) -> None:
    """Seconds of processor, two tenths of one a second before, nine tenths now."""
    values, total = [], 100.0
    for time in TIMES:
        total += (0.2 if time < NOON else 0.9) * STEP / SECOND
        values.append((time, total))
    recorder = Recorder("counter")
    recorder.counter("stock", "process.cpu.time", "s", values)
    (found,) = shifts(store, recorder)
    assert (found.before, found.after) == pytest.approx((0.2, 0.9))


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("process.cpu.utilization", steps(0.5, 0.5)),
        ("process.cpu.utilization", steps(0.9, 0.2)),
        ("process.cpu.utilization", [(NOON - 20 * STEP, 0.95), *steps(0.2, 0.9)]),  # it was as busy before
        ("process.cpu.utilization", steps(0.2, 2.0)[BEFORE - 2 :]),  # too little of its past is known
        ("process.cpu.utilization", steps(0.2, 2.0)[:BEFORE]),  # nothing of the incident
        ("k8s.container.cpu_limit", steps(0.2, 2.0)),  # set, not used
        ("system.cpu.utilization", steps(0.2, 2.0)),  # of the whole machine
        ("http.server.active_requests", steps(0.2, 2.0)),  # of no resource
        ("process.cpu.utilization", steps(-1.0, -2.0)),
        ("process.cpu.utilization", steps(0.2, float("nan"))),
    ],
    ids=["same", "fell", "reached", "young", "ended", "limit", "machine", "other", "negative", "no-number"],
)
def test_what_is_no_shift(
    store: Store, request: pytest.FixtureRequest, name: str, points: list[tuple[int, float]]
) -> None:
    """Nothing is said of a series that did not rise, or of which too little is known."""
    recorder = Recorder(request.node.callspec.id)
    recorder.gauge("stock", name, "1", points)
    assert shifts(store, recorder) == []


def test_a_metric_alone_says_so_much_and_no_more(store: Store) -> None:
    """However far it rose, it does not say that anybody suffers."""
    recorder = Recorder("alone")
    recorder.gauge("stock", "jvm.memory.used", "By", steps(1e6, 1e12))
    (found,) = plain(analysed(store, recorder))
    assert (found.service, found.score, found.resource) == ("stock", 20.0, "stock-1")
