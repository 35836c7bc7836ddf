"""Receivers of Alertmanager, by severity: who is told of what."""

from collections.abc import Mapping
from typing import Any

Secrets = Mapping[str, str]
"""Paths of the files that hold the secrets, by variable."""

TEAMS_SINCE = (0, 28)
"""`msteamsv2_configs` came then; what was there before speaks to connectors that Microsoft ends."""

_TITLE = '{{ template "glasshouse.title" . }}'
_TEXT = '{{ template "glasshouse.text" . }}'
_COLOR = (
    '{{ if ne .Status "firing" }}good{{ else if match "critical|high" .CommonLabels.severity }}danger'
    "{{ else }}warning{{ end }}"
)


def of_severity(severity: str, values: Mapping[str, str], secrets: Secrets, *, teams: bool) -> dict[str, Any]:
    """Return the receiver of a severity, with those channels that are set.

    critical: PagerDuty, chat, mail. high: chat, mail. medium: chat. low: mail. Where the channel of the lower
    two is not set, the other one takes its place, so that nothing goes nowhere.
    """
    chat = {**_slack(values, secrets), **(_teams(secrets) if teams else {})}
    mail = _mail(values, secrets)
    channels = {
        "critical": {**_pagerduty(secrets), **chat, **mail},
        "high": {**chat, **mail},
        "medium": chat or mail,
        "low": mail or chat,
    }[severity]
    return {"name": severity, **channels}


def collector(values: Mapping[str, str], secrets: Secrets) -> dict[str, Any]:
    """Return the receiver that keeps every alert in the collector's list; empty where that is not set."""
    if "WEBHOOK_URL" not in values:
        return {"name": "collector"}
    webhook: dict[str, Any] = {
        "url": values["WEBHOOK_URL"],
        "send_resolved": True,
        "max_alerts": 200,  # the collector takes up to 1 MiB at once
    }
    if "WEBHOOK_TOKEN" in secrets:
        credentials = {"type": "Bearer", "credentials_file": secrets["WEBHOOK_TOKEN"]}
        webhook["http_config"] = {"authorization": credentials}
    return {"name": "collector", "webhook_configs": [webhook]}


def _pagerduty(secrets: Secrets) -> dict[str, Any]:
    if "PAGERDUTY_ROUTING_KEY" not in secrets:
        return {}
    page = {
        "routing_key_file": secrets["PAGERDUTY_ROUTING_KEY"],
        "send_resolved": True,
        "severity": "critical",
        "description": _TITLE,
        "component": "{{ .CommonLabels.service_name }}",
        "group": "{{ .CommonLabels.project }}",
        "class": "{{ .CommonLabels.alertname }}",
        "details": {"alerts": _TEXT},
    }
    return {"pagerduty_configs": [page]}


def _slack(values: Mapping[str, str], secrets: Secrets) -> dict[str, Any]:
    if "SLACK_WEBHOOK_URL" not in secrets:
        return {}
    message = {
        "api_url_file": secrets["SLACK_WEBHOOK_URL"],
        **({"channel": values["SLACK_CHANNEL"]} if "SLACK_CHANNEL" in values else {}),
        "send_resolved": True,
        "color": _COLOR,
        "title": _TITLE,
        "title_link": values.get("DASHBOARD_URL", "{{ .ExternalURL }}"),
        "text": '{{ template "glasshouse.slack.text" . }}',
        "fallback": _TITLE,
    }
    return {"slack_configs": [message]}


def _teams(secrets: Secrets) -> dict[str, Any]:
    if "TEAMS_WEBHOOK_URL" not in secrets:
        return {}
    card = {
        "webhook_url_file": secrets["TEAMS_WEBHOOK_URL"],
        "send_resolved": True,
        "title": _TITLE,
        "text": _TEXT,
    }
    return {"msteamsv2_configs": [card]}


def _mail(values: Mapping[str, str], secrets: Secrets) -> dict[str, Any]:
    if "EMAIL_TO" not in values:
        return {}
    message: dict[str, Any] = {
        "to": values["EMAIL_TO"],
        "from": values["EMAIL_FROM"],
        "smarthost": values["EMAIL_SMARTHOST"],
        "require_tls": values.get("EMAIL_STARTTLS", "true") == "true",
        "send_resolved": True,
        "headers": {"Subject": _TITLE},
        "text": _TEXT,
        "html": '{{ template "glasshouse.html" . }}',
    }
    if "EMAIL_USERNAME" in values:
        message["auth_username"] = values["EMAIL_USERNAME"]
        message["auth_password_file"] = secrets["EMAIL_PASSWORD"]
    return {"email_configs": [message]}
