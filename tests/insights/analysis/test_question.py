"""What may be asked: of which project, about which services, knowing what users said; and of how much."""

from dataclasses import replace

import pytest

from glasshouse_collector.insights import spans as reading
from glasshouse_collector.insights.analysis import analyse
from glasshouse_collector.insights.constants import DEFAULT
from glasshouse_collector.insights.findings import FaultKind
from glasshouse_collector.insights.windows import Question, Window
from glasshouse_collector.store import QueryLimits, Store
from made_faults import returns_early, throws
from made_traces import BASELINE, INCIDENT, QUESTION, Recorder, Traffic, analysed, plain, shop

FAILS = throws("payment", "POST /pay", "CardDeclined", 0.8)
LIMITS = QueryLimits()


def test_one_project_knows_nothing_of_another(store: Store) -> None:
    """Two projects with the same shop and other faults: each has its own answer."""
    ours, theirs = shop("ours", FAILS), shop("theirs", returns_early)
    theirs.keep(store)
    found = analysed(store, ours)
    assert [cause.service for cause in plain(found)] == ["payment"]
    of_ours = {of.scope_spans[0].spans[0].trace_id.hex() for of in ours.traces.resource_spans}
    named = {trace for each in found.root_causes[0].evidence for trace in each.trace_ids}
    assert named
    assert named <= of_ours
    assert found.traces == 150
    other = analyse(store.of_project("theirs"), QUESTION, LIMITS)
    assert [cause.service for cause in plain(other)] == ["pricing"]
    assert analyse(store.of_project("nobody's"), QUESTION, LIMITS).traces == 0


def test_the_same_question_has_the_same_answer(store: Store) -> None:
    """Nothing is left to chance."""
    recorder = shop("again", FAILS)
    found = analysed(store, recorder)
    assert analyse(store.of_project("again"), QUESTION, LIMITS) == found


def test_focus_names_who_may_be_blamed(store: Store) -> None:
    """Two faults at once; of the services asked about, the one that has one is told."""
    recorder = Recorder("focus")
    recorder.make(Traffic(BASELINE, 200))
    recorder.make(Traffic(INCIDENT, 75, fault=FAILS))
    recorder.make(Traffic(INCIDENT, 75, fault=returns_early))
    assert {cause.service for cause in plain(analysed(store, recorder))} == {"payment", "pricing"}
    for services, found in (
        ({"payment"}, ["payment"]),
        ({"pricing", "stock"}, ["pricing"]),
        ({"stock"}, []),
    ):
        asked = replace(QUESTION, focus=frozenset(services))
        answer = analyse(store.of_project("focus"), asked, LIMITS)
        assert [cause.service for cause in plain(answer)] == found
        assert answer.traces == 150  # all is looked at still


def test_what_users_said_raises_and_lowers(store: Store) -> None:
    """A factor changes the score of that service with that kind of fault, and of no other."""
    shop("priors", FAILS).keep(store)
    view, doubting = store.of_project("priors"), replace(DEFAULT, doubt=100.0)
    plain = analyse(view, QUESTION, LIMITS, constants=doubting).root_causes[0]
    for factor in (0.5, 2.0):
        said = {("payment", FaultKind.EXCEPTION): factor}
        told = analyse(view, QUESTION, LIMITS, said, doubting).root_causes[0]
        assert told.score == pytest.approx(plain.score * factor, abs=0.01)
        assert (told.confidence > plain.confidence) == (factor > 1)
    other = {("payment", FaultKind.SLOW_CODE): 2.0, ("stock", FaultKind.EXCEPTION): 2.0}
    assert analyse(view, QUESTION, LIMITS, other).root_causes[0].score == plain.score


def test_priors_decide_between_two(store: Store) -> None:
    """Two faults at once: who is first can be turned round."""
    recorder = Recorder("turned")
    recorder.make(Traffic(BASELINE, 200))
    recorder.make(Traffic(INCIDENT, 75, fault=FAILS))
    recorder.make(Traffic(INCIDENT, 75, fault=returns_early))
    first, second = analysed(store, recorder).root_causes[:2]
    prior = {(second.service, second.kind): 2 * first.score / second.score}
    told = analyse(store.of_project("turned"), QUESTION, LIMITS, prior).root_causes
    assert [cause.service for cause in told[:2]] == [second.service, first.service]


def test_some_traces_of_many(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are more spans than are looked at, whole traces are left out; the cause is the same."""
    everything = analysed(store, shop("sampled", FAILS))
    monkeypatch.setattr(reading, "MOST_SPANS", 700)
    found = analyse(store.of_project("sampled"), QUESTION, LIMITS)
    assert found.one_in == 3
    assert found.traces < everything.traces / 2
    assert 300 < found.spans < 1000
    assert "sampled: one trace in 3 of the incident was looked at" in found.notes
    assert "sampled: one trace in 4 of the baselines was looked at" in found.notes
    first, same = found.root_causes[0], everything.root_causes[0]
    assert (first.service, first.operation, first.kind) == (same.service, same.operation, same.kind)
    assert everything.one_in == 1
    assert not [note for note in everything.notes if "sampled" in note]


def test_symptoms_are_where_requests_come_in(store: Store) -> None:
    """Orders fail, carts do not: that is what is noticed."""
    found = analysed(store, shop("symptoms", FAILS))
    assert [(step.service, step.operation) for step in found.symptoms] == [("gateway", "POST /orders")]
    assert found.symptoms[0].effect.startswith("failing in ")


def test_windows_that_are_none() -> None:
    """A window ends after it starts, and no baseline overlaps the incident."""
    with pytest.raises(ValueError, match="a window ends after it starts"):
        Window(5, 5)
    with pytest.raises(ValueError, match="a baseline overlaps the incident"):
        Question(INCIDENT, (Window(BASELINE.start, INCIDENT.start + 1),))
    assert Question(INCIDENT, (BASELINE,)).baselines == (BASELINE,)
