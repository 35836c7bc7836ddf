"""Where time goes that used not to: numbers that can be worked out by hand."""

from dataclasses import replace

import pytest

from glasshouse_collector.insights.constants import DEFAULT
from glasshouse_collector.insights.contexts import Contexts
from glasshouse_collector.insights.spans import Spans, read_spans
from glasshouse_collector.insights.timing import Mechanism, Slowdown, find_slowdowns
from glasshouse_collector.insights.windows import Window
from glasshouse_collector.store import QueryLimits, Store
from made_traces import BASELINE, INCIDENT, MS, QUESTION, Recorder, Work

CLIENT = 3

PLAIN = replace(DEFAULT, least_evidence=3.0)


def slowdowns(store: Store, recorder: Recorder) -> tuple[Spans, list[Slowdown]]:
    """Keep what was recorded, and return what is slower."""
    recorder.keep(store)
    spans = read_spans(store.of_project(recorder.project), QUESTION, QueryLimits())
    return spans, find_slowdowns(
        spans, Contexts.of(spans), ~spans.incident, replace(DEFAULT, least_evidence=3.0)
    )


def make(
    recorder: Recorder, window: Window, own: list[float], way: float = 1.0, outside: float = 5.0
) -> None:
    """Make requests of two services: the second works `own` ms, and waits for what is outside."""
    for number, milliseconds in enumerate(own):
        calls = [Work("stock", "SELECT", outside, kind=CLIENT, peer="10.0.0.7:5432")]
        stock = Work("stock", "GET /stock", milliseconds, calls, way=way)
        client = Work("gateway", "GET", 0, [stock], kind=CLIENT)
        recorder.trace(Work("gateway", "GET /cart", 2, [client]), window.start + number * 1000 * MS)


def test_own_work(store: Store) -> None:
    """From 10 to 50 ms in half of the calls: medians, who, and how much that cost."""
    recorder = Recorder("own-work")
    make(recorder, BASELINE, [10.0] * 50)
    make(recorder, INCIDENT, [50.0] * 20 + [10.0] * 20)
    spans, found = slowdowns(store, recorder)
    assert [each.mechanism for each in found] == [Mechanism.WORK]
    assert spans.services[found[0].service] == "stock"
    assert spans.places[found[0].place].operation == "GET /stock"
    assert (found[0].before, found[0].after) == (10 * MS, 50 * MS)
    assert (len(found[0].spans), found[0].of) == (20, 40)
    assert found[0].excess == pytest.approx(20 * (50 - 1.5 * 10) * MS)  # half the median more is usual


def test_the_way_between(store: Store) -> None:
    """Lost between two services: 1 ms there and back before, 20 ms each now."""
    recorder = Recorder("way-between")
    make(recorder, BASELINE, [10.0] * 50)
    make(recorder, INCIDENT, [10.0] * 40, way=20.0)
    spans, found = slowdowns(store, recorder)
    assert [each.mechanism for each in found] == [Mechanism.WAY]
    assert [spans.services[it] for it in (found[0].service, found[0].other)] == ["gateway", "stock"]
    assert (found[0].before, found[0].after) == (2 * MS, 40 * MS)


def test_what_sends_no_telemetry(store: Store) -> None:
    """A call whose other side is not seen takes longer: it is named."""
    recorder = Recorder("outside")
    make(recorder, BASELINE, [10.0] * 50)
    make(recorder, INCIDENT, [10.0] * 40, outside=80.0)
    spans, found = slowdowns(store, recorder)
    assert [each.mechanism for each in found] == [Mechanism.DEPENDENCY]
    assert (spans.services[found[0].service], spans.peer.texts[found[0].other]) == ("stock", "10.0.0.7:5432")
    assert (found[0].before, found[0].after) == (5 * MS, 80 * MS)


def test_what_nobody_waits_for_is_no_slowdown(store: Store) -> None:
    """Work beside a longer call takes three times as long, and no request takes longer for it."""
    recorder = Recorder("beside")
    for window, count, beside in ((BASELINE, 50, 10), (INCIDENT, 40, 30)):
        for number in range(count):
            at, trace = window.start + number * 1000 * MS, (number + window.start).to_bytes(16)
            recorder.span(Work("gateway", "GET /cart", 0), (trace, b"rootspan", b""), at, at + 60 * MS)
            recorder.span(Work("stock", "slow", 0), (trace, b"longcall", b"rootspan"), at, at + 50 * MS)
            recorder.span(Work("stock", "fast", 0), (trace, b"shortone", b"rootspan"), at, at + beside * MS)
    assert slowdowns(store, recorder)[1] == []


def test_as_slow_as_before_is_no_slowdown(store: Store) -> None:
    """One in five was slow before, and one in five is now."""
    recorder = Recorder("slow-as-before")
    own = [50.0 if number % 5 == 0 else 10.0 for number in range(50)]
    make(recorder, BASELINE, own)
    make(recorder, INCIDENT, own)
    assert slowdowns(store, recorder)[1] == []
