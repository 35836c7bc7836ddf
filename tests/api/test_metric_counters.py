"""Increases of counters, held against what was counted by hand."""

from collections.abc import Callable

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glasshouse_collector.api import create_app
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import Store
from sent_metrics import CUMULATIVE, DELTA, ask, by_label, counter, number, send, values

Serve = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def client(shared_services: Services, store: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with the store."""
    shared_services.provide(Store, store)
    return shared_serve(create_app(shared_services))


def test_a_cumulative_counter_counts_what_it_rises(client: httpx.Client, store: Store) -> None:
    """The point before the range is where it counts from; what lies beyond the range is not counted."""
    send(store, counter("up", *(number(at, 100 + at, start=-999) for at in range(-30, 300, 30))))
    answer = ask(client, "up", "increase")
    assert values(answer) == [60, 60]
    assert (answer["series"][0]["total"], answer["unit"], answer["notes"]) == (120, "", ["cumulative"])
    assert values(ask(client, "up", "rate")) == [1, 1]
    assert ask(client, "up", "rate")["unit"] == "1/s"
    assert values(ask(client, "up", "sum")) == [60, 60]
    assert values(ask(client, "up", "last")) == [130, 190]


def test_a_counter_begins_at_its_start(client: httpx.Client, store: Store) -> None:
    """The first point counts from the series' start, if that is read; else it is where counting begins."""
    send(store, counter("born", number(60, 30, start=30), number(90, 40, start=30)))
    assert values(ask(client, "born", "increase")) == [30, 10]
    send(store, counter("old", number(60, 30, start=-4000), number(90, 40, start=-4000)))
    assert values(ask(client, "old", "increase")) == [None, 10]
    send(store, counter("unknown", number(60, 30, start=60), number(90, 40, start=60)))
    assert values(ask(client, "unknown", "increase")) == [None, 10]
    send(store, counter("startless", number(60, 30), number(90, 40)))
    assert values(ask(client, "startless", "increase")) == [None, 10]


def test_resets_are_counted_from_nothing(client: httpx.Client, store: Store) -> None:
    """A counter that falls began anew, and so did one that rose but began after the point before."""
    fell = [number(0, 50, start=-99), number(30, 80, start=-99), number(60, 10, start=-99), number(120, 30)]
    send(store, counter("fell", *fell))
    answer = ask(client, "fell", "increase")
    assert values(answer) == [40, 20]
    assert answer["notes"] == ["cumulative", "1 reset"]
    again = [number(0, 50, start=-99), number(60, 60, start=30), number(120, 90, start=30)]
    send(store, counter("again", *again))
    assert values(ask(client, "again", "increase")) == [60, 30]
    wavering = [number(0, 50, start=-99), number(60, 60, start=-98.9), number(120, 90, start=-99.1)]
    send(store, counter("wavering", *wavering))
    assert values(ask(client, "wavering", "increase")) == [10, 30]


def test_an_increase_is_laid_over_the_time_it_took(client: httpx.Client, store: Store) -> None:
    """Steps that are shorter than the distance of the points have their part; so do those of a long gap."""
    send(store, counter("slow", number(0, 0, start=-99), number(60, 60), number(120, 180)))
    assert values(ask(client, "slow", "rate", step="20s")) == [1, 1, 1, 2, 2, 2]
    send(store, counter("astride", number(0, 0, start=-99), number(90, 90), number(150, 90)))
    assert values(ask(client, "astride", "increase")) == [60, 30]
    send(store, counter("gone", number(0, 0, start=-99), number(600, 600)))
    answer = ask(client, "gone", "increase", 600)
    assert values(answer) == [60] * 10
    assert answer["notes"] == ["cumulative", "1 gap"]


def test_the_newest_step_is_judged_by_what_is_there(client: httpx.Client, store: Store) -> None:
    """A rate is that of the time up to the newest point; of less than half a step there is none."""
    send(store, counter("live", number(0, 0, start=-99), number(60, 60), number(105, 105)))
    assert values(ask(client, "live", "rate")) == [1, 1]
    assert values(ask(client, "live", "increase")) == [60, 45]
    send(store, counter("fresh", number(0, 0, start=-99), number(60, 60), number(70, 70)))
    assert values(ask(client, "fresh", "rate")) == [1, None]


def test_deltas_are_added(client: httpx.Client, store: Store) -> None:
    """Each point is an increase, laid over the time from its start; without one it is of its own moment."""
    points = [number(30, 5, start=0), number(60, 7, start=30), number(90, 12, start=30), number(100, 1)]
    send(store, counter("deltas", *points, temporality=DELTA))
    answer = ask(client, "deltas", "increase")
    assert values(answer) == [5 + 7 + 6, 6 + 1]
    assert answer["notes"] == ["delta"]


def test_doubled_and_disordered_points_change_nothing(client: httpx.Client, store: Store) -> None:
    """The same point twice counts once, in either temporality, and whatever came first."""
    rising = [number(at, at, start=-99) for at in (60, 0, 120, 60, 30)]
    send(store, counter("disordered", *rising))
    send(store, counter("disordered", rising[0], rising[2]))
    assert values(ask(client, "disordered", "increase")) == [60, 60]
    delta = number(30, 5, start=0)
    send(store, counter("doubled", delta, delta, temporality=DELTA))
    send(store, counter("doubled", delta, temporality=DELTA))
    assert values(ask(client, "doubled", "increase")) == [5, None]


def test_a_doubled_point_within_a_step_counts_with_its_least_value(
    client: httpx.Client, store: Store
) -> None:
    """Its neighbours in the step are held against that one, be it a reset."""
    rising = [number(at, at, start=-99) for at in range(0, 55, 5)]
    send(store, counter("twice", *rising, number(25, 90, start=-99), number(120, 120, start=-99)))
    assert values(ask(client, "twice", "increase")) == pytest.approx([50 + 70 * 10 / 70, 70 * 60 / 70])
    send(store, counter("twice-fallen", *rising, number(25, 3, start=-99)))
    answer = ask(client, "twice-fallen", "increase")
    assert values(answer) == [20 + 3 + 47, None]
    assert answer["notes"] == ["cumulative", "1 reset"]


def test_points_without_a_value_are_passed_over(client: httpx.Client, store: Store) -> None:
    """A point that tells its series' end has no value, and what is no number is none."""
    points = [number(0, 10, start=-9), number(60, 20), number(60.5, 0, flags=1), number(120, 30)]
    send(store, counter("ended", *points, number(100, float("nan")), number(110, float("inf"))))
    assert values(ask(client, "ended", "increase")) == [10, 10]


def test_series_are_told_apart_before_they_are_added(client: httpx.Client, store: Store) -> None:
    """By attributes, resource and scope; groups add them, and compare them where asked."""
    for host, more in (("a", 0), ("b", 600)):
        for route, factor in (("/x", 1), ("/y", 2)):
            points = [number(at, more + factor * at, start=-99, route=route) for at in (0, 60, 120)]
            send(store, counter("parts", *points), resource={"host.name": host}, service=f"shop-{host}")
    assert values(ask(client, "parts", "increase")) == [360, 360]
    assert by_label(ask(client, "parts", "increase", group_by=["route"])) == {
        ("/y",): [240, 240],
        ("/x",): [120, 120],
    }
    for key in ("resource.host.name", "service_name"):
        grouped = by_label(ask(client, "parts", "increase", group_by=[key]))
        assert list(grouped.values()) == [[180, 180], [180, 180]]
    assert values(ask(client, "parts", "increase", where=["route=/x", "resource.host.name!=a"])) == [60, 60]
    assert values(ask(client, "parts", "increase", service_name=["shop-a"])) == [180, 180]
    asked = {"avg": [90, 90], "min": [60, 60], "max": [120, 120], "count": [4, 4], "p50": [90, 90]}
    assert {function: values(ask(client, "parts", function)) for function in asked} == asked


def test_both_temporalities_of_one_counter_are_added(client: httpx.Client, store: Store) -> None:
    """Half of the fleet may send deltas."""
    send(store, counter("mixed", number(0, 5, start=-9), number(60, 15), temporality=CUMULATIVE))
    send(store, counter("mixed", number(60, 3, start=0), temporality=DELTA))
    answer = ask(client, "mixed", "increase")
    assert values(answer) == [13, None]
    assert answer["notes"] == ["delta and cumulative"]


_rises = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9), st.booleans()), min_size=2, max_size=12)
_numbers = iter(range(10**6))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(series=st.lists(_rises, min_size=1, max_size=4), step=st.sampled_from(["10s", "60s"]))
def test_any_counters_are_counted_as_by_hand(
    client: httpx.Client, store: Store, series: list[list[tuple[int, int, bool]]], step: str
) -> None:
    """Of any series, with resets anywhere: each step has what a plain walk over the points finds."""
    name, length = f"any-{next(_numbers)}", int(step[:-1])
    expected = [0.0] * (600 // length)
    for which, rises in enumerate(series):
        points, now, value = [], 0, 100
        begun: float = -99
        points.append(number(0, value, start=begun, which=str(which)))
        for seconds, more, restarts in rises:
            before, now = now, now + seconds
            # One that begins anew does so half a second after the point before.
            since = before + 0.5 if restarts else before
            begun = since if restarts else begun
            value = more if restarts else value + more
            points.append(number(now, value, start=begun, which=str(which)))
            for number_of in range(len(expected)):
                shared = min(now, (number_of + 1) * length) - max(since, number_of * length)
                expected[number_of] += more * max(0, shared) / (now - since)
        send(store, counter(name, *points))
    found = ask(client, name, "increase", 600, step=step, fill="zero")
    told = values(found) if found["series"] else [0.0] * len(expected)
    assert told == pytest.approx(expected, rel=1e-6, abs=1e-6)
