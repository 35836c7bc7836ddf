"""Alertmanager's notifications, from the webhook to the list of alerts, over a real socket and store."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from alert_notifications import alert, listed, notification, tell


@pytest.fixture
def mark() -> str:
    """Return a fingerprint of the test's own: the module's tests share a store."""
    return os.urandom(8).hex()


def only(client: httpx.Client, mark: str) -> dict[str, Any]:
    """Return the one alert of that fingerprint."""
    [found] = [each for each in listed(client, limit=1000) if each["fingerprint"] == mark]
    return found


def test_an_alert_fires_and_resolves(api: httpx.Client, mark: str) -> None:
    """What was told is listed with its times, labels and links; the end takes the place of the start."""
    answer = tell(api, notification(alert(fingerprint=mark)))
    assert (answer.status_code, answer.json()) == (200, {"alerts": 1})
    firing = only(api, mark)
    assert firing["status"] == "firing"
    assert (firing["name"], firing["severity"], firing["service"]) == ("HighErrorRate", "critical", "payment")
    assert (firing["starts_at"], firing["ends_at"]) == ("2026-11-21T12:00:00.123456Z", None)
    assert firing["group_labels"] == {"alertname": "HighErrorRate"}
    assert firing["annotations"]["summary"] == "payment fails"
    assert firing["links"]["rule"] == "http://127.0.0.1:9090/graph?g0.expr=up"
    assert firing["links"]["runbook"] == "docs/runbooks/high-error-rate.md"
    assert firing["links"]["silence"].startswith(
        "http://127.0.0.1:9093/#/silences/new?filter=%7Balertname%3D"
    )

    tell(api, notification(alert(fingerprint=mark, status="resolved")))
    resolved = only(api, mark)
    assert (resolved["status"], resolved["ends_at"]) == ("resolved", "2026-11-21T12:10:00.000000Z")
    assert resolved["duration_seconds"] == pytest.approx(599.876544)


def test_a_notification_told_again_is_kept_once(api: httpx.Client, mark: str) -> None:
    """Retries and repeats, several at once, leave one row an alert and status."""
    body = notification(alert(fingerprint=mark))
    with ThreadPoolExecutor(8) as tellers:
        answers = list(tellers.map(lambda _: tell(api, body).status_code, range(16)))
    assert set(answers) == {200}
    assert only(api, mark)["status"] == "firing"
    kept = api.post(
        "/api/v1/sql",
        json={
            "query": "SELECT count() FROM glasshouse_alerts FINAL WHERE Fingerprint = {mark:String}",
            "parameters": {"mark": mark},
        },
    )
    assert kept.json()["rows"] == [["1"]]


def test_an_alert_that_fires_again_is_another(api: httpx.Client, mark: str) -> None:
    """The same labels at another time are listed twice, the later first."""
    later = alert(fingerprint=mark, startsAt="2026-11-21T14:00:00+02:00")
    tell(
        api, notification(alert(fingerprint=mark, startsAt="2026-11-21T11:00:00Z", status="resolved"), later)
    )
    found = [each for each in listed(api, limit=1000) if each["fingerprint"] == mark]
    assert [each["status"] for each in found] == ["firing", "resolved"]
    assert found[0]["starts_at"] == "2026-11-21T12:00:00.000000Z"


def test_the_last_word_counts(api: httpx.Client, mark: str) -> None:
    """An alert that Alertmanager gave up and that goes on, is told as firing again."""
    for status in ("firing", "resolved", "firing"):
        tell(api, notification(alert(fingerprint=mark, status=status)))
    assert only(api, mark)["status"] == "firing"
    assert only(api, mark)["ends_at"] is None


def test_alerts_are_found_by_what_they_are(api: httpx.Client, mark: str) -> None:
    """Each filter alone and all together pick the right ones."""
    labels = {"alertname": "PoolFull", "project": mark, "service_name": "cart", "severity": "high"}
    tell(
        api,
        notification(
            alert(fingerprint="a1", labels=labels, startsAt="2026-03-01T00:00:00Z", status="resolved"),
            alert(fingerprint="a2", labels=labels | {"severity": "low"}, startsAt="2026-03-02T00:00:00Z"),
            alert(fingerprint="a3", labels=labels | {"service_name": "web"}, startsAt="2026-03-03T00:00:00Z"),
        ),
    )

    def named(**parameters: Any) -> list[str]:
        return [each["fingerprint"] for each in listed(api, project=mark, **parameters)]

    assert named() == ["a3", "a2", "a1"]
    assert named(status="resolved") == ["a1"]
    assert named(status="firing") == ["a3", "a2"]
    assert named(severity="low") == ["a2"]
    assert named(service="web") == ["a3"]
    assert named(**{"from": "2026-03-02T00:00:00Z"}) == ["a3", "a2"]
    assert named(to="2026-03-02T01:00:00+01:00") == ["a1"]
    assert named(status="firing", service="cart", severity="low", to="2026-03-02T00:00:01Z") == ["a2"]
    assert named(service="'; DROP TABLE glasshouse_alerts; --") == []


def test_pages_follow_each_other_without_gap_or_repeat(api: httpx.Client, mark: str) -> None:
    """Alerts that started at once are told apart; the last page says that it is the last."""
    labels = {"alertname": "A", "project": mark}
    tell(api, notification(*(alert(fingerprint=f"f{number:03}", labels=labels) for number in range(25))))
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.get("/api/v1/alerts", params={"project": mark, "limit": 10, **cursor}).json()
        found += [each["fingerprint"] for each in page["alerts"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == [f"f{number:03}" for number in reversed(range(25))]


def test_an_alert_without_project_belongs_to_the_sender_s(api: httpx.Client, mark: str) -> None:
    """So does one of a rule about the collector itself."""
    tell(api, notification(alert(fingerprint=mark, labels={"alertname": "Up"})))
    found = only(api, mark)
    assert (found["project"], found["service"], found["links"]["traces"]) == ("default", "", [])


def test_what_is_kept_is_counted(api: httpx.Client, mark: str) -> None:
    """Firing and resolved alerts are counted apart."""

    def counted(status: str) -> float:
        line = f'glasshouse_alerts_received_total{{status="{status}"}} '
        page = api.get("/metrics").text.splitlines()
        return sum(float(each.removeprefix(line)) for each in page if each.startswith(line))

    before = counted("firing"), counted("resolved")
    tell(api, notification(alert(fingerprint=mark), alert(fingerprint=f"{mark}b", status="resolved")))
    assert (counted("firing"), counted("resolved")) == (before[0] + 1, before[1] + 1)


def test_both_routes_are_documented(api: httpx.Client) -> None:
    """OpenAPI has the payload with an example that the webhook takes, and the problems by their schema."""
    described = api.get("/openapi.json").json()
    webhook = described["paths"]["/api/v1/alerts/webhook"]["post"]
    [example] = webhook["requestBody"]["content"]["application/json"]["schema"]["examples"]
    assert tell(api, example).status_code == httpx.codes.OK
    assert {"400", "401", "413", "503"} <= set(webhook["responses"])
    asked = described["paths"]["/api/v1/alerts"]["get"]
    assert {each["name"] for each in asked["parameters"]} == {
        *("status", "severity", "service", "project", "from", "to", "limit", "cursor")
    }
    schemas = described["components"]["schemas"]
    assert "ProblemDetails" in schemas
    [page] = schemas["AlertList"]["examples"]
    assert set(page["alerts"][0]) == set(schemas["Alert"]["properties"])
