"""A service that is slow because it is asked for more, and one that is slow though it is not."""

from dataclasses import replace

import pytest

from glasshouse_collector.insights.findings import EvidenceKind, FaultKind
from glasshouse_collector.store import Store
from made_faults import works_longer
from made_traces import BASELINE, INCIDENT, QUESTION, Recorder, Traffic, analysed, plain, points

SLOWER = works_longer("pricing", "POST /quote", 40)
AS_MANY, MANY_MORE = 150, 600


def recorded(name: str, requests: int) -> Recorder:
    """Return calm minutes, then so many requests that pricing is slow at, its processor busy."""
    recorder = Recorder(name)
    recorder.make(Traffic(BASELINE, 200))
    recorder.make(Traffic(INCIDENT, requests, fault=SLOWER))
    recorder.gauge("pricing", "process.cpu.utilization", "1", points(recorder.dice, 0.2, 0.95))
    return recorder


def test_a_service_that_is_asked_far_more_is_overloaded(store: Store) -> None:
    """It is told how often it is asked, before and now, beside what takes longer and the processor."""
    first = analysed(store, recorded("surge", MANY_MORE)).root_causes[0]
    assert (first.service, first.operation, first.kind) == ("pricing", "POST /quote", FaultKind.OVERLOAD)
    [traffic] = [it for it in first.evidence if it.kind is EvidenceKind.TRAFFIC]
    assert traffic.before == pytest.approx(200 / 240)
    assert traffic.after == pytest.approx(600 / 180)
    assert traffic.text == "pricing is asked 3.3 times a second, 0.83 before"
    assert {EvidenceKind.OWN_TIME, EvidenceKind.METRIC} <= {it.kind for it in first.evidence}


def test_a_service_that_is_asked_as_often_is_not(store: Store) -> None:
    """The same slowness at the same rate."""
    first = analysed(store, recorded("no-surge", AS_MANY)).root_causes[0]
    assert (first.service, first.kind) == ("pricing", FaultKind.CPU_CONTENTION)


def test_more_requests_alone_harm_nobody(store: Store) -> None:
    """Four times as many of them, as fast as before."""
    recorder = Recorder("busy-and-well")
    recorder.make(Traffic(BASELINE, 200))
    recorder.make(Traffic(INCIDENT, MANY_MORE))
    assert plain(analysed(store, recorder)) == []


def test_nothing_is_known_of_more_without_a_time_before(store: Store) -> None:
    """No baseline, no rate to compare with."""
    asked = replace(QUESTION, baselines=())
    causes = analysed(store, recorded("surge-alone", MANY_MORE), asked).root_causes
    assert FaultKind.OVERLOAD not in {cause.kind for cause in causes}
