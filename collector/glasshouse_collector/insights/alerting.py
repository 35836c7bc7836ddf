"""Tells Alertmanager of incidents, as Prometheus does of its alerts: again and again while they last.

An alert says when it ends unless it is told again, so that one of a collector that was killed ends by
itself; and one that has ended is told for a while, should Alertmanager have been away.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from glasshouse_collector.core.errors import Retryable
from glasshouse_collector.core.incidents import Incident
from glasshouse_collector.insights.settings import InsightsConfig
from glasshouse_collector.insights.telling import first_cause, reason_of, trace_ids_of

ALERT: Final = "Incident"
ENDED_TOLD: Final = timedelta(minutes=15)
"""For how long one that has ended is told."""
_ROUNDS: Final = 4
_AT_LEAST: Final = timedelta(minutes=3)
_SECONDS: Final = 10.0

Kept = Callable[[Incident, Mapping[str, str]], Mapping[str, str]]
"""Returns the labels that an incident's alert was sent with first, by whichever collector; {}: with none."""


class Alerts:
    """The alerts of one collector."""

    def __init__(self, config: InsightsConfig) -> None:
        self._url = config.alertmanager_url
        token = config.alertmanager_token
        self._headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        self._lasts = max(_AT_LEAST, timedelta(seconds=_ROUNDS * config.interval_seconds))

    @property
    def wanted(self) -> bool:
        """Whether there is an Alertmanager to tell."""
        return bool(self._url)

    async def tell(self, incidents: Sequence[Incident], kept: Kept, now: datetime) -> None:
        """Tell of open incidents and of those that ended lately. Raises `Retryable`."""
        sent = [
            (incident, await asyncio.to_thread(kept, incident, _labels(incident))) for incident in incidents
        ]
        alerts = [self._alert(incident, labels, now) for incident, labels in sent if labels]
        if not alerts:
            return
        try:
            async with httpx.AsyncClient(timeout=_SECONDS, headers=self._headers) as client:
                answer = await client.post(f"{self._url}/api/v2/alerts", json=alerts)
        except httpx.HTTPError as failed:
            raise Retryable(f"insights.alertmanager_url: {type(failed).__name__}: {failed}") from None
        if answer.is_error:
            told = " ".join(answer.text.split())[:200]
            raise Retryable(f"insights.alertmanager_url: answered {answer.status_code}: {told}")

    def _alert(self, incident: Incident, labels: Mapping[str, str], now: datetime) -> dict[str, Any]:
        cause = first_cause(incident)
        annotations = {
            "summary": incident.title,
            "description": reason_of(incident),
            "first_told": incident.answer.get("first_told", {}).get("title", ""),
            "severity": incident.severity.value,
            "service_name": _suspect(incident),
            "root_cause_kind": cause.get("kind", ""),
            "services": ", ".join(incident.services),
            "trace_ids": ", ".join(trace_ids_of(incident)),
        }
        return {
            "labels": dict(labels),
            "annotations": {name: value for name, value in annotations.items() if value},
            "startsAt": incident.started_at.isoformat(),
            "endsAt": (incident.ended_at or now + self._lasts).isoformat(),
        }


def _labels(incident: Incident) -> dict[str, str]:
    """Return what an alert is known by; what is found out later goes into its annotations."""
    labels = {
        "alertname": ALERT,
        "incident_id": incident.id,
        "project": incident.project,
        "service_name": _suspect(incident),
        "severity": incident.severity.value,
    }
    return {name: value for name, value in labels.items() if value}


def _suspect(incident: Incident) -> str:
    """Return the service of the first cause; where none is known the first that was strange."""
    return str(first_cause(incident).get("service", "")) or next(iter(incident.services), "")
