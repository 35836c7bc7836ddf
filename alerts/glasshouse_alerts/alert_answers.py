"""Alerts as the API lists them."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from glasshouse_alerts.alert_rows import LATEST_US, NOT_ENDED, Place, microseconds
from glasshouse_alerts.webhook_payload import AlertStatus

_TIME = "RFC 3339 in UTC"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class AlertLinks(BaseModel):
    """Where to look next."""

    traces: list[str] = Field(description="Paths of this API: traces of the service, of the time it fired")
    rule: str | None = Field(description="The rule's expression in Prometheus")
    silence: str | None = Field(description="Alertmanager's form to silence it")
    runbook: str | None = Field(description="What to do; a path is one of this project's repository")


class Alert(BaseModel):
    """One alert, from when it started, as it was last told."""

    name: str
    status: AlertStatus
    severity: str
    project: str
    service: str = Field(description="Empty: the alert is about no service")
    starts_at: str = Field(description=_TIME)
    ends_at: str | None = Field(description=f"{_TIME}; null while it fires")
    duration_seconds: float = Field(description="Until its end, or until now")
    last_received_at: str = Field(description=_TIME)
    fingerprint: str = Field(description="Alertmanager's name of its labels")
    receiver: str
    group_labels: dict[str, str]
    labels: dict[str, str]
    annotations: dict[str, str]
    links: AlertLinks


_EXAMPLE: JsonDict = {
    "alerts": [
        {
            "name": "HighErrorRate",
            "status": "resolved",
            "severity": "critical",
            "project": "default",
            "service": "payment",
            "starts_at": "2026-11-21T12:00:00.000000Z",
            "ends_at": "2026-11-21T12:10:00.000000Z",
            "duration_seconds": 600.0,
            "last_received_at": "2026-11-21T12:10:05.120451Z",
            "fingerprint": "b8a1d2c3e4f50617",
            "receiver": "glasshouse",
            "group_labels": {"alertname": "HighErrorRate", "service_name": "payment"},
            "labels": {"alertname": "HighErrorRate", "service_name": "payment", "severity": "critical"},
            "annotations": {"summary": "payment fails 12 % of its requests"},
            "links": {
                "traces": ["/api/v1/traces/4bf92f3577b34da6a3ce929d0e0e4736"],
                "rule": "http://127.0.0.1:9090/graph?g0.expr=up",
                "silence": "http://127.0.0.1:9093/#/silences/new?filter=%7Balertname%3D%22HighErrorRate%22%7D",
                "runbook": "docs/runbooks/high-error-rate.md",
            },
        }
    ],
    "next": None,
}


class AlertList(BaseModel):
    """A page of alerts, those that started last first."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    alerts: list[Alert]
    next: str | None = Field(description="`cursor` of the next page; null: there is none")


class Stored(BaseModel):
    """What became of a notification."""

    alerts: int = Field(description="How many are kept now")


def answer(row: Mapping[str, Any], now: datetime) -> Alert:
    """Return one row of the list as the API tells it; `now` is the end of what still fires."""
    starts_at, ends_at = row["StartsAt"], row["EndsAt"]
    ended = None if row["Status"] == "firing" or ends_at == NOT_ENDED else ends_at
    return Alert(
        name=row["AlertName"],
        status=row["Status"],
        severity=row["Severity"],
        project=row["Project"],
        service=row["ServiceName"],
        starts_at=_rfc3339(starts_at),
        ends_at=_rfc3339(ended) if ended else None,
        duration_seconds=max(((ended or now) - starts_at).total_seconds(), 0.0),
        last_received_at=_rfc3339(row["LastReceivedAt"]),
        fingerprint=row["Fingerprint"],
        receiver=row["Receiver"],
        group_labels=_mapping(row["GroupLabels"]),
        labels=_mapping(row["Labels"]),
        annotations=_mapping(row["Annotations"]),
        links=_links(row),
    )


def _links(row: Mapping[str, Any]) -> AlertLinks:
    return AlertLinks(
        traces=[f"/api/v1/traces/{quote(trace_id, safe='')}" for trace_id in row["TraceIds"]],
        rule=_web(row["GeneratorUrl"]),
        silence=_silence(row["AlertmanagerUrl"], _mapping(row["Labels"])),
        runbook=_page(_mapping(row["Annotations"]).get("runbook_url", "")),
    )


def _mapping(value: Any) -> dict[str, str]:
    return dict(value) if value else {}


def _silence(alertmanager: str, labels: Mapping[str, str]) -> str | None:
    base = _web(alertmanager)
    if base is None:
        return None
    matchers = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
    return f"{base.rstrip('/')}/#/silences/new?filter={quote('{' + matchers + '}', safe='')}"


def _web(url: str) -> str | None:
    """Return an address that a browser may be sent to; whoever alerts could write `javascript:…`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def _page(url: str) -> str | None:
    """Return an address, or a path within a repository."""
    if _SCHEME.match(url) or url.startswith("//"):
        return _web(url)
    return url or None


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def cursor_after(row: Mapping[str, Any]) -> str:
    """Return the cursor of the page that follows this row."""
    place = [microseconds(row["StartsAt"]), row["Fingerprint"], row["Project"]]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """Return the place that a cursor means; ValueError where it is none of ours."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        starts_at, fingerprint, project = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise ValueError("is none that this list gave") from None
    if type(starts_at) is not int or not all(isinstance(each, str) for each in (fingerprint, project)):
        raise ValueError("is none that this list gave")
    if not 0 <= starts_at <= LATEST_US:
        raise ValueError("is none that this list gave")
    return Place(starts_at, fingerprint, project)
