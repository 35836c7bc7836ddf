"""Incidents and feedback by API: a project's own, found again, and used."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from controlled_api import ControlledApi, controlled_api
from glasshouse_collector.api import create_app
from glasshouse_collector.control.feedback import Feedback
from glasshouse_collector.control.incidents import Incidents
from glasshouse_collector.core.access import Scope
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.incidents import Incident, Severity
from glasshouse_collector.insights.answer import answer_of
from glasshouse_collector.insights.findings import (
    Analysis,
    Evidence,
    EvidenceKind,
    FaultKind,
    PathStep,
    RootCause,
)
from glasshouse_collector.insights.priors import priors_of
from glasshouse_collector.insights.windows import SECOND, Question, Window

NOW = datetime.now(UTC).replace(microsecond=123_456)
MINUTE = timedelta(minutes=1)
START = int(NOW.timestamp()) * SECOND
CAUSE = RootCause(
    service="payment",
    operation="POST /pay",
    kind=FaultKind.SLOW_CODE,
    score=4.5,
    confidence=0.9,
    reason="its own time rose",
    evidence=(
        Evidence(
            EvidenceKind.OWN_TIME,
            "own time of POST /pay 12 ms -> 380 ms in 214 of 220 calls",
            3.5,
            "payment",
            "POST /pay",
            12.0,
            float("nan"),
            "ms",
            START,
            START + SECOND,
            ("ab" * 16,),
            ("1a.x.0",),
        ),
    ),
    path=(PathStep("payment", "POST /pay", "slow"), PathStep("gateway", "POST /orders", "waits")),
    start=START,
)
ANALYSIS = Analysis(
    question=Question(Window(START, START + 60 * SECOND), (Window(START - 60 * SECOND, START),)),
    root_causes=(CAUSE,),
    symptoms=(PathStep("gateway", "POST /orders", "p95 30 ms -> 400 ms"),),
    traces=220,
    spans=2000,
    log_records=10,
    one_in=1,
    notes=("no metrics in the window",),
)


def before(minutes: float) -> str:
    """Return the time so many minutes ago, as a question has it."""
    return f"{(NOW - minutes * MINUTE).replace(tzinfo=None).isoformat()}Z"


def incident(number: int, **changed: Any) -> Incident:
    """Return an incident that began so many minutes ago."""
    made = Incident(
        id=f"{number:012x}",
        project="shop",
        started_at=NOW - number * MINUTE,
        ended_at=NOW - (number - 1) * MINUTE,
        last_seen_at=NOW - (number - 1) * MINUTE,
        status="resolved",
        severity=Severity.HIGH,
        title=f"payment is slow ({number})",
        services=("payment", "gateway"),
        signals=("p95 of payment POST /pay 12 ms -> 380 ms",),
        answer=answer_of(ANALYSIS),
        fingerprint="payment|slow_code|POST /pay",
    )
    return replace(made, **changed)


@pytest.fixture
def api(shared_services: Services, shared_app: FastAPI, tmp_path: Path) -> Iterator[ControlledApi]:
    """Serve an API with incidents of two projects."""
    url = f"sqlite:///{tmp_path / 'control.db'}"
    with controlled_api(shared_services, url, app=shared_app) as served:
        for name in ("shop", "bank"):
            served.projects.create(name)
        kept = shared_services.get(Incidents)
        for number in range(1, 8):
            assert kept.add(incident(number))
        assert kept.add(incident(9, status="open", ended_at=None, services=('it\'s "cart"%',), answer={}))
        assert kept.add(incident(10, project="bank", id="b" * 12))
        yield served


@pytest.fixture
def key(api: ControlledApi) -> str:
    """Return a key that reads the project `shop`."""
    return api.key("shop", Scope.READ)


def listed(answer: httpx.Response) -> list[str]:
    """Return the numbers of the incidents of an answer."""
    assert answer.status_code == 200, answer.text
    return [f"{int(each['id'], 16)}" for each in answer.json()["incidents"]]


def test_incidents_are_listed_the_latest_first(api: ControlledApi, key: str) -> None:
    """Of the key's project alone, with all that a list needs."""
    answer = api.ask("GET", "/incidents", key)
    assert listed(answer) == ["1", "2", "3", "4", "5", "6", "7", "9"]
    first = answer.json()["incidents"][0]
    assert {name: first[name] for name in ("status", "severity", "services", "title")} == {
        "status": "resolved",
        "severity": "high",
        "services": ["payment", "gateway"],
        "title": "payment is slow (1)",
    }
    assert datetime.fromisoformat(first["start_time"]) == NOW - MINUTE
    assert answer.json()["next_cursor"] is None
    assert listed(api.ask("GET", "/incidents", api.key("bank", Scope.READ))) == [f"{0xBBBBBBBBBBBB}"]


@pytest.mark.parametrize(
    ("asked", "minutes", "found"),
    [
        ("status=open", (60, 0), ["9"]),
        ("status=resolved&limit=2", (60, 0), ["1", "2"]),
        ("service_name=payment", (2.5, 0), ["1", "2", "3"]),
        ("service_name=pay", (60, 0), []),
        ("service_name=it's%20%22cart%22%25", (60, 0), ["9"]),
        ("limit=50", (60, 5.5), ["6", "7", "9"]),
        ("limit=50", (60, 30), []),
    ],
)
def test_incidents_are_found(
    api: ControlledApi, key: str, asked: str, minutes: tuple[float, float], found: list[str]
) -> None:
    """By status, by a service's whole name, and by when they went on."""
    since, until = map(before, minutes)
    assert listed(api.ask("GET", f"/incidents?{asked}&start_time={since}&end_time={until}", key)) == found


def test_pages_hold_every_incident_once(api: ControlledApi, key: str, shared_services: Services) -> None:
    """Also those that began at one time; the cursor belongs to its question."""
    for number in range(20, 25):
        shared_services.get(Incidents).add(incident(number, started_at=NOW - 3 * MINUTE, ended_at=NOW))
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        answer = api.ask("GET", f"/incidents?limit=3&start_time=now-1d&cursor={cursor}", key)
        found += listed(answer)
        cursor = answer.json()["next_cursor"]
    assert found == ["1", "2", "24", "23", "22", "21", "20", "3", "4", "5", "6", "7", "9"]
    cursor = api.ask("GET", "/incidents?limit=3", key).json()["next_cursor"]
    other = api.ask("GET", f"/incidents?status=open&cursor={cursor}", key)
    assert (other.status_code, other.json()["detail"][:28]) == (400, "cursor: it belongs to a ques")


def test_an_incident_is_read_with_its_analysis(api: ControlledApi, key: str) -> None:
    """As POST /insights/analyze answers it; a number that is none is null. What users said stands beside."""
    api.ask("POST", "/insights/feedback", key, {"rating": 1, "incident_id": f"{1:012x}"})
    told = api.ask("GET", f"/incidents/{1:012x}", key).json()
    [cause] = told["analysis"]["root_causes"]
    assert (cause["service"], cause["kind"], cause["confidence"]) == ("payment", "slow_code", 0.9)
    assert (cause["evidence"][0]["before"], cause["evidence"][0]["after"]) == (12.0, None)
    assert [step["service"] for step in cause["path"]] == ["payment", "gateway"]
    assert told["analysis"]["notes"] == ["no metrics in the window"]
    assert [each["rating"] for each in told["feedback"]] == [1]
    assert api.ask("GET", f"/incidents/{9:012x}", key).json()["analysis"] is None


def test_what_is_another_projects_is_not_there(api: ControlledApi, key: str) -> None:
    """To read, or to say something of."""
    assert api.ask("GET", f"/incidents/{'b' * 12}", key).status_code == 404
    said = api.ask("POST", "/insights/feedback", key, {"rating": 1, "incident_id": "b" * 12})
    assert (said.status_code, said.json()["detail"]) == (404, f"there is no incident {'b' * 12}")
    assert api.ask("GET", "/incidents?project=bank", key).status_code == 403


def test_incidents_are_exported(api: ControlledApi, key: str) -> None:
    """A row each."""
    rows = list(csv.DictReader(io.StringIO(api.ask("GET", "/incidents?format=csv", key).text)))
    assert len(rows) == 8
    assert rows[0]["services"] == '["payment","gateway"]'


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("/incidents?status=closed", "status: "),
        ("/incidents?limit=1001", "limit: "),
        ("/incidents?service_name=%00", "service_name: "),
        ("/incidents?cursor=W10", "cursor: the next_cursor of an earlier answer is expected"),
        ("/incidents/xyz", "incident_id: "),
        ("/incidents?project=*", "project: "),
        ("/insights/feedback?incident_id=1", "incident_id: "),
        ("/insights/feedback?cursor=WzEsIngiXQ", "cursor: it belongs to a question"),
    ],
)
def test_wrong_parameters_are_named(api: ControlledApi, asked: str, why: str) -> None:
    """In a line that begins with the parameter."""
    answer = api.ask("GET", asked, api.key("_self", Scope.ADMIN))
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(why)


def test_feedback_is_kept_and_listed(api: ControlledApi, key: str) -> None:
    """As project-monitor takes it; of the project alone, the latest first, page by page."""
    seeds = {"rating": 1, "lookback_minutes": 60, "correction": "Root cause was actually a deploy"}
    made = api.ask("POST", "/insights/feedback", key, seeds)
    assert made.status_code == 201
    assert made.json().items() >= {**seeds, "incident_id": None, "service": "", "kind": ""}.items()
    for number in range(1, 4):
        body = {"rating": -1, "incident_id": f"{number:012x}", "service": "cart", "kind": "bad_release"}
        assert api.ask("POST", "/insights/feedback", key, body).status_code == 201
    said = api.ask("GET", "/insights/feedback?limit=3", key).json()
    assert [each["incident_id"] for each in said["feedback"]] == [f"{number:012x}" for number in (3, 2, 1)]
    rest = api.ask("GET", f"/insights/feedback?limit=3&cursor={said['next_cursor']}", key).json()
    assert [each["lookback_minutes"] for each in rest["feedback"]] == [60]
    assert rest["next_cursor"] is None
    one = api.ask("GET", f"/insights/feedback?incident_id={2:012x}", key).json()
    assert len(one["feedback"]) == 1
    assert api.ask("GET", "/insights/feedback", api.key("bank", Scope.READ)).json()["feedback"] == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, "rating: a value is needed"),
        ({"rating": 0}, "rating: "),
        ({"rating": 1, "lookback_minutes": 4}, "lookback_minutes: "),
        ({"rating": 1, "lookback_minutes": 1441}, "lookback_minutes: "),
        ({"rating": 1, "incident_id": "'; DROP TABLE incidents; --"}, "incident_id: "),
        ({"rating": 1, "correction": "x" * 2001}, "correction: "),
        ({"rating": 1, "correction": "a\x00b"}, "correction: "),
        ({"rating": 1, "service": "\ud800"}, "service: "),
        ({"rating": 1, "kind": "gremlins"}, "kind: "),
        ({"rating": 1, "comment": "x"}, "comment: "),
    ],
)
def test_wrong_feedback_is_refused(api: ControlledApi, key: str, body: dict[str, Any], why: str) -> None:
    """With the field and what would be right."""
    answer = api.ask("POST", "/insights/feedback", key, body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(why)
    assert api.ask("GET", "/insights/feedback", key).json()["feedback"] == []


def test_what_users_say_moves_the_ranking_a_little(
    api: ControlledApi, key: str, shared_services: Services
) -> None:
    """What they name or confirm up, what they reject down, bounded, and of their project alone."""
    feedback = shared_services.get(Feedback)
    found, named = ("payment", FaultKind.SLOW_CODE), ("cart", FaultKind.BAD_RELEASE)
    assert priors_of(feedback, "shop") == {}
    body = {"rating": -1, "incident_id": f"{1:012x}", "service": "cart", "kind": "bad_release"}
    api.ask("POST", "/insights/feedback", key, body)
    assert priors_of(feedback, "shop") == {found: pytest.approx(0.95), named: pytest.approx(1.05)}
    confirmed = {"rating": 1, "incident_id": f"{2:012x}"}
    for _ in range(3):
        api.ask("POST", "/insights/feedback", key, confirmed)
    assert priors_of(feedback, "shop")[found] > 1
    for _ in range(60):
        api.ask("POST", "/insights/feedback", key, body)
    priors = priors_of(feedback, "shop")
    assert 0.75 < priors[found] < 0.8
    assert 1.2 < priors[named] < 1.25
    assert priors_of(feedback, "bank") == {}


def test_the_kind_alone_is_of_the_service_that_was_found(
    api: ControlledApi, key: str, shared_services: Services
) -> None:
    """Who says it was a release means the release of the suspect; without an incident nothing is meant."""
    api.ask("POST", "/insights/feedback", key, {"rating": -1, "lookback_minutes": 60, "kind": "overload"})
    assert priors_of(shared_services.get(Feedback), "shop") == {}
    body = {"rating": -1, "incident_id": f"{1:012x}", "kind": "overload"}
    api.ask("POST", "/insights/feedback", key, body)
    assert priors_of(shared_services.get(Feedback), "shop").keys() == {
        ("payment", FaultKind.OVERLOAD),
        ("payment", FaultKind.SLOW_CODE),
    }


def test_without_a_database_it_is_said(services: Services, serve: Callable[[FastAPI], httpx.Client]) -> None:
    """503, to come again: it may only be slow to connect."""
    client = serve(create_app(services))
    for path in ("/incidents", f"/incidents/{1:012x}", "/insights/feedback"):
        answer = client.get(f"/api/v1{path}")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "the database of incidents and feedback is not connected yet" in answer.json()["detail"]
