"""What happened to a small shop, found in hours of its traffic."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.core.incidents import INSIGHTS_SERVICE, Incident, Severity
from glasshouse_collector.insights.detection import detect
from glasshouse_collector.insights.windows import Window
from glasshouse_collector.store import QueryLimits, Store
from told_traffic import MINUTE, NOON, Shop, between, keep_rows, spread, steadily

MINUTES = 180
BEGINS, ENDS = 120, 130
START = NOON - MINUTES * MINUTE
ERROR, WARNING = 17, 13

Change = Callable[[Shop, Store, str], None]


def found(store: Store, project: str, first: int = 0, last: int = MINUTES) -> tuple[Incident, ...]:
    """Return the incidents of some minutes, looked at all at once."""
    window = Window(START + first * MINUTE, START + last * MINUTE)
    return detect(store.of_project(project), window, QueryLimits())


def at(minute: float) -> datetime:
    """Return the time of a minute."""
    return datetime.fromtimestamp(START / 1e9, UTC) + timedelta(minutes=minute)


def logs(store: Store, project: str, times: Any, body: str, service: str = "payment", **more: Any) -> None:
    """Write log records; each body has a number of its own."""
    columns = {
        "Timestamp": times,
        "Body": [body.format(number) for number in range(len(times))],
        "ServiceName": [service] * len(times),
        "SeverityNumber": [more.pop("severity", ERROR)] * len(times),
        **{name: [value] * len(times) for name, value in more.items()},
    }
    keep_rows(store, Signal.LOGS, columns, f"{project}-{body}", project)


def fails(shop: Shop, store: Store, project: str) -> None:
    """Let the payment fail, which the checkout passes on."""
    shop.payment.failing = shop.checkout.failing = between(BEGINS, ENDS, 0.5, 0.01)


def is_slow(shop: Shop, store: Store, project: str) -> None:
    """Let the payment take three times as long."""
    shop.payment.milliseconds = between(BEGINS, ENDS, 60.0, 20.0)


def has_slow_tail(shop: Shop, store: Store, project: str) -> None:
    """Let it be slow for one in five, half of the time each."""
    shop.payment.milliseconds = between(BEGINS, ENDS, 34.0, 20.0)


def falls_silent(shop: Shop, store: Store, project: str) -> None:
    """Let the search be asked no more."""
    shop.search.serving = between(BEGINS, ENDS, 0.0, 1.0)


def returns_early(shop: Shop, store: Store, project: str) -> None:
    """Let the checkout do without its database."""
    shop.orders.serving = between(BEGINS, ENDS, 0.1, 1.0)


def raises(shop: Shop, store: Store, project: str) -> None:
    """Let an exception be logged that never was, beside one that always is."""
    chance = np.random.default_rng(2)
    for kind, rate in (("TimeoutError", steadily(3)), ("KeyError", between(BEGINS, ENDS, 8))):
        times = spread(chance, START, MINUTES, rate)
        thrown = [("exception.type", kind), ("exception.message", "no")]
        logs(store, project, times, f"{kind} {{}}", severity=9, LogAttributes=thrown)


def logs_anew(shop: Shop, store: Store, project: str) -> None:
    """Let an error be logged that never was, beside a warning that always is."""
    chance = np.random.default_rng(2)
    often = spread(chance, START, MINUTES, steadily(20))
    logs(store, project, often, "cache miss for key {}", severity=WARNING)
    logs(store, project, spread(chance, START, MINUTES, between(BEGINS, ENDS, 8)), "connection {} refused")


FAULTS: dict[str, tuple[Change, str, str]] = {
    "errors": (fails, "payment", "errors in payment POST /charge: "),
    "slow": (is_slow, "payment", "slow calls of payment POST /charge: "),
    "tail": (has_slow_tail, "payment", "slow calls of payment POST /charge: "),
    "silent": (falls_silent, "search", "search is silent: "),
    "missing-calls": (returns_early, "checkout", "calls missing in checkout: SELECT orders: "),
    "exception": (raises, "payment", "KeyError in payment: "),
    "log-pattern": (logs_anew, "payment", "“connection <number> refused” logged by payment: "),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_kind_of_trouble_is_one_incident_that_began_when_it_did(store: Store, fault: str) -> None:
    """Within a minute; it is over when it was."""
    change, service, signal = FAULTS[fault]
    shop = Shop()
    change(shop, store, fault)
    shop.keep(store, START, MINUTES, project=fault)
    (incident,) = found(store, fault)
    assert any(said.startswith(signal) for said in incident.signals), incident.signals
    assert service in incident.services
    assert abs(incident.started_at - at(BEGINS)) <= timedelta(minutes=1), incident
    assert incident.ended_at is not None
    assert abs(incident.ended_at - at(ENDS)) <= timedelta(minutes=2), incident
    assert (incident.status, incident.project) == ("resolved", fault)


def test_minute_by_minute_is_found_what_is_found_at_once(store: Store) -> None:
    """An incident is there in the third minute, grows, and ends."""
    shop = Shop()
    fails(shop, store, "steps")
    shop.keep(store, START, MINUTES, project="steps")
    view, known, began = store.of_project("steps"), dict[str, Incident](), -1
    for minute in range(BEGINS - 3, ENDS + 8):
        window = Window(START + minute * MINUTE, START + (minute + 1) * MINUTE)
        for incident in detect(view, window, QueryLimits(), list(known.values())):
            known[incident.id] = incident
            began = minute if began < 0 else began
    (incident,) = known.values()
    assert began - BEGINS < 3, "minutes until it was found"
    (at_once,) = found(store, "steps", BEGINS - 3, ENDS + 8)
    assert replace(incident, signals=(), services=()) == replace(at_once, signals=(), services=())
    assert set(incident.services) == {"payment", "checkout"}


def test_what_fails_at_the_door_is_critical(store: Store) -> None:
    """And errors behind it are high."""
    shop = Shop()
    shop.gateway.failing = between(BEGINS, ENDS, 0.9)
    shop.keep(store, START, MINUTES, project="door")
    (incident,) = found(store, "door")
    assert incident.severity is Severity.CRITICAL
    shop = Shop()
    shop.payment.failing = between(BEGINS, ENDS, 0.9)
    shop.keep(store, START, MINUTES, project="behind")
    (incident,) = found(store, "behind")
    assert incident.severity is Severity.HIGH


def test_troubles_of_services_that_have_nothing_to_do_with_each_other_are_two(store: Store) -> None:
    """However near in time."""
    shop = Shop()
    shop.payment.failing = between(BEGINS, ENDS, 0.5)
    shop.search.milliseconds = between(BEGINS, ENDS, 100.0, 20.0)
    shop.keep(store, START, MINUTES, project="two")
    assert sorted(incident.services for incident in found(store, "two")) == [("payment",), ("search",)]


def test_what_comes_and_goes_is_one(store: Store) -> None:
    """Flapping joins."""
    shop = Shop()
    shop.payment.failing = lambda minute: 0.6 if minute in {120, 121, 122, 131, 132, 133} else 0.0
    shop.keep(store, START, MINUTES, project="flapping")
    (incident,) = found(store, "flapping")
    assert incident.started_at == at(120)
    assert incident.ended_at == at(134)


def test_a_gauge_that_shifted_is_told_with_the_incident(store: Store) -> None:
    """Of its services; and makes none by itself."""
    shop = Shop()
    fails(shop, store, "gauge")
    shop.keep(store, START, MINUTES, project="gauge")
    chance = np.random.default_rng(3)
    times = START + np.arange(4 * MINUTES) * MINUTE // 4
    shifted = (times >= START + BEGINS * MINUTE) & (times < START + ENDS * MINUTE)
    for service in ("payment", "search"):
        columns = {
            "TimeUnix": times,
            "MetricName": ["pool.waiting"] * len(times),
            "ServiceName": [service] * len(times),
            "Value": chance.normal(5, 1, len(times)) + 40 * shifted,
        }
        keep_rows(store, Signal.METRICS_GAUGE, columns, f"gauge-{service}", "gauge")
    (incident,) = found(store, "gauge", last=BEGINS + 4)
    assert [said for said in incident.signals if "pool.waiting" in said] == [
        said for said in incident.signals if said.startswith("pool.waiting of payment shifted: ")
    ]
    assert any("pool.waiting" in said for said in incident.signals)


def swing(minute: int) -> float:
    """Return traffic that doubles within two hours, as in the morning."""
    return 40 * (1 + 0.5 * math.sin(math.pi * (minute / MINUTES - 0.5)))


def test_quiet_traffic_raises_nothing(store: Store) -> None:
    """Hours of it: by chance, sparse, with errors and slow calls as always, swinging."""
    for seed, requests in enumerate((steadily(30), steadily(2), steadily(200), swing)):
        project = f"quiet-{seed}"
        shop = Shop(requests=requests)
        shop.payment.failing = steadily(0.03)
        shop.orders.milliseconds = steadily(3.0)
        shop.orders.serving = steadily(0.7)
        shop.keep(store, START, MINUTES, seed + 10, project)
        chance = np.random.default_rng(seed)
        logs(store, project, spread(chance, START, MINUTES, steadily(4)), "retry {} of 3", severity=WARNING)
        thrown = [("exception.type", "TimeoutError")]
        often = spread(chance, START, MINUTES, steadily(1))
        logs(store, project, often, "timed out after {} ms", LogAttributes=thrown)
        assert not found(store, project), project


def test_what_comes_every_hour_raises_nothing_any_more(store: Store) -> None:
    """A job that makes everything slow for two minutes, known since hours."""
    hours = 6
    start = NOON - hours * 60 * MINUTE
    shop = Shop(requests=steadily(20))
    shop.search.milliseconds = lambda minute: 90.0 if minute > 60 and minute % 60 in {10, 11} else 20.0
    shop.keep(store, start, hours * 60, project="hourly")
    view = store.of_project("hourly")
    assert detect(view, Window(start + 60 * MINUTE, start + 80 * MINUTE), QueryLimits()), "the first time"
    assert not detect(view, Window(NOON - 60 * MINUTE, NOON), QueryLimits())


def test_a_project_that_falls_silent_whole_is_not_in_trouble(store: Store) -> None:
    """It may be the network, or the night."""
    shop = Shop(requests=between(0, BEGINS, 30.0))
    shop.keep(store, START, MINUTES, project="asleep")
    assert not found(store, "asleep")


def test_little_is_not_judged(store: Store) -> None:
    """A few minutes of telemetry tell nothing of what is usual; neither does none."""
    shop = Shop()
    shop.payment.failing = between(5, 20, 0.9)
    shop.keep(store, START, 9, project="young")
    assert not found(store, "young")
    assert not found(store, "nobody")


def test_soon_after_the_first_minute_what_is_overwhelming_is_found(store: Store) -> None:
    """By ten minutes of telemetry."""
    shop = Shop()
    shop.payment.failing = between(9, 20, 0.9)
    shop.keep(store, START, 12, project="early")
    (incident,) = found(store, "early", last=10)
    assert incident.services == ("payment",)


def test_trouble_that_follows_another_one_is_told_by_itself(store: Store) -> None:
    """Of another service, one that the same caller suffers from, a minute after."""
    shop = Shop()
    shop.payment.failing = between(BEGINS, BEGINS + 3, 0.5)
    shop.checkout.failing = between(BEGINS, BEGINS + 3, 0.5)
    shop.gateway.failing = between(BEGINS, BEGINS + 3, 0.5)
    shop.search.parent = "gateway"
    shop.search.milliseconds = between(BEGINS + 4, ENDS, 100.0, 20.0)
    shop.gateway.milliseconds = between(BEGINS + 4, ENDS, 120.0, 40.0)
    shop.keep(store, START, MINUTES, project="follows")
    first, second = found(store, "follows")
    assert first.last_seen_at == at(BEGINS + 3)
    assert {"payment", "checkout"} <= set(first.services)
    assert "search" not in first.services
    assert "search" in second.services
    assert second.started_at == at(BEGINS + 4)


def test_the_jobs_own_records_are_no_signals(store: Store) -> None:
    """Else an incident would make another."""
    Shop().keep(store, START, MINUTES, project="own")
    times = spread(np.random.default_rng(1), START, MINUTES, between(BEGINS, ENDS, 20))
    logs(store, "own", times, "Incident {}", INSIGHTS_SERVICE)
    assert not found(store, "own")


def test_a_project_sees_its_own_trouble_alone(store: Store) -> None:
    """Another one's is not its own."""
    shop = Shop()
    Shop().keep(store, START, MINUTES, project="well")
    fails(shop, store, "ill")
    shop.keep(store, START, MINUTES, project="ill")
    assert found(store, "ill")
    assert not found(store, "well")


def test_names_may_be_anything(store: Store) -> None:
    """Quotes, braces, line breaks, SQL."""
    hostile = "x'); DROP TABLE otel_traces; -- {a:String} \\ \" \n é %s"
    shop = Shop()
    shop.payment.service = shop.payment.name = hostile
    shop.payment.failing = between(BEGINS, ENDS, 0.5)
    shop.keep(store, START, MINUTES, project="hostile")
    times = spread(np.random.default_rng(1), START, MINUTES, between(BEGINS, ENDS, 20))
    logs(store, "hostile", times, "{} " + hostile.replace("{a:String}", ""), hostile)
    (incident,) = found(store, "hostile", BEGINS, BEGINS + 4)
    assert hostile in incident.services
