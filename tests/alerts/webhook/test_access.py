"""Who may tell of alerts and who may list them; and a store that is not there."""

import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from alert_notifications import alert, listed, notification, tell
from collector_process import CollectorProcess
from glasshouse_alerts.webhook_access import token_from
from glasshouse_collector.core.access import Scope
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.registry import configure
from made_keys import made_key

Start = Callable[..., tuple[CollectorProcess, httpx.Client]]

TOKEN = "a-token-of-the-webhook"
KEY = "the-collector-s-own-key"


def bearer(value: str) -> dict[str, str]:
    """Return the header that carries it."""
    return {"Authorization": f"Bearer {value}"}


def test_the_token_opens_the_webhook_alone(start: Start, tmp_path: Path) -> None:
    """The token, from a file, tells; the collector's key tells and lists; nothing else does either."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    _, api = start({"webhook_token_file": str(tmp_path / "token")}, env={"GLASSHOUSE_AUTH_TOKEN": KEY})
    told = {
        name: tell(api, notification(alert()), **headers).status_code
        for name, headers in {
            "token": bearer(TOKEN),
            "key": bearer(KEY),
            "x-api-key": {"X-API-Key": KEY},
            "wrong": bearer(f"{TOKEN}x"),
            "empty": {"Authorization": "Bearer"},
            "basic": {"Authorization": f"Basic {TOKEN}"},
            "none": {},
        }.items()
    }
    assert [name for name, status in told.items() if status == httpx.codes.OK] == [
        "token",
        "key",
        "x-api-key",
    ]
    assert {status for status in told.values() if status != httpx.codes.OK} == {401}
    refused = api.get("/api/v1/alerts", headers=bearer(TOKEN))
    assert refused.status_code == httpx.codes.UNAUTHORIZED
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["www-authenticate"] == "Bearer"
    assert len(api.get("/api/v1/alerts", headers=bearer(KEY)).json()["alerts"]) == 1


def test_a_token_is_asked_for_where_the_collector_is_open(start: Start) -> None:
    """Whoever sets a token wants it sent; the list is open as everything else."""
    _, api = start({"webhook_token": TOKEN})
    refused = tell(api, notification(alert()))
    assert (refused.status_code, TOKEN in refused.text) == (401, False)
    assert tell(api, notification(alert()), **bearer(TOKEN)).status_code == httpx.codes.OK
    assert len(listed(api)) == 1


def test_a_projects_key_tells_and_lists_its_own_alerts(start: Start, tmp_path: Path) -> None:
    """Whatever project an alert names; the operator's tells and lists those of all."""
    data = tmp_path / "collector"
    ours, theirs = made_key(data, "ours"), made_key(data, "theirs")
    operator, reader = made_key(data, "_self", Scope.ADMIN), made_key(data, "ours", Scope.READ)
    _, api = start({})
    named = {"alertname": "A", "project": "theirs", "service_name": "payment"}
    for key in (ours, theirs, operator):
        assert tell(api, notification(alert(labels=named)), **bearer(key)).status_code == httpx.codes.OK
    assert tell(api, notification(alert()), **bearer(reader)).status_code == httpx.codes.FORBIDDEN

    def projects(key: str, **question: str) -> list[str]:
        answer = api.get("/api/v1/alerts", headers=bearer(key), params=question)
        assert answer.status_code == httpx.codes.OK, answer.text
        return sorted(each["project"] for each in answer.json()["alerts"])

    assert projects(ours) == projects(reader) == projects(ours, project="ours") == ["ours"]
    assert projects(theirs) == ["theirs"]
    assert projects(operator) == ["ours", "theirs"]
    refused = api.get("/api/v1/alerts", headers=bearer(ours), params={"project": "theirs"})
    assert refused.status_code == httpx.codes.FORBIDDEN
    assert "this key sees the project ours alone" in refused.json()["detail"]


def test_without_a_store_alertmanager_is_told_to_come_back(start: Start) -> None:
    """503 with Retry-After, which Alertmanager takes as a reason to try again; nothing is counted as kept."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    _, api = start({}, "--clickhouse", f"clickhouse://127.0.0.1:{port}/telemetry")
    for answer in (tell(api, notification(alert())), api.get("/api/v1/alerts")):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "store" in answer.json()["detail"]
    assert "glasshouse_alerts_received_total{" not in api.get("/metrics").text


def test_a_wrong_token_setting_is_named(tmp_path: Path) -> None:
    """Both at once, a short one, a file that is not there or empty: one line that says which."""
    both = {"webhook_token": TOKEN, "webhook_token_file": "f"}
    with pytest.raises(ConfigurationError, match=r"extensions\.alerts: webhook_token and webhook_token_file"):
        configure("extensions", "alerts", both)
    with pytest.raises(ConfigurationError, match=r"webhook_token: .*at least 8") as short:
        configure("extensions", "alerts", {"webhook_token": "secret"})
    assert "'secret'" not in str(short.value)
    with pytest.raises(ConfigurationError, match=r"webhook_token_file: .* cannot be read: No such file"):
        token_from(None, tmp_path / "absent")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigurationError, match=r"webhook_token_file: .* is empty"):
        token_from(None, tmp_path / "empty")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"webhook_token_file: .* is no text"):
        token_from(None, tmp_path / "binary")
