"""Incidents that are kept, in both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from control_time import BEGINNING, Time
from glasshouse_collector.control.database import Database
from glasshouse_collector.control.feedback import Feedback, GivenFeedback
from glasshouse_collector.control.incidents import Incidents
from glasshouse_collector.core.incidents import Incident, Severity

CAUSE = {"service": "payment", "operation": "POST /charge", "kind": "exception", "reason": "It raises."}


def incident(number: int = 1, **changes: object) -> Incident:
    """Return one of the project shop that is open."""
    made = Incident(
        id=f"{number:012x}",
        project="shop",
        started_at=BEGINNING + timedelta(minutes=number),
        ended_at=None,
        last_seen_at=BEGINNING + timedelta(minutes=number + 2),
        status="open",
        severity=Severity.HIGH,
        title="errors in payment",
        services=("payment", 'checkout "é%_'),
        signals=("POST /charge fails",),
        answer={"root_causes": [CAUSE]},
        fingerprint="payment|exception|POST /charge",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def ended(number: int, **changes: object) -> Incident:
    """Return one that has ended after five minutes."""
    end = BEGINNING + timedelta(minutes=number + 5)
    return incident(number, **{"status": "resolved", "ended_at": end, **changes})


@pytest.fixture
def incidents(database: Database, time: Time) -> Incidents:
    """Return the incidents of the database."""
    return Incidents(database, time)


def test_one_is_found_as_it_was_kept_by_its_project_alone(incidents: Incidents) -> None:
    """Whole, and once."""
    assert incidents.add(incident())
    assert not incidents.add(incident(title="another with its id"))
    assert incidents.get("shop", incident().id) == incident()
    assert incidents.get("bank", incident().id) is None
    incidents.update(replace(incident(), project="bank", title="not theirs"))
    assert list(incidents.list("shop")) == [incident()]
    assert list(incidents.list("bank")) == []


def test_it_changes_as_it_goes_on(incidents: Incidents) -> None:
    """Until it ends."""
    incidents.add(incident())
    incidents.update(ended(1, services=("payment", "cart"), severity=Severity.CRITICAL))
    assert incidents.get("shop", incident().id) == ended(
        1, services=("payment", "cart"), severity=Severity.CRITICAL
    )
    assert list(incidents.list("shop", "open")) == []


def test_a_list_has_what_went_on_at_a_time(incidents: Incidents) -> None:
    """Those that started last first, a page after the other."""
    for each in (ended(1), ended(10), incident(20)):
        incidents.add(each)
    numbers = [int(each.id, 16) for each in incidents.list("shop")]
    assert numbers == [20, 10, 1]
    since, until = BEGINNING + timedelta(minutes=6), BEGINNING + timedelta(minutes=20)
    assert [int(each.id, 16) for each in incidents.list("shop", since=since, until=until)] == [10, 1]
    assert [int(each.id, 16) for each in incidents.list("shop", "resolved", limit=1)] == [10]
    after = (ended(10).started_at, ended(10).id)
    assert [int(each.id, 16) for each in incidents.list("shop", before=after)] == [1]


def test_a_list_is_of_a_service_by_its_whole_name(incidents: Incidents) -> None:
    """Whatever signs it has."""
    incidents.add(incident())
    assert incidents.list("shop", service='checkout "é%_')
    for name in ("pay", "%", "checkout", 'checkout "éxx', "payment\\"):
        assert not incidents.list("shop", service=name), name


def test_each_status_is_told_once(incidents: Incidents) -> None:
    """Also by the next one to do the job."""
    incidents.add(incident())
    assert [each.id for each in incidents.untold("shop")] == [incident().id]
    incidents.told(incident())
    assert not incidents.untold("shop")
    incidents.update(ended(1))
    (resolved,) = incidents.untold("shop")
    assert resolved.status == "resolved"
    incidents.told(resolved)
    assert not incidents.untold("shop")


def test_similar_ones_are_told_with_what_was_found_then(
    incidents: Incidents, database: Database, time: Time
) -> None:
    """By the user's word where there is one."""
    incidents.add(ended(1))
    incidents.add(ended(2, services=("payment",)))
    incidents.add(ended(3, services=("search",), fingerprint="search|slow_code|GET /"))
    incidents.add(incident(4))
    Feedback(database, time).add(
        "shop", GivenFeedback(rating=-1, incident_id=ended(1).id, correction="the bank's certificate")
    )
    found = incidents.similar("shop", ["payment", 'checkout "é%_'], "exception")
    assert [(int(past.incident.id, 16), past.found) for past in found] == [
        (1, "the bank's certificate"),
        (2, "exception in payment POST /charge: It raises."),
    ]
    assert [past.likeness for past in found] == [1.0, 0.9]
    assert not incidents.similar("bank", ["payment"], "exception")
    assert [
        int(past.incident.id, 16)
        for past in incidents.similar("shop", ["payment"], "exception", other_than=ended(2).id)
    ] == [1]


def test_those_that_ended_long_ago_are_forgotten(incidents: Incidents, time: Time) -> None:
    """After 400 days; one that is open never."""
    for each in (ended(1), incident(2)):
        incidents.add(each)
    time.passes(timedelta(days=401))
    incidents.add(incident(600_000))
    assert [int(each.id, 16) for each in incidents.list("shop")] == [600_000, 2]
