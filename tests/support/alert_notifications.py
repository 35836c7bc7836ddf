"""A collector with the extension `alerts`, and notifications as Alertmanager sends them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from collector_process import CollectorProcess


@contextmanager
def collecting(
    folder: Path, alerts: dict[str, Any], *options: str, env: dict[str, str] | None = None
) -> Iterator[tuple[CollectorProcess, httpx.Client]]:
    """Run a collector whose extension `alerts` is set so; yields it and a client of its API."""
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump({"self_watch": False, "extensions": {"alerts": alerts}}))
    collector = CollectorProcess(folder / "collector", "--config", str(settings), *options, env=env)
    try:
        with httpx.Client(base_url=f"http://{collector.endpoints()['api']}", timeout=60) as client:
            yield collector, client
    finally:
        if collector.alive:
            collector.stop()


def alert(name: str = "HighErrorRate", *, status: str = "firing", **changed: Any) -> dict[str, Any]:
    """Return an alert of Alertmanager's payload; `changed` are its fields, by their names there."""
    ended = "2026-11-21T12:10:00Z" if status == "resolved" else "0001-01-01T00:00:00Z"
    return {
        "status": status,
        "labels": {
            "alertname": name,
            "project": "default",
            "service_name": "payment",
            "severity": "critical",
        },
        "annotations": {"summary": "payment fails", "runbook_url": "docs/runbooks/high-error-rate.md"},
        "startsAt": "2026-11-21T12:00:00.123456789Z",
        "endsAt": ended,
        "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=up",
        "fingerprint": "b8a1d2c3e4f50617",
        **changed,
    }


def notification(*alerts: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Return a notification of these alerts."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "truncatedAlerts": 0,
        "status": alerts[0]["status"] if alerts else "firing",
        "receiver": "glasshouse",
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://127.0.0.1:9093",
        "alerts": list(alerts),
        **changed,
    }


def tell(client: httpx.Client, body: Any, **headers: str) -> httpx.Response:
    """Post to the webhook."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(
        "/api/v1/alerts/webhook",
        content=content,
        headers={"Content-Type": "application/json", **headers},
    )


def listed(client: httpx.Client, **parameters: Any) -> list[dict[str, Any]]:
    """Return the alerts of one page."""
    answer = client.get("/api/v1/alerts", params=parameters)
    assert answer.status_code == httpx.codes.OK, answer.text
    alerts: list[dict[str, Any]] = answer.json()["alerts"]
    return alerts
