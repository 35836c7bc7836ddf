"""What spans do otherwise: numbers that can be counted, and worked out, by hand."""

from collections.abc import Sequence
from dataclasses import replace
from math import log

import pytest

from glasshouse_collector.insights.behaviour import Deviation, find_deviations
from glasshouse_collector.insights.chance import likelihood_gain
from glasshouse_collector.insights.constants import DEFAULT
from glasshouse_collector.insights.contexts import Contexts
from glasshouse_collector.insights.events import Event, EventKind, events_of
from glasshouse_collector.insights.records import Records, read_records
from glasshouse_collector.insights.spans import Spans, read_spans
from glasshouse_collector.insights.windows import Window
from glasshouse_collector.store import QueryLimits, Store
from made_traces import BASELINE, ERROR, INCIDENT, INFO, MS, QUESTION, Recorder, Work

PLAIN = replace(DEFAULT, least_evidence=3.0)


def pack(lines: Sequence[tuple[int, str]], times: int = 1) -> Work:
    """Return a request that packs `times` parcels, and says the lines at each."""
    calls = [Work("shipping", "pack", 2, says=list(lines)) for _ in range(times)]
    return Work("shipping", "POST /parcels", 2, calls)


def read(store: Store, recorder: Recorder) -> tuple[Spans, Contexts, Records]:
    """Keep what was recorded, and read it as an analysis does."""
    recorder.keep(store)
    view, limits = store.of_project(recorder.project), QueryLimits()
    spans = read_spans(view, QUESTION, limits)
    return spans, Contexts.of(spans), read_records(view, QUESTION, spans, limits)


def deviations(store: Store, recorder: Recorder) -> dict[tuple[EventKind, str], Deviation]:
    """Return what deviates, by kind of event and what it is about."""
    spans, contexts, records = read(store, recorder)
    found = find_deviations(spans, contexts, records, PLAIN)
    return {(each.event.kind, _subject(spans, records, each.event)): each for each in found}


def make(recorder: Recorder, window: Window, works: Sequence[Work]) -> None:
    """Make the requests, one after the other."""
    for number, work in enumerate(works):
        recorder.trace(work, window.start + number * 100 * MS)


def test_a_line_that_is_missing(store: Store) -> None:
    """40 of 40 said it before, and 5 of 20 do now: what is counted, and how sure that is."""
    done, nothing = [(INFO, "Done")], [(INFO, "Begun")]
    recorder = Recorder("missing-line")
    make(recorder, BASELINE, [pack([*nothing, *done]) for _ in range(40)])
    make(recorder, INCIDENT, [pack([*nothing, *done] if number < 5 else nothing) for number in range(20)])
    found = deviations(store, recorder)
    missing = found[EventKind.STATEMENT, "Done"]
    assert not missing.more
    assert (missing.before, missing.after) == (40 / 40, 5 / 20)
    assert missing.probability == pytest.approx(1 - (0.5 / 41) / (15.5 / 21))
    # 5 of 20 and 40 of 40 by two shares, against 45 of 60 by one
    gain = 5 * log(5 / 20) + 15 * log(15 / 20) - 45 * log(45 / 60) - 15 * log(15 / 60)
    looked_at = 5  # two statements, two templates, and one statement less often than the other
    assert missing.evidence == pytest.approx(gain - log(looked_at))
    assert len(missing.spans) == 15
    assert found[EventKind.TEMPLATE, "Done"].evidence == pytest.approx(missing.evidence / 2)
    assert found[EventKind.FEWER, "Done < Begun"].after == 15 / 20
    assert len(found) == 3


def test_shares_are_of_traces(store: Store) -> None:
    """Four spans of one trace that do the same are no more evidence than one."""
    evidence = []
    for times in (1, 4):
        recorder = Recorder(f"of-traces-{times}")
        make(recorder, BASELINE, [pack([(INFO, "Done")], times) for _ in range(40)])
        done = [[(INFO, "Done")] if number < 5 else [] for number in range(20)]
        make(recorder, INCIDENT, [pack(said, times) for said in done])
        found = deviations(store, recorder)[EventKind.STATEMENT, "Done"]
        assert (len(found.spans), found.more) == (15 * times, False)
        evidence.append(found.evidence)
    assert evidence[0] == pytest.approx(evidence[1])


def test_errors_that_are_fewer_are_no_deviation(store: Store) -> None:
    """What fails less than before is not looked into; what fails more is."""
    failed, fine = [(ERROR, "No label")], [(INFO, "Done")]
    fewer, more = Recorder("fewer-errors"), Recorder("more-errors")
    for recorder, before, now in ((fewer, 20, 0), (more, 0, 10)):
        make(recorder, BASELINE, [pack(failed if number < before else fine) for number in range(40)])
        make(recorder, INCIDENT, [pack(failed if number < now else fine) for number in range(20)])
    assert (EventKind.ERROR_STATEMENT, "No label") not in deviations(store, fewer)
    found = deviations(store, more)[EventKind.ERROR_STATEMENT, "No label"]
    assert (found.more, len(found.spans)) == (True, 10)
    assert (found.before, found.after) == (0 / 40, 10 / 20)
    assert found.probability == pytest.approx(1 - (0.5 / 41) / (10.5 / 21))


def test_calls_are_counted_to_three(store: Store) -> None:
    """A request with five calls has at least one, two and three of them; its lines are its own."""
    recorder = Recorder("counted-calls")
    make(recorder, INCIDENT, [pack([(INFO, "Done")], 5)])
    spans, contexts, records = read(store, recorder)
    events = events_of(spans, contexts, records, ~spans.incident, DEFAULT)
    root = int((spans.tree.depth == 0).argmax())
    packing = next(place for place, it in enumerate(spans.places) if it.operation == "pack")
    of_root = [events.decoded(int(code)) for code in events.code[events.span == root]]
    assert of_root == [Event(EventKind.CALL, packing + 1, times) for times in (1, 2, 3)]
    for row in range(len(spans)):
        if row != root:
            kinds = {events.decoded(int(code)).kind for code in events.code[events.span == row]}
            assert kinds == {EventKind.STATEMENT, EventKind.TEMPLATE}


def test_what_goes_together_is_counted_over_all_callers(store: Store) -> None:
    """The same two lines, asked for by two operations: half of all the spans lack the second one now."""
    works = []
    for operation in ("POST /parcels", "POST /bulk"):
        for lines in ([(INFO, "Begun"), (INFO, "Done")], [(INFO, "Begun")]):
            works.append(pack(lines))
            works[-1].operation = operation
    whole, lacking = works[::2], works[1::2]
    recorder = Recorder("together")
    make(recorder, BASELINE, whole * 20)
    make(recorder, INCIDENT, [*whole, *lacking] * 5)
    found = deviations(store, recorder)
    [fewer] = [each for (kind, _), each in found.items() if kind is EventKind.FEWER]
    assert (fewer.more, len(fewer.spans)) == (True, 10)
    assert (fewer.before, fewer.after) == (0 / 40, 10 / 20)


def test_what_is_asked_for_is_no_deviation(store: Store) -> None:
    """One operation says other things for other callers; that these ask more changes nothing."""
    by_robots, by_people = pack([(INFO, "Packed by robot")]), pack([(INFO, "Packed by hand")])
    by_robots.operation = "POST /bulk"
    recorder = Recorder("asked-for")
    make(recorder, BASELINE, [by_robots if number % 4 else by_people for number in range(60)])
    make(recorder, INCIDENT, [by_people if number % 4 else by_robots for number in range(40)])
    assert deviations(store, recorder) == {}


def test_how_much_likelier_two_shares_are() -> None:
    """Equal shares are no likelier apart; 5 of 20 and 40 of 40 are, by their binomial likelihoods."""
    assert likelihood_gain(5, 20, 10, 40) == pytest.approx(0)
    assert likelihood_gain(0, 20, 0, 40) == pytest.approx(0, abs=1e-9)
    assert likelihood_gain(20, 20, 0, 40) == pytest.approx(-20 * log(1 / 3) - 40 * log(2 / 3))
    assert likelihood_gain(0, 40, 20, 20) == pytest.approx(float(likelihood_gain(20, 20, 0, 40)))


def _subject(spans: Spans, records: Records, event: Event) -> str:
    texts = {
        EventKind.STATEMENT: records.statement.texts,
        EventKind.ERROR_STATEMENT: records.statement.texts,
        EventKind.TEMPLATE: records.template.texts,
        EventKind.CALL: ("answered", *(place.operation for place in spans.places)),
        EventKind.FAILURE: spans.exception.texts,
    }
    if event.other is None or event.of is None:
        return texts[event.kind][event.subject]
    return f"{texts[event.of][event.subject]} < {texts[event.other[0]][event.other[1]]}"
