"""Whatever arrives, there is an answer: with notes, and without a cause that is sure."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from glasshouse_collector.insights.findings import Analysis
from glasshouse_collector.insights.windows import SECOND, Window
from glasshouse_collector.store import Store
from made_faults import throws
from made_traces import (
    BASELINE,
    ERROR,
    INCIDENT,
    INFO,
    MINUTE,
    MS,
    NOON,
    QUESTION,
    Recorder,
    Traffic,
    Work,
    analysed,
    order,
    plain,
    shop,
)

Damage = Callable[[Recorder, int], None]
YEARS = 10 * 365 * 24 * 3600 * SECOND
FAILS = throws("payment", "POST /pay", "CardDeclined", 0.8)


def _span(recorder: Recorder, trace: int, ids: tuple[int, int], begins: int, ends: int) -> None:
    """Record a span of these numbers: its own, and its parent's, 0 where it has none."""
    number, parent = ids
    above = parent.to_bytes(8) if parent else b""
    work = Work("stock", f"step {number % 5}", 0)
    recorder.span(work, (trace.to_bytes(16), number.to_bytes(8), above), begins, ends)


def circle(recorder: Recorder, begins: int) -> None:
    """Three spans in a circle, and one that is its own parent."""
    for number, parent in ((1, 2), (2, 3), (3, 1), (4, 4)):
        _span(recorder, begins, (number, parent), begins, begins + number * MS)


def lost_parents(recorder: Recorder, begins: int) -> None:
    """Spans whose parents never arrived."""
    for number in (1, 2, 3):
        _span(recorder, begins, (number, number + 100), begins, begins + MS)


def twice(recorder: Recorder, begins: int) -> None:
    """Record two times over the same spans."""
    for _ in range(2):
        _span(recorder, begins, (1, 0), begins, begins + 5 * MS)
        _span(recorder, begins, (2, 1), begins + MS, begins + 2 * MS)


def outliving(recorder: Recorder, begins: int) -> None:
    """Children that begin before their parent and end after it, or when it is long over."""
    _span(recorder, begins, (1, 0), begins, begins + 5 * MS)
    _span(recorder, begins, (2, 1), begins - MS, begins + 50 * MS)
    _span(recorder, begins, (3, 1), begins + 90 * MS, begins + 95 * MS)


def no_time_and_years(recorder: Recorder, begins: int) -> None:
    """Spans of no time, of ten years, and one that ends before it begins."""
    _span(recorder, begins, (1, 0), begins, begins + YEARS)
    _span(recorder, begins, (2, 1), begins, begins)
    _span(recorder, begins, (3, 1), begins + 2 * MS, begins + MS)


def no_names(recorder: Recorder, begins: int) -> None:
    """Services and operations without a name."""
    recorder.trace(Work("", "", 5, [Work("", "", 3), Work("stock", "", 2)]), begins)


def deep(recorder: Recorder, begins: int) -> None:
    """Two hundred and fifty calls, each in the other."""
    work = Work("stock", "step", 0.01)
    for _ in range(249):
        work = Work("stock", "step", 0.01, [work])
    recorder.trace(work, begins)


def hostile_lines(recorder: Recorder, begins: int) -> None:
    """Ten thousand letters, brackets in brackets, control characters, other scripts, nothing."""
    trace, span = begins.to_bytes(16), (1).to_bytes(8)
    _span(recorder, begins, (1, 0), begins, begins + 5 * MS)
    for line in (
        "x" * 10_000,
        "[" * 10_000,
        "([{" * 3_000 + "deep" + "}])" * 3_000,
        "\x00\x1b[31m\x07 <number> <*> %s {0} \\n ' \" -- ; DROP TABLE otel_logs",
        "ошибка\u202e\ud7ff\U0001f525" * 50,
        "",
        "\n\n\n",
        "=" * 500,
    ):
        recorder.log("stock", line, begins + 1, ERROR, trace, span)


def lines_alone(recorder: Recorder, begins: int) -> None:
    """Log lines without a trace, and of a trace that has no spans."""
    recorder.log("stock", "nothing is left", begins, ERROR)
    recorder.log("stock", "nothing is left", begins, ERROR, begins.to_bytes(16), (1).to_bytes(8))


def spans_alone(recorder: Recorder, begins: int) -> None:
    """Order things, and say nothing of it."""
    work = order(recorder.dice)
    for each in work.everything():
        each.says = []
    recorder.trace(work, begins)


DAMAGES = (
    circle,
    lost_parents,
    twice,
    outliving,
    no_time_and_years,
    no_names,
    deep,
    hostile_lines,
    lines_alone,
    spans_alone,
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_in_both_windows(store: Store, damage: Damage) -> None:
    """What is as broken as it was before is no cause."""
    recorder = Recorder(f"both-{damage.__name__}")
    _all_over(recorder, damage, BASELINE, 40)
    _all_over(recorder, damage, INCIDENT, 30)
    found = analysed(store, recorder)
    assert plain(found) == []
    assert found.traces == (0 if damage is lines_alone else 30)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_does_not_hide_a_fault(store: Store, damage: Damage) -> None:
    """Among broken traces of both windows, the fault in the others is found."""
    recorder = shop(f"among-{damage.__name__}", FAILS)
    _all_over(recorder, damage, BASELINE, 40)
    _all_over(recorder, damage, INCIDENT, 30)
    first = analysed(store, recorder).root_causes[0]
    assert (first.service, first.operation) == ("payment", "POST /pay")
    assert first.confidence > 0.5


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_that_is_new_is_answered(store: Store, damage: Damage) -> None:
    """Damage of the incident alone: whatever is made of it, the answer can be told."""
    recorder = Recorder(f"new-{damage.__name__}")
    recorder.make(Traffic(BASELINE, 40))
    recorder.make(Traffic(INCIDENT, 20))
    _all_over(recorder, damage, INCIDENT, 10)
    found = analysed(store, recorder)
    assert all(0 <= cause.confidence <= 1 for cause in found.root_causes)
    assert all(each.end >= each.start for cause in found.root_causes for each in cause.evidence)


def test_nothing_at_all(store: Store) -> None:
    """Neither spans nor records nor metrics: no cause, and notes that say what there is not."""
    found = analysed(store, Recorder("nothing"))
    assert _is_empty(found)
    assert "no trace began in the incident's window" in found.notes
    assert "the baselines have 0 traces only: little is known of what is usual" in found.notes


def test_nothing_in_the_incident(store: Store) -> None:
    """Nothing arrived any more: that is noted, and nobody is blamed."""
    recorder = Recorder("nothing-now")
    recorder.make(Traffic(BASELINE, 100))
    found = analysed(store, recorder)
    assert _is_empty(found)
    assert "no trace began in the incident's window" in found.notes


NOTHING_BEFORE = [(), (Window(NOON - 9 * MINUTE, NOON - 8 * MINUTE),)]


@pytest.mark.parametrize("baselines", NOTHING_BEFORE, ids=["none", "empty"])
def test_nothing_to_compare_with(store: Store, baselines: tuple[Window, ...]) -> None:
    """Where no baseline tells of normal times, what fails is told, and that nothing is known."""
    recorder = Recorder(f"no-baseline-{len(baselines)}")
    recorder.make(Traffic(INCIDENT, 50, fault=FAILS))
    found = analysed(store, recorder, replace(QUESTION, baselines=baselines))
    assert found.traces == 50
    assert [cause.service for cause in plain(found)] == ["payment"]
    assert "the baselines have 0 traces only: little is known of what is usual" in found.notes


@pytest.mark.parametrize("baselines", NOTHING_BEFORE, ids=["none", "empty"])
def test_nothing_fails_and_nothing_to_compare_with(store: Store, baselines: tuple[Window, ...]) -> None:
    """Whatever requests do, none of it can be called other than usual."""
    recorder = Recorder(f"calm-no-baseline-{len(baselines)}")
    recorder.make(Traffic(INCIDENT, 50))
    assert analysed(store, recorder, replace(QUESTION, baselines=baselines)).root_causes == ()


@pytest.mark.parametrize("before", [0, 1, 5])
def test_one_trace_says_little(store: Store, before: int) -> None:
    """A single failed request, and few to compare it with: nothing is sure."""
    recorder = Recorder(f"single-{before}")
    recorder.make(Traffic(BASELINE, before, browsing=0))
    recorder.make(Traffic(INCIDENT, 1, browsing=0, fault=throws("payment", "POST /pay", "CardDeclined")))
    found = analysed(store, recorder)
    assert found.traces == 1
    assert all(cause.confidence < 0.6 for cause in found.root_causes)


def test_a_record_is_counted_once(store: Store) -> None:
    """Spans that arrived twice are no more spans, nor is a line that did."""
    recorder = Recorder("counted-once")
    for _ in range(2):
        _span(recorder, 7, (1, 0), NOON + MS, NOON + 3 * MS)
        recorder.log("stock", "Reserved", NOON + 2 * MS, INFO, (7).to_bytes(16), (1).to_bytes(8))
    found = analysed(store, recorder)
    assert (found.traces, found.spans, found.log_records) == (1, 1, 1)


def _all_over(recorder: Recorder, damage: Damage, window: Window, count: int) -> None:
    apart = (window.end - window.start) // count
    for number in range(count):
        damage(recorder, window.start + number * apart + 2 * MS)


def _is_empty(found: Analysis) -> bool:
    return not (found.root_causes or found.symptoms or found.traces or found.spans or found.log_records)
