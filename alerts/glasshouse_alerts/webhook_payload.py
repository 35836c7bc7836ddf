"""What Alertmanager sends to a webhook: version 4 of its payload.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from glasshouse_collector.core.access import Caller

MOST_ALERTS = 1000
_MOST_LABELS = 128
_NEVER_ENDED = datetime(1970, 1, 2, tzinfo=UTC)
"""Alertmanager says of what goes on that it ends in the year 1."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Labels: TypeAlias = Annotated[
    dict[Name, Annotated[str, StringConstraints(max_length=4096)]], Field(max_length=_MOST_LABELS)
]
Annotations: TypeAlias = Annotated[
    dict[Name, Annotated[str, StringConstraints(max_length=16_384)]], Field(max_length=_MOST_LABELS)
]
Url: TypeAlias = Annotated[str, StringConstraints(max_length=16_384)]
AlertStatus: TypeAlias = Literal["firing", "resolved"]
Start = Annotated[
    AwareDatetime, Field(ge=datetime(1970, 1, 2, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))
]


class _Received(BaseModel):
    # A newer Alertmanager may say more; what is not known here is passed over.
    model_config = ConfigDict(
        extra="ignore", frozen=True, alias_generator=lambda name: to_camel(name).replace("Url", "URL")
    )


class ReceivedAlert(_Received):
    """One alert of a notification."""

    status: AlertStatus
    labels: Labels
    annotations: Annotations = {}
    starts_at: Start
    ends_at: Annotated[AwareDatetime, Field(le=datetime(2200, 1, 1, tzinfo=UTC))] | None = None
    generator_url: Url = ""
    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,64}$")]

    @property
    def ended_at(self) -> datetime | None:
        """When it ended; None while it fires."""
        if self.status == "firing" or self.ends_at is None or self.ends_at < _NEVER_ENDED:
            return None
        return max(self.ends_at, self.starts_at)

    @property
    def service(self) -> str:
        """The service that it is about, or nothing."""
        return self.labels.get("service_name", "")

    def project(self, sender: Caller) -> str:
        """Return the project that it is about: the sender's, or its label from who may name any."""
        return (sender.everywhere and self.labels.get("project")) or sender.project


class Notification(_Received):
    """A group of alerts, as Alertmanager notifies a receiver of it."""

    version: Literal["4"]
    status: AlertStatus
    receiver: Annotated[str, StringConstraints(max_length=1024)]
    group_key: Annotated[str, StringConstraints(max_length=16_384)] = ""
    group_labels: Labels = {}
    truncated_alerts: Annotated[int, Field(ge=0)] = 0
    external_url: Url = ""
    alerts: Annotated[list[ReceivedAlert], Field(min_length=1, max_length=MOST_ALERTS)]


EXAMPLE = {
    "version": "4",
    "groupKey": '{}:{alertname="HighErrorRate", service_name="payment"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "glasshouse",
    "groupLabels": {"alertname": "HighErrorRate", "service_name": "payment"},
    "commonLabels": {"alertname": "HighErrorRate", "service_name": "payment", "severity": "critical"},
    "commonAnnotations": {"summary": "payment fails 12 % of its requests"},
    "externalURL": "http://127.0.0.1:9093",
    "alerts": [
        {
            "status": "firing",
            "labels": {
                "alertname": "HighErrorRate",
                "project": "default",
                "service_name": "payment",
                "severity": "critical",
            },
            "annotations": {
                "summary": "payment fails 12 % of its requests",
                "runbook_url": "docs/runbooks/high-error-rate.md",
            },
            "startsAt": "2026-11-21T12:00:00.000Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=up",
            "fingerprint": "b8a1d2c3e4f50617",
        }
    ],
}
"""One notification, as documentation shows it."""
