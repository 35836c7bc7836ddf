"""What the calls that show a fault have in common is told, where others have it less; else nothing is."""

import random
from collections.abc import Callable

import pytest

from glasshouse_collector.insights.findings import Evidence, EvidenceKind, RootCause
from glasshouse_collector.store import Store
from made_faults import fail, fails_in_version, throws, works_longer
from made_traces import BASELINE, INCIDENT, Fault, Recorder, Traffic, Work, analysed, shop

HIT = ("payment", "POST /pay")
QUOTED = "POST /pay 'now' {when:String} \\"
"""An operation as no statement would like it."""
Attributes = dict[str, str]
Hits = Callable[[Attributes, random.Random], bool]


class Described(Recorder):
    """Records requests whose spans run on one of three hosts each, for customers of three tiers."""

    def __init__(self, project: str, operation: str = HIT[1]) -> None:
        super().__init__(project)
        self._operation = operation
        self._of: dict[int, Attributes] = {}

    def shop(self, fault: Fault, hits: Hits) -> "Described":
        """Make 200 calm requests, then 150 in which the fault meets the payments that `hits` chooses."""
        self.make(Traffic(BASELINE, 200, fault=self._calm))
        self.make(Traffic(INCIDENT, 150, browsing=0.2, fault=self._faulty(fault, hits)))
        return self

    def _calm(self, request: Work, dice: random.Random) -> None:
        self._describe(request, dice)

    def _faulty(self, fault: Fault, hits: Hits) -> Fault:
        def describe(request: Work, dice: random.Random) -> None:
            way = self._describe(request, dice)
            if way and hits(self._of[id(way[-1])], dice):
                way[-1].operation = HIT[1]
                fault(request, dice)
                way[-1].operation = self._operation

        return describe

    def _describe(self, request: Work, dice: random.Random) -> list[Work]:
        tier, order = dice.choice(("gold", "silver", "free")), f"{dice.randrange(10**9)}"
        for work in request.everything():
            host = f"{work.service}-{dice.randrange(3)}"
            self._of[id(work)] = {"host.name": host, "customer.tier": tier, "order.id": order}
        way = request.way_to(*HIT)
        if way:
            way[-1].operation = self._operation
        return way

    def span(self, work: Work, ids: tuple[bytes, bytes, bytes], begins: int, ends: int) -> None:
        """Record one span with its attributes."""
        super().span(work, ids, begins, ends)
        of = self.traces.resource_spans[-1]
        told = self._of[id(work)]
        for key in ("host.name", "host.id"):
            of.resource.attributes.add(key=key).value.string_value = told["host.name"]
        span = of.scope_spans[0].spans[0]
        for key in ("customer.tier", "order.id"):
            span.attributes.add(key=key).value.string_value = told[key]
        code = 500 if work.failed else 200
        span.attributes.add(key="http.response.status_code").value.int_value = code


FAULTS: dict[str, Fault] = {
    "fails": throws(*HIT, "CardDeclined"),
    "slow": works_longer(*HIT, 150),
}


def on_one_host(told: Attributes, _: random.Random) -> bool:
    """Choose the payments of one host."""
    return told["host.name"] == "payment-2"


def of_one_tier(told: Attributes, _: random.Random) -> bool:
    """Choose the payments of customers of one tier."""
    return told["customer.tier"] == "gold"


def at_random(_: Attributes, dice: random.Random) -> bool:
    """Choose half of the payments."""
    return dice.random() < 0.5


def always(_: Attributes, __: random.Random) -> bool:
    """Choose all payments."""
    return True


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_one_host_names_it(store: Store, fault: str) -> None:
    """The host is told once, with its shares, and is the cause's resource."""
    cause = _first(store, Described(f"host-{fault}").shop(FAULTS[fault], on_one_host))
    (told,) = _in_common(cause)
    assert (told.kind, told.attribute) == (EvidenceKind.ATTRIBUTE, "host.name")
    assert told.text == "host.name = payment-2 in 100% of the calls that show it, 0% of the others"
    assert (told.before, told.after, told.operation) == (0.0, 1.0, HIT[1])
    assert cause.resource == "payment-2"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_one_tier_names_it(store: Store, fault: str) -> None:
    """The customers' tier is told, and no host is blamed."""
    cause = _first(store, Described(f"tier-{fault}").shop(FAULTS[fault], of_one_tier))
    (told,) = _in_common(cause)
    assert told.text == "customer.tier = gold in 100% of the calls that show it, 0% of the others"
    assert cause.resource == ""


def test_the_traces_named_have_the_attribute(store: Store) -> None:
    """Who opens one of the traces sees what is said of it."""
    recorder = Described("traces").shop(FAULTS["fails"], on_one_host)
    (told,) = _in_common(_first(store, recorder))
    traces = ", ".join(f"'{trace}'" for trace in told.trace_ids)
    rows = store.of_project("traces").query_arrow(
        "SELECT DISTINCT ResourceAttributes['host.name'] AS Host FROM otel_traces "
        f"WHERE ServiceName = 'payment' AND SpanName = '{HIT[1]}' AND TraceId IN ({traces})"
    )
    assert len(told.trace_ids) == 5
    assert rows.to_pylist() == [{"Host": "payment-2"}]


def test_a_fault_of_one_version_names_it(store: Store) -> None:
    """A new version is told as a release."""
    cause = _first(store, shop("one-version", fails_in_version("2.0")))
    (told,) = _in_common(cause)
    assert told.kind is EvidenceKind.RELEASE
    assert told.text.startswith("service.version = 2.0 in 100% of the calls that show it, 0%")


@pytest.mark.parametrize("hits", [at_random, always])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("number", range(3))
def test_a_fault_of_all_names_none(store: Store, number: int, fault: str, hits: Hits) -> None:
    """Neither a host nor a tier, nor what came of the fault, nor an id of which each call has another."""
    project = f"uniform-{fault}-{hits.__name__}-{number}"
    cause = _first(store, Described(project).shop(FAULTS[fault], hits))
    assert _in_common(cause) == []
    assert cause.resource == ""


def test_a_host_that_is_hit_more_often_is_told_with_its_share(store: Store) -> None:
    """It is told of, but not every failure is its own: it is no sole culprit."""

    def mostly(told: Attributes, dice: random.Random) -> bool:
        return dice.random() < (0.9 if on_one_host(told, dice) else 0.2)

    cause = _first(store, Described("mostly").shop(FAULTS["fails"], mostly))
    (told,) = _in_common(cause)
    assert told.attribute == "host.name"
    assert 0 < (told.before or 0.0) < 0.5 < (told.after or 0.0) < 0.8
    assert cause.resource == ""


def test_a_host_that_all_moved_to_is_told_but_not_blamed(store: Store) -> None:
    """Where no other host serves any more, it is new, but not one of several."""

    def moved(told: Attributes, _: random.Random) -> bool:
        told["host.name"] = "payment-9"
        return True

    cause = _first(store, Described("moved").shop(FAULTS["fails"], moved))
    (told,) = _in_common(cause)
    assert told.text == "host.name = payment-9 in 100% of the calls that show it, 0% before"
    assert cause.resource == ""


def test_what_is_in_common_adds_nothing_to_the_score(store: Store) -> None:
    """How many calls fail says that it is the cause; where they ran does not make it surer."""
    cause = _first(store, Described("score").shop(FAULTS["fails"], on_one_host))
    strengths = [each.weight for each in cause.evidence if each not in _in_common(cause)]
    assert cause.score <= sum(strengths) + 0.01


def test_names_of_any_kind_are_read(store: Store) -> None:
    """Quotes and braces in an operation's name are only that."""
    cause = _first(store, Described("quoted", QUOTED).shop(FAULTS["fails"], on_one_host))
    (told,) = _in_common(cause)
    assert (told.attribute, told.operation) == ("host.name", QUOTED)


def test_few_calls_tell_nothing(store: Store) -> None:
    """Three failures on one host may be chance."""
    recorder = shop("few")

    def once(request: Work, _: random.Random) -> None:
        if way := request.way_to(*HIT):
            way[-1].version = "3.0"
            fail(way, "CardDeclined")

    recorder.make(Traffic(INCIDENT, 3, browsing=0.0, fault=once))
    found = analysed(store, recorder).root_causes
    assert [each for cause in found for each in _in_common(cause)] == []


def _first(store: Store, recorder: Recorder) -> RootCause:
    return analysed(store, recorder).root_causes[0]


def _in_common(cause: RootCause) -> list[Evidence]:
    return [each for each in cause.evidence if each.kind in {EvidenceKind.ATTRIBUTE, EvidenceKind.RELEASE}]
