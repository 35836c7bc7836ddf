"""Tells Alertmanager of incidents, as Prometheus does of its alerts: again and again while they last.

An alert says when it ends unless it is told again, so that one of a collector that was killed ends by
itself; and one that has ended is told for a while, should Alertmanager have been away.
"""

from collections.abc import Sequence
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


class Alerts:
    """The alerts of one collector."""

    def __init__(self, config: InsightsConfig) -> None:
        self._url = config.alertmanager_url
        token = config.alertmanager_token
        self._headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        self._lasts = max(_AT_LEAST, timedelta(seconds=_ROUNDS * config.interval_seconds))
        self._labels: dict[str, dict[str, str]] = {}

    @property
    def wanted(self) -> bool:
        """Whether there is an Alertmanager to tell."""
        return bool(self._url)

    async def tell(self, incidents: Sequence[Incident], now: datetime) -> None:
        """Tell of open incidents and of those that ended lately. Raises `Retryable`."""
        alerts = [self._alert(incident, now) for incident in incidents]
        known = {incident.id for incident in incidents}
        self._labels = {name: labels for name, labels in self._labels.items() if name in known}
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

    def _alert(self, incident: Incident, now: datetime) -> dict[str, Any]:
        cause = first_cause(incident)
        # By its labels Alertmanager knows an alert again: what is found out later must not make another.
        labels = self._labels.setdefault(
            incident.id,
            {
                "alertname": ALERT,
                "incident_id": incident.id,
                "project": incident.project,
                "service_name": cause.get("service") or (incident.services[0] if incident.services else ""),
                "severity": incident.severity.value,
            },
        )
        annotations = {
            "summary": incident.title,
            "description": reason_of(incident),
            "services": ", ".join(incident.services),
            "trace_ids": ", ".join(trace_ids_of(incident)),
        }
        return {
            "labels": {name: value for name, value in labels.items() if value},
            "annotations": {name: value for name, value in annotations.items() if value},
            "startsAt": incident.started_at.isoformat(),
            "endsAt": (incident.ended_at or now + self._lasts).isoformat(),
        }
