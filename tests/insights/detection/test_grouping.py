"""Signals that belong together become one incident, which grows and ends."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from glasshouse_collector.core.incidents import Incident, Severity
from glasshouse_collector.insights.detection.grouping import MOST_SIGNALS, Grouping, moment
from glasshouse_collector.insights.detection.signals import MINUTE, Signal, SignalKind

NOW = 29_000_000
CALLS = {("gateway", "checkout"), ("checkout", "payment"), ("checkout", "stock"), ("gateway", "search")}


def signal(service: str, minute: int = NOW, kind: SignalKind = SignalKind.ERRORS, **more: Any) -> Signal:
    """Return one that was strange for a minute."""
    numbers = {"surprise": 20.0, "before": 0.0, "after": 0.4, **more}
    name = numbers.pop("operation", "GET /")
    return Signal(kind, service, name, minute * MINUTE, (minute + 1) * MINUTE, **numbers)


def grouping(*known: Incident) -> Grouping:
    """Return the incidents of the shop."""
    return Grouping("shop", known, lambda _: CALLS)


def test_neighbours_and_those_with_one_between_them_belong_together() -> None:
    """Others do not."""
    group = grouping()
    group.absorb(NOW, [signal("payment"), signal("gateway"), signal("mail")])
    assert sorted(each.services for each in group.changed) == [("gateway", "payment"), ("mail",)]


def test_it_grows_and_never_doubles() -> None:
    """The beginning is the first one's, the severity the worst."""
    group = grouping()
    group.absorb(NOW, [signal("payment", kind=SignalKind.EXCEPTION)])
    (begun,) = group.changed
    assert begun.severity is Severity.MEDIUM
    group.absorb(NOW + 1, [signal("payment", NOW + 1, after=0.9), signal("checkout", NOW - 1)])
    (grown,) = group.changed
    assert grown.id == begun.id
    assert grown.services == ("payment", "checkout")
    assert grown.started_at == moment((NOW - 1) * MINUTE)
    assert grown.last_seen_at == moment((NOW + 2) * MINUTE)
    assert grown.severity is Severity.HIGH
    assert len(grown.signals) == 3


def test_it_ends_after_calm_minutes_when_it_was_last_seen() -> None:
    """And goes on where it comes again soon; later it is another one."""
    group = grouping()
    group.absorb(NOW, [signal("payment")])
    for minute in range(NOW + 1, NOW + 5):
        group.absorb(minute, [])
        assert group.changed[0].status == "open"
    group.absorb(NOW + 5, [])
    (ended,) = group.changed
    assert (ended.status, ended.ended_at) == ("resolved", moment((NOW + 1) * MINUTE))
    again = grouping(ended)
    again.absorb(NOW + 9, [signal("payment", NOW + 9)])
    (reopened,) = again.changed
    assert (reopened.id, reopened.status, reopened.ended_at) == (ended.id, "open", None)
    later = grouping(ended)
    later.absorb(NOW + 40, [signal("payment", NOW + 40)])
    (another,) = later.changed
    assert another.id != ended.id


def test_looking_again_at_what_is_over_changes_nothing() -> None:
    """After a restart."""
    group = grouping()
    group.absorb(NOW, [signal("payment")])
    group.absorb(NOW + 6, [])
    (ended,) = group.changed
    again = grouping(ended)
    again.absorb(NOW, [signal("payment")])
    assert not again.changed


def test_minutes_without_telemetry_end_nothing_for_half_an_hour() -> None:
    """Nobody knows whether it is over."""
    group = grouping()
    group.absorb(NOW, [signal("payment")])
    statuses: list[str] = []
    for minute in (NOW + 20, NOW + 31):
        group.pass_over(minute)
        statuses.append(group.changed[0].status)
    assert statuses == ["open", "resolved"]


def test_more_traffic_alone_is_no_incident() -> None:
    """With another signal of the service it is told."""
    group = grouping()
    busy = signal("payment", kind=SignalKind.TRAFFIC, operation="", before=10.0, after=90.0)
    group.absorb(NOW, [busy])
    assert not group.changed
    group.absorb(NOW + 1, [busy, signal("payment", NOW + 1)])
    (incident,) = group.changed
    assert "more requests to payment: 90 a minute, 10 before" in incident.signals


def test_a_new_warning_alone_is_no_incident() -> None:
    """A new error is."""
    group = grouping()
    told: dict[str, Any] = {"kind": SignalKind.LOG_PATTERN, "events": 30.0, "operation": "pool <*> is full"}
    group.absorb(NOW, [signal("payment", **told)])
    assert not group.changed
    group.absorb(NOW + 1, [signal("payment", NOW + 1, severe=True, **told)])
    (incident,) = group.changed
    assert incident.severity is Severity.MEDIUM
    assert incident.signals == ("“pool <*> is full” logged by payment: 30 in a few minutes, new",)


def test_the_same_signal_is_told_once_and_not_too_many() -> None:
    """Its numbers are those of when it was found."""
    group = grouping()
    for minute in range(3):
        many = [signal("payment", NOW + minute, operation=f"GET /{each}") for each in range(30)]
        group.absorb(NOW + minute, many)
    (incident,) = group.changed
    assert len(incident.signals) == MOST_SIGNALS == len(set(incident.signals))
    assert incident.last_seen_at - incident.started_at == timedelta(minutes=3)


def test_whoever_finds_it_gives_it_the_same_id() -> None:
    """Two collectors that look at once make one incident; of another project it is another."""
    first, second, other = grouping(), grouping(), Grouping("bank", (), lambda _: CALLS)
    for group in (first, second, other):
        group.absorb(NOW, [signal("payment")])
    assert first.changed == second.changed
    assert other.changed[0].id != first.changed[0].id


def test_what_begins_after_another_trouble_is_over_is_one_of_its_own() -> None:
    """Also where the same service calls both, and suffers from both."""
    group = grouping()
    for minute in (NOW, NOW + 1, NOW + 2):
        group.absorb(minute, [signal("payment", minute), signal("checkout", minute)])
    for minute in (NOW + 4, NOW + 5):
        slow: dict[str, Any] = {"kind": SignalKind.SLOW, "after": 0.9}
        group.absorb(minute, [signal("stock", minute, **slow), signal("checkout", minute, **slow)])
    first, second = group.changed
    assert set(first.services) == {"payment", "checkout"}
    assert first.last_seen_at == moment((NOW + 3) * MINUTE)
    assert set(second.services) == {"stock", "checkout"}
    assert second.started_at == moment((NOW + 4) * MINUTE)
    group.absorb(NOW + 8, [])
    assert [each.status for each in group.changed] == ["resolved", "open"]


def test_what_begins_much_later_elsewhere_is_another_one_while_the_first_goes_on() -> None:
    """What it fails by is not called by what failed first; with more requests it may come from that."""
    for busier in (False, True):
        group = grouping()
        for minute in range(NOW, NOW + 6):
            group.absorb(minute, [signal("payment", minute), signal("checkout", minute)])
        more = [signal("stock", NOW + 6, kind=SignalKind.TRAFFIC, operation="")] if busier else []
        now = [signal(name, NOW + 6) for name in ("payment", "checkout", "stock")]
        group.absorb(NOW + 6, [*now, *more])
        found = [set(each.services) for each in group.changed]
        assert found == (
            [{"payment", "checkout", "stock"}] if busier else [{"payment", "checkout"}, {"stock"}]
        )


def test_a_cause_that_shows_after_its_effect_is_of_the_same_incident() -> None:
    """Callers have more calls, and are noticed first."""
    group = grouping()
    group.absorb(NOW, [signal("gateway", NOW)])
    group.absorb(NOW + 1, [signal("gateway", NOW + 1), signal("payment", NOW + 1, before=0.1)])
    group.absorb(NOW + 2, [signal("gateway", NOW + 2), signal("payment", NOW)])
    (incident,) = group.changed
    assert set(incident.services) == {"gateway", "payment"}


def test_signals_are_named_as_people_say_it() -> None:
    """Titles of incidents are made of them."""
    kinds = {kind: signal("payment", kind=kind, operation="Thing").what for kind in SignalKind}
    assert kinds == {
        SignalKind.ERRORS: "errors in payment Thing",
        SignalKind.SLOW: "slow calls of payment Thing",
        SignalKind.SLOWEST: "a slow tail of payment Thing",
        SignalKind.SILENT: "payment is silent",
        SignalKind.MISSING_CALLS: "calls missing in payment: Thing",
        SignalKind.MORE_CALLS: "more calls a request in payment: Thing",
        SignalKind.TRAFFIC: "more requests to payment",
        SignalKind.EXCEPTION: "Thing in payment",
        SignalKind.LOG_PATTERN: "“Thing” logged by payment",
        SignalKind.METRIC: "Thing of payment shifted",
    }


def test_what_was_strange_in_minutes_before_explains_nothing_new() -> None:
    """It is judged for three minutes, however short it was."""
    group = grouping()
    for minute in (NOW, NOW + 1, NOW + 2):
        group.absorb(minute, [signal("payment", minute), signal("gateway", minute)])
    slow: dict[str, Any] = {"kind": SignalKind.SLOW, "after": 0.9}
    late = [signal("search", NOW + 4, **slow), signal("gateway", NOW + 4, **slow)]
    group.absorb(NOW + 4, [signal("payment", NOW + 2), signal("gateway", NOW + 2), *late])
    first, second = group.changed
    assert first.last_seen_at == moment((NOW + 3) * MINUTE)
    assert set(second.services) == {"search", "gateway"}


def test_a_caller_that_fails_all_the_time_does_not_make_two_troubles_one() -> None:
    """It fails by the one first, then by the other, which began later."""
    group = grouping()
    for minute in range(NOW, NOW + 5):
        group.absorb(minute, [signal("payment", minute), signal("checkout", minute)])
    since_then = replace(signal("checkout", NOW + 5), since=NOW * MINUTE)
    group.absorb(NOW + 5, [signal("stock", NOW + 5), since_then])
    first, second = group.changed
    assert first.last_seen_at == second.started_at == moment((NOW + 5) * MINUTE)
    assert set(second.services) == {"stock", "checkout"}
