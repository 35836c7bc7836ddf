"""Insights by API: what broke in real records is named with evidence, and where nothing did, nothing is."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from controlled_api import ControlledApi, controlled_api
from glasshouse_collector.api import ApiConfig, create_app
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.control.incidents import Incidents
from glasshouse_collector.core.access import Scope
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.incidents import Incident, Severity
from glasshouse_collector.insights.settings import InsightsConfig
from glasshouse_collector.store import Store
from model_server import completion, in_turn, model_server
from told_minutes import MINUTE, NOW, Minutes, keep_minutes

FAILING = 6
PROJECTS = {
    "broken": Minutes(100, failing=FAILING),
    "calm": Minutes(100),
    "young": Minutes(4, failing=2),
    "kept": Minutes(100, failing=FAILING),
    "fresh": Minutes(14, failing=3),
    "fresh-calm": Minutes(14),
}
BEGAN = datetime.fromtimestamp(NOW // 10**9, UTC) - timedelta(minutes=FAILING)


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    """Keep the minutes of each project."""
    for project, minutes in PROJECTS.items():
        keep_minutes(store, project, minutes)
    return store


@pytest.fixture
def api(services: Services, filled: Store, tmp_path: Path) -> Iterator[ControlledApi]:
    """Serve an API with the projects."""
    services.provide(Store, filled)
    with controlled_api(services, f"sqlite:///{tmp_path / 'control.db'}") as served:
        for name in (*PROJECTS, "empty"):
            served.projects.create(name)
        yield served


def insights(api: ControlledApi, project: str, asked: str = "") -> dict[str, Any]:
    """Return what is said of the last minutes."""
    answer = api.ask("GET", f"/insights{asked}", api.key(project, Scope.READ))
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def window(first: int, last: int) -> tuple[str, str]:
    """Return the times so many minutes before now."""
    return rfc3339(NOW - first * MINUTE), rfc3339(NOW - last * MINUTE)


def test_what_broke_is_named_with_evidence(api: ControlledApi) -> None:
    """Where, since when and why, though no incident was kept; traces that show it can be read."""
    told = insights(api, "broken")
    cause = told["root_causes"][0]
    assert (cause["service"], cause["operation"], cause["kind"]) == ("payment", "POST /pay", "exception")
    assert told["confidence"] == cause["confidence"] > 0.5
    assert "payment" in told["root_cause"]
    assert told["suggestion"]
    assert told["source"] == "rules"
    incident = told["incidents"][0]
    assert incident["id"] == ""
    assert "payment" in incident["services"]
    assert abs(datetime.fromisoformat(incident["start_time"]) - BEGAN) <= timedelta(minutes=1)
    assert datetime.fromisoformat(told["analyzed"]["start_time"]) <= BEGAN
    groups = {(group["service"], group["type"]): group["count"] for group in told["error_groups"]}
    assert groups["payment", "CardDeclined"] > 0
    assert any(moment["service"] == "payment" for moment in told["timeline"])
    evidence = next(each for each in cause["evidence"] if each["trace_ids"])
    trace = api.ask("GET", f"/traces/{evidence['trace_ids'][0]}", api.key("broken", Scope.READ)).json()
    assert "payment" in trace["services"]
    assert cause["path"][0]["service"] == "payment"


def test_where_nothing_is_wrong_it_says_so(api: ControlledApi) -> None:
    """And names no cause."""
    told = insights(api, "calm")
    assert told["incident_summary"] == "Nothing unusual was found in the last hour."
    assert (told["root_cause"], told["suggestion"], told["root_causes"]) == ("", "", [])
    assert (told["incidents"], told["analyzed"], told["confidence"]) == ([], None, 0)
    assert told["notes"] == []


def test_little_history_is_told(api: ControlledApi) -> None:
    """What fails is said all the same, with the reason why it may be usual."""
    told = insights(api, "young")
    assert told["root_causes"][0]["service"] == "payment"
    assert any("4 minutes of telemetry only" in note for note in told["notes"])


def test_a_fault_minutes_after_the_first_telemetry_is_found(api: ControlledApi) -> None:
    """Before the job can tell: compared with the minutes before, not taken for usual."""
    told = insights(api, "fresh", "?lookback_minutes=30")
    cause = told["root_causes"][0]
    assert (cause["service"], cause["kind"]) == ("payment", "exception")
    assert told["confidence"] == cause["confidence"] > 0.3
    assert "payment" in told["incident_summary"]
    if not told["incidents"]:
        assert told["analyzed"]["start_time"] == window(3, 0)[0]
        assert "14 minutes of telemetry only" in told["notes"][0]
    assert told["baselines"]


def test_little_telemetry_without_a_fault_is_not_called_usual(api: ControlledApi) -> None:
    """What was compared is told, and that it is little."""
    told = insights(api, "fresh-calm")
    assert told["incident_summary"] == (
        "Nothing stands out in the last hour, but there is little telemetry to compare with."
    )
    assert (told["root_cause"], told["suggestion"], told["root_causes"]) == ("", "", [])
    assert told["analyzed"]["start_time"] == window(5, 0)[0]
    assert told["notes"][0].startswith("there are 14 minutes of telemetry only: the last 5 of them")


def test_where_there_is_no_telemetry_it_says_that(api: ControlledApi) -> None:
    """Not that all was well."""
    told = insights(api, "empty", "?lookback_minutes=1440")
    assert told["incident_summary"] == "There was no telemetry in the last day."
    assert (told["root_cause"], told["suggestion"], told["analyzed"]) == ("", "", None)


def test_a_kept_incident_is_explained_with_earlier_ones(api: ControlledApi, services: Services) -> None:
    """The worst of the time, and what a user said was the cause of one like it."""
    key = api.key("kept", Scope.READ)
    kept = services.get(Incidents)
    open_one = Incident(
        id="a" * 12,
        project="kept",
        started_at=BEGAN,
        ended_at=None,
        last_seen_at=BEGAN + timedelta(minutes=FAILING),
        status="open",
        severity=Severity.CRITICAL,
        title="errors in payment POST /pay",
        services=("payment", "checkout", "gateway"),
        signals=("errors in payment POST /pay: 100.0% of calls fail, 0.0% before",),
        fingerprint="payment|exception|POST /pay",
    )
    kept.add(open_one)
    kept.add(replace(open_one, id="c" * 12, severity=Severity.LOW, title="slow: cart"))
    long_ago = BEGAN - timedelta(days=9)
    kept.add(replace(open_one, id="b" * 12, status="resolved", started_at=long_ago, ended_at=long_ago))
    said = {"rating": -1, "incident_id": "b" * 12, "correction": "The bank's sandbox was down"}
    assert api.ask("POST", "/insights/feedback", key, said).status_code == 201
    told = insights(api, "kept")
    assert [each["id"] for each in told["incidents"]] == ["a" * 12, "c" * 12]
    assert told["root_causes"][0]["service"] == "payment"
    [similar] = told["similar_incidents"]
    assert (similar["id"], similar["found"]) == ("b" * 12, "The bank's sandbox was down")
    # Asked about its minutes alone, those before it are not part of it.
    assert insights(api, "kept", "?lookback_minutes=5")["incidents"][0]["id"] == "a" * 12


def test_a_window_is_analysed(api: ControlledApi) -> None:
    """Against the baseline that is named, several, or times that are chosen."""
    key = api.key("broken", Scope.READ)
    start, end = window(FAILING, 0)
    before, until = window(30, 10)
    several = [dict(zip(("start", "end"), window(60, 50), strict=True)), {"start": before, "end": until}]
    for baseline in (
        {"baseline_start": before, "baseline_end": until},
        {"baselines": several},
        {},
    ):
        answer = api.ask("POST", "/insights/analyze", key, {"start": start, "end": end, **baseline})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        cause = told["root_causes"][0]
        assert (cause["service"], cause["kind"]) == ("payment", "exception")
        assert cause["evidence"]
        assert (told["start_time"], told["end_time"]) == (start, end)
        assert told["traces"] == FAILING * 20
        assert told["spans"] == 3 * told["traces"]
        assert told["baselines"]
    others = api.ask(
        "POST", "/insights/analyze", key, {"start": start, "end": end, "services": ["gateway"]}
    ).json()
    assert {each["service"] for each in others["root_causes"]} <= {"gateway"}


def test_a_service_that_sent_nothing_is_refused(api: ControlledApi) -> None:
    """With those that did: nothing would be found of it, and no feedback would count."""
    key = api.key("calm", Scope.READ)
    start, end = window(FAILING, 0)
    known = "no service 'paiment' sent anything; checkout, gateway, payment did"
    body = {"start": start, "end": end, "services": ["payment", "paiment"]}
    refused = api.ask("POST", "/insights/analyze", key, body)
    assert (refused.status_code, refused.json()["detail"]) == (400, f"services: {known}")
    said = {"rating": -1, "lookback_minutes": 60, "service": "paiment", "kind": "bad_release"}
    refused = api.ask("POST", "/insights/feedback", key, said)
    assert (refused.status_code, refused.json()["detail"]) == (400, f"service: {known}")
    assert api.ask("POST", "/insights/feedback", key, {**said, "service": "payment"}).status_code == 201


def test_a_project_sees_its_own(api: ControlledApi) -> None:
    """What is broken elsewhere is nothing to it."""
    start, end = window(FAILING, 0)
    body = {"start": start, "end": end, "baseline_start": window(30, 0)[0], "baseline_end": start}
    told = api.ask("POST", "/insights/analyze", api.key("calm", Scope.READ), body).json()
    assert told["traces"] == FAILING * 20
    assert not any(cause["confidence"] > 0.5 for cause in told["root_causes"])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"start": "now-1h"}, "end: a value is needed"),
        ({"start": "yesterday", "end": "now"}, "start: 'yesterday' is no time"),
        ({"start": "now", "end": "now-1h"}, "end: a time after start is expected"),
        ({"start": "now-2d", "end": "now"}, "end: a time at most 24 hours after start is expected"),
        ({"start": "now-1h", "end": "now", "baseline_start": "now-2h"}, "baseline_end: a time is expected"),
        (
            {"start": "now-1h", "end": "now", "baseline_start": "now-2h", "baseline_end": "now-30m"},
            "baseline_start: a time outside of the incident's start and end is expected",
        ),
        (
            {"start": "now-1h", "end": "now", "baselines": [{"start": "now-1d", "end": "now-1d"}]},
            "baselines.0.end: a time after baselines.0.start is expected",
        ),
        (
            {
                "start": "now-1h",
                "end": "now",
                "baselines": [{"start": "now-9h", "end": "now-8h"}, {"start": "now-10h", "end": "now-8h"}],
            },
            "baselines.1.start: baselines that do not overlap are expected",
        ),
        (
            {
                "start": "now-1h",
                "end": "now",
                "baseline_start": "now-3h",
                "baseline_end": "now-2h",
                "baselines": [{"start": "now-9h", "end": "now-8h"}],
            },
            "baselines: either these, or baseline_start and baseline_end, are expected",
        ),
        ({"start": "now-1h", "end": "now", "service": ["x"]}, "service: "),
        ({"start": "now-1h", "end": "now", "services": ["x"] * 21}, "services: "),
        ({"start": "9" * 65, "end": "now"}, "start: "),
    ],
)
def test_a_wrong_window_is_refused(api: ControlledApi, body: dict[str, Any], why: str) -> None:
    """With the field, and what would be right."""
    answer = api.ask("POST", "/insights/analyze", api.key("calm", Scope.READ), body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(why)


@pytest.mark.parametrize("minutes", ["4", "1441", "x", "-1", "1e3"])
def test_a_wrong_lookback_is_refused(api: ControlledApi, minutes: str) -> None:
    """From 5 minutes to a day."""
    answer = api.ask("GET", f"/insights?lookback_minutes={minutes}", api.key("calm", Scope.READ))
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("lookback_minutes: ")


def test_a_window_without_records_has_no_cause(api: ControlledApi) -> None:
    """And says that nothing was there."""
    body = {"start": "2020-01-01T00:00:00Z", "end": "2020-01-01T01:00:00Z"}
    told = api.ask("POST", "/insights/analyze", api.key("calm", Scope.READ), body).json()
    assert (told["root_causes"], told["traces"], told["spans"]) == ([], 0, 0)
    assert told["notes"]


def test_a_model_that_fails_leaves_the_rules_answer(api: ControlledApi, services: Services) -> None:
    """With the reason; one that answers well words it."""
    with model_server(in_turn(completion("nonsense"))) as server:
        llm = {"base_url": server.url, "model": "tiny"}
        services.provide(InsightsConfig, InsightsConfig.model_validate({"llm": llm}))
        told = insights(api, "broken")
        assert (told["source"], told["root_causes"][0]["service"]) == ("rules", "payment")
        assert told["fallback_reason"]
        assert server.asked
        count = len(server.asked)
        assert insights(api, "calm")["fallback_reason"] == ""
        assert len(server.asked) == count  # there is nothing to word


def test_everybodys_projects_are_one_for_who_sees_them(api: ControlledApi) -> None:
    """Without incidents, which are one project's."""
    answer = api.ask("GET", "/insights?project=*&lookback_minutes=5", api.key("_self", Scope.ADMIN))
    assert answer.status_code == 200, answer.text


def test_the_limit_of_rows_is_one_of_rows_that_are_shown(
    services: Services, filled: Store, serve: Callable[[FastAPI], httpx.Client]
) -> None:
    """An analysis reads many more than a user may ask for, and answers all the same."""
    services.provide(Store, filled)
    client = serve(create_app(services, ApiConfig(query_rows=100)))
    start, end = window(FAILING, 0)
    body = {"start": start, "end": end}
    answer = client.post("/api/v1/insights/analyze", params={"project": "broken"}, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["root_causes"][0]["service"] == "payment"
    trace = answer.json()["root_causes"][0]["evidence"][0]["trace_ids"][0]
    told = client.get(f"/api/v1/traces/{trace}/explain", params={"project": "broken"}).json()
    assert (told["findings"][0]["service"], told["compared"]) == ("payment", True)
