"""What no Alertmanager would send, and what a crafted alert would do to a reader."""

import base64
from typing import Any

import httpx
import pytest

from alert_notifications import alert, listed, notification, tell

PROBLEM = "application/problem+json"

REFUSED: dict[str, tuple[Any, str]] = {
    "no-json": (b"{", "the body is no JSON"),
    "no-object": ([], "body"),
    "empty": (b"", "body"),
    "old-version": (notification(alert(), version="3"), "version"),
    "no-alerts": (notification(), "alerts"),
    "too-many-alerts": (notification(*[alert(annotations={})] * 1001), "alerts"),
    "unknown-status": (notification(alert(status="burning"), status="firing"), "status"),
    "no-time": (notification(alert(startsAt="yesterday")), "startsAt"),
    "no-zone": (notification(alert(startsAt="2026-11-21T12:00:00")), "startsAt"),
    "year-1": (notification(alert(startsAt="0001-01-01T00:00:00Z")), "startsAt"),
    "year-9999": (notification(alert(startsAt="9999-01-01T00:00:00Z")), "startsAt"),
    "end-in-9999": (notification(alert(status="resolved", endsAt="9999-01-01T00:00:00Z")), "endsAt"),
    "no-fingerprint": (notification(alert(fingerprint="")), "fingerprint"),
    "fingerprint-of-sql": (notification(alert(fingerprint="' OR 1=1")), "fingerprint"),
    "label-of-numbers": (notification(alert(labels={"alertname": 7})), "labels.alertname"),
    "too-many-labels": (notification(alert(labels={f"l{n}": "" for n in range(129)})), "labels"),
    "long-label": (notification(alert(labels={"a": "x" * 4097})), "labels.a"),
    "nameless-label": (notification(alert(labels={"": "x"})), "labels"),
    "long-annotation": (notification(alert(annotations={"a": "x" * 16385})), "annotations.a"),
    "half-a-character": (
        b'{"version": "4", "status": "firing", "receiver": "\\ud800", "alerts": []}',
        "receiver",
    ),
    "deeply-nested": (b'{"a":' * 100_000, "the body"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_payload_is_refused_by_the_name_of_its_field(api: httpx.Client, case: str) -> None:
    """A problem says in one line which field is wrong; nothing is kept, nothing breaks."""
    body, named = REFUSED[case]
    answer = tell(api, body)
    assert answer.status_code == httpx.codes.BAD_REQUEST, answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert named in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_a_body_that_is_too_large_is_refused(api: httpx.Client) -> None:
    """The API's limit holds here too."""
    answer = tell(api, b" " * ((1 << 20) + 1))
    assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)


def test_fields_of_a_newer_alertmanager_are_passed_over(api: httpx.Client) -> None:
    """What is not known does not keep an alert out."""
    assert tell(api, notification(alert(newField={"a": 1}), anotherField=[1])).status_code == httpx.codes.OK


def test_any_text_comes_back_as_it_was(api: httpx.Client) -> None:
    """Quotes, line ends, NUL, other scripts, SQL and templates are text."""
    hostile = "'\"\\\t\n\r\0 é 漢 🔥 ${database} {name:String} %s \\' OR 1=1; --"
    labels = {"alertname": hostile, "project": "hostile", "service_name": hostile, hostile: hostile}
    assert (
        tell(api, notification(alert(labels=labels, annotations={"summary": hostile}))).status_code
        == httpx.codes.OK
    )
    [found] = listed(api, project="hostile", service=hostile)
    assert found["labels"] == labels
    assert found["annotations"] == {"summary": hostile}
    assert found["name"] == hostile


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil", "http://[", "http:"])
def test_no_link_leads_elsewhere_than_the_web(api: httpx.Client, url: str) -> None:
    """An address that a browser would run is no link; the text stays in the annotation."""
    labels = {"alertname": "A", "project": f"links {url}"}
    told = alert(labels=labels, annotations={"runbook_url": url}, generatorURL=url)
    tell(api, notification(told, externalURL=url))
    [found] = listed(api, project=f"links {url}")
    assert found["links"] == {"traces": [], "rule": None, "silence": None, "runbook": None}
    assert found["annotations"] == {"runbook_url": url}


def test_an_alert_in_every_month_of_ten_years_is_kept(api: httpx.Client) -> None:
    """One notification may fall into any number of partitions."""
    told = [
        alert(startsAt=f"{2000 + n // 12}-{n % 12 + 1:02}-01T00:00:00Z", labels={"project": "decade"})
        for n in range(120)
    ]
    assert tell(api, notification(*told)).json() == {"alerts": 120}
    assert len(listed(api, project="decade", limit=1000)) == 120


def test_any_time_may_be_asked_for(api: httpx.Client) -> None:
    """Times before and after all that the store can keep are before and after all alerts."""
    tell(api, notification(alert(labels={"project": "times"})))
    ever = {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999999Z"}
    assert len(listed(api, project="times", **ever)) == 1
    assert listed(api, project="times", **{"from": ever["to"]}) == []
    assert listed(api, project="times", to="0001-01-01T00:00:00+14:00") == []


WRONG_QUESTIONS = {
    "status": "burning",
    "limit": "0",
    "from": "yesterday",
    "to": "2026-11-21T12:00:00",
    "cursor": "!",
    "color": "red",
}


@pytest.mark.parametrize("field", WRONG_QUESTIONS)
def test_a_wrong_question_is_refused_by_the_name_of_its_field(api: httpx.Client, field: str) -> None:
    """So is a parameter that there is not."""
    answer = api.get("/api/v1/alerts", params={field: WRONG_QUESTIONS[field]})
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
    assert field in answer.json()["detail"]


@pytest.mark.parametrize(
    "place",
    [
        b"",
        b"[]",
        b"[1]",
        b"{}",
        b'["1", "f", "p"]',
        b'[4e18, "f", "p"]',
        b'[4611686018427387903, "f", "p"]',
        b'[1, 2, "p"]',
        b"[1e999]",
        b"[" * 3000,
        b"\xff",
    ],
)
def test_a_forged_cursor_is_refused(api: httpx.Client, place: bytes) -> None:
    """Only what a page gave is taken."""
    cursor = base64.urlsafe_b64encode(place).decode()
    answer = api.get("/api/v1/alerts", params={"cursor": cursor})
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert "cursor" in answer.json()["detail"]
