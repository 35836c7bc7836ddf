"""Faults whose effects are louder than they are themselves: callers that throw, give up, or try again."""

import copy
import random

import pytest

from glasshouse_collector.insights.findings import FaultKind
from glasshouse_collector.store import Store
from made_faults import fail, some, throws, works_longer
from made_traces import BASELINE, INCIDENT, MS, Fault, Recorder, Traffic, Work, analysed, plain, shop

PATIENCE = 1000 * MS


class Impatient(Recorder):
    """Makes requests whose callers give up after a second; what they called goes on."""

    def span(self, work: Work, ids: tuple[bytes, bytes, bytes], begins: int, ends: int) -> None:
        """Record one span, cut off where it waits too long."""
        if work.service in {"gateway", "orders"} and ends - begins > PATIENCE:
            work.failed, ends = "TimeoutError", begins + PATIENCE
        super().span(work, ids, begins, ends)


def tries_three_times(request: Work, dice: random.Random) -> None:
    """Let payment throw, and orders call it three times before it goes on without."""
    way = request.way_to("payment", "POST /pay")
    if way and dice.random() < 0.6:
        orders, client, payment = way[-3:]
        payment.calls, payment.says = [], payment.says[:1]
        payment.failed, client.failed = "CardDeclined", "CallFailed"
        place = orders.calls.index(client)
        orders.calls[place : place + 1] = [copy.copy(client) for _ in range(3)]


def answers_nothing(request: Work, dice: random.Random) -> None:
    """Let payment return without charging, and without a word; orders throws for it."""
    way = request.way_to("payment", "POST /pay")
    if way and dice.random() < 0.7:
        payment, orders = way[-1], way[:-2]
        payment.calls, payment.says = [], payment.says[:1]
        fail(orders, "AssertionError")


@pytest.mark.parametrize(
    ("name", "fault", "first"),
    [
        ("tries-again", tries_three_times, ("payment", FaultKind.EXCEPTION)),
        ("caller-throws", answers_nothing, ("payment", FaultKind.EARLY_RETURN)),
        ("one-in-ten", throws("payment", "POST /pay", "CardDeclined", 0.1), ("payment", FaultKind.EXCEPTION)),
        (
            "one-in-seven-slow",
            some(works_longer("stock", "reserve rows", 60), 0.15),
            ("stock", FaultKind.SLOW_CODE),
        ),
    ],
    ids=["tries-again", "caller-throws", "one-in-ten", "one-in-seven-slow"],
)
def test_the_cause_behind_its_effects(
    store: Store, name: str, fault: Fault, first: tuple[str, FaultKind]
) -> None:
    """The service at fault is found, and nobody else plainly."""
    found = analysed(store, shop(name, fault))
    assert (found.root_causes[0].service, found.root_causes[0].kind) == first
    assert {cause.service for cause in plain(found)} <= {first[0]}


def test_callers_that_give_up(store: Store) -> None:
    """Stock takes five seconds and never fails; those who wait for it fail after one."""
    recorder = Impatient("impatient")
    recorder.make(Traffic(BASELINE, 200))
    recorder.make(Traffic(INCIDENT, 150, fault=works_longer("stock", "reserve rows", 5000)))
    first, *others = analysed(store, recorder).root_causes
    assert (first.service, first.kind) == ("stock", FaultKind.SLOW_CODE)
    assert first.confidence > 0.5
    assert all(cause.confidence < 0.25 for cause in others)


def test_slowness_counts_as_far_as_it_matters(store: Store) -> None:
    """Three times as long in a request of fifty milliseconds is little; thirty times as long is much."""
    little, much = (
        analysed(store, shop(f"by-{more}", works_longer("shipping", "POST /parcels", more))).root_causes[0]
        for more in (8, 120)
    )
    assert little.service == much.service == "shipping"
    assert little.score < much.score / 3
