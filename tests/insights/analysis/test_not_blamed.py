"""What is no fault, or not the one of the incident, is not blamed."""

import random
from dataclasses import replace

import pytest

from glasshouse_collector.insights.findings import Analysis, FaultKind
from glasshouse_collector.insights.windows import Window
from glasshouse_collector.store import Store
from made_faults import returns_early, some, throws, works_longer
from made_traces import (
    BASELINE,
    INCIDENT,
    MINUTE,
    NOON,
    QUESTION,
    Fault,
    Recorder,
    Traffic,
    Work,
    analysed,
    plain,
    points,
    shop,
)

FAILS = throws("payment", "POST /pay", "CardDeclined", 0.3)


@pytest.mark.parametrize("number", range(6))
def test_a_quiet_window_has_no_cause(store: Store, number: int) -> None:
    """Where nothing changed, nothing is said."""
    recorder = shop(f"quiet-{number}")
    recorder.gauge("stock", "process.cpu.utilization", "1", points(recorder.dice, 0.3, 0.3))
    assert plain(analysed(store, recorder)) == []


@pytest.mark.parametrize(("before", "after"), [(0.2, 0.9), (0.9, 0.2)])
def test_other_requests_than_before_are_no_fault(store: Store, before: float, after: float) -> None:
    """Customers look at carts more, or less, than they order: each kind of request does what it did."""
    recorder = Recorder(f"mix-{before}-{after}")
    recorder.make(Traffic(BASELINE, 200, browsing=before))
    recorder.make(Traffic(INCIDENT, 150, browsing=after))
    assert plain(analysed(store, recorder)) == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("fails", FAILS),
        ("slow", some(works_longer("stock", "reserve rows", 80), 0.3)),
    ],
    ids=["fails", "slow"],
)
def test_what_was_wrong_before_is_not_the_incident(store: Store, name: str, fault: Fault) -> None:
    """What fails, or is slow, as often as it was before is usual there."""
    recorder = Recorder(f"chronic-{name}")
    recorder.make(Traffic(BASELINE, 200, fault=fault))
    recorder.make(Traffic(INCIDENT, 150, fault=fault))
    assert plain(analysed(store, recorder)) == []


def test_a_new_fault_is_told_from_one_that_was_there(store: Store) -> None:
    """Payments fail as before; what is new in pricing is the cause."""

    def both(request: Work, dice: random.Random) -> None:
        FAILS(request, dice)
        returns_early(request, dice)

    recorder = Recorder("chronic-and-new")
    recorder.make(Traffic(BASELINE, 200, fault=FAILS))
    recorder.make(Traffic(INCIDENT, 150, fault=both))
    found = analysed(store, recorder)
    assert _first(found) == ("pricing", FaultKind.EARLY_RETURN)
    assert [cause.service for cause in plain(found)] == ["pricing"]


@pytest.mark.parametrize(
    ("name", "fault", "first"),
    [
        ("fails", throws("payment", "POST /pay", "CardDeclined", 0.8), ("payment", FaultKind.EXCEPTION)),
        ("early", returns_early, ("pricing", FaultKind.EARLY_RETURN)),
        ("slow", works_longer("stock", "reserve rows", 150), ("stock", FaultKind.SLOW_CODE)),
    ],
)
def test_one_baseline_may_be_half_in_the_incident(
    store: Store, name: str, fault: Fault, first: tuple[str, FaultKind]
) -> None:
    """The minutes before had the fault for half of their time; those an hour earlier tell what is usual."""
    earlier = Window(BASELINE.start - 60 * MINUTE, BASELINE.end - 60 * MINUTE)
    recorder = Recorder(f"half-{name}")
    recorder.make(Traffic(earlier, 200))
    recorder.make(Traffic(Window(BASELINE.start, NOON - 2 * MINUTE), 100))
    recorder.make(Traffic(Window(NOON - 2 * MINUTE, NOON), 100, fault=fault))
    recorder.make(Traffic(INCIDENT, 150, fault=fault))
    found = analysed(store, recorder, replace(QUESTION, baselines=(BASELINE, earlier)))
    assert _first(found) == first
    assert found.root_causes[0].confidence > 0.5


def test_the_only_baseline_may_be_half_in_the_incident(store: Store) -> None:
    """Twice as many failures as before are a fault still; of which kind is not always known then."""
    fault = throws("payment", "POST /pay", "CardDeclined", 0.9)
    recorder = Recorder("half-only")
    recorder.make(Traffic(Window(BASELINE.start, NOON - 2 * MINUTE), 100))
    recorder.make(Traffic(Window(NOON - 2 * MINUTE, NOON), 100, fault=fault))
    recorder.make(Traffic(INCIDENT, 150, fault=fault))
    assert _first(analysed(store, recorder))[0] == "payment"


def test_chance_is_no_evidence(store: Store) -> None:
    """One failed request among many is nothing plain."""
    recorder = shop("one-failure")
    once = throws("payment", "POST /pay", "CardDeclined")
    recorder.make(Traffic(INCIDENT, 1, browsing=0.0, fault=once))
    found = analysed(store, recorder)
    assert plain(found) == []
    assert all(cause.confidence < 0.5 for cause in found.root_causes)


def _first(found: Analysis) -> tuple[str, FaultKind]:
    return found.root_causes[0].service, found.root_causes[0].kind
