"""A real Alertmanager with the rendered configuration: what arrives, and what silences what."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from click.testing import CliRunner

from collector_process import until
from glasshouse.cli import main
from glasshouse_alerts.alertmanager_variables import PREFIX, VARIABLES
from scripted_endpoint import Endpoint, endpoint, free_port

TEMPLATES = Path(__file__).parents[3] / "alerts" / "alertmanager" / "templates"
SHOP = {"project": "default", "service_name": "shop"}


class Mailbox:
    """What the SMTP server was given."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep a message."""
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    """Run an SMTP server; give what it gets, and its port."""
    box, port = Mailbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


@pytest.fixture
def listener() -> Iterator[Endpoint]:
    """Run what takes the requests to Slack and to the collector."""
    with endpoint() as listening:
        yield listening


@pytest.fixture
def alertmanager(tmp_path: Path, mailbox: tuple[Mailbox, int], listener: Endpoint) -> Iterator[str]:
    """Run Alertmanager with every channel it can reach here, waits shortened, and give its address."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("Alertmanager is not installed: make servers")
    configuration = _configuration(tmp_path, mailbox[1], listener.url)
    address = f"127.0.0.1:{free_port()}"
    command = [program, f"--config.file={configuration}", f"--storage.path={tmp_path / 'state'}"]
    command += [f"--web.listen-address={address}", "--cluster.listen-address="]
    with (
        (tmp_path / "alertmanager.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            until(lambda: _ready(address, process), f"Alertmanager is ready; see {log.name}")
            yield f"http://{address}/api/v2"
        finally:
            process.terminate()


def _configuration(folder: Path, smtp_port: int, url: str) -> Path:
    values = {
        "EMAIL_TO": "oncall@example.com",
        "EMAIL_FROM": "alerts@example.com",
        "EMAIL_SMARTHOST": f"127.0.0.1:{smtp_port}",
        "EMAIL_STARTTLS": "false",
        "SLACK_WEBHOOK_URL": f"{url}/slack",
        "WEBHOOK_URL": f"{url}/api/v1/alerts/webhook",
        "WEBHOOK_TOKEN": "a-token",
        "RUNBOOK_BASE_URL": "https://example.com/tree/main",
    }
    output = folder / "alertmanager.yml"
    clear: dict[str, str | None] = {PREFIX + each.name: None for each in VARIABLES}
    environment = clear | {PREFIX + name: value for name, value in values.items()}
    command = ["alertmanager-config", "--output", str(output), "--templates", str(TEMPLATES)]
    answer = CliRunner().invoke(main, [*command, "--alertmanager-version", "0.25"], env=environment)
    assert answer.exit_code == 0, answer.output
    rendered = yaml.safe_load(output.read_text())
    for route in (rendered["route"], *rendered["route"]["routes"]):
        if "group_wait" in route:
            route |= {"group_wait": "1s", "group_interval": "1s"}
    output.write_text(yaml.safe_dump(rendered))
    return output


def _ready(address: str, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "Alertmanager ended"
    try:
        return httpx.get(f"http://{address}/-/ready").is_success
    except httpx.TransportError:
        return False


def _fire(alertmanager: str, *alerts: tuple[str, str, dict[str, str]], **times: str) -> None:
    """Send alerts as Prometheus does: name, severity, further labels."""
    body = [
        {
            "labels": {"alertname": name, "severity": severity, **labels},
            "annotations": {
                "summary": f"{name} <of> shop",
                "description": "All of it.",
                "runbook_url": "docs/runbooks/x.md",
            },
            "generatorURL": "http://prometheus/graph",
            **times,
        }
        for name, severity, labels in alerts
    ]
    httpx.post(f"{alertmanager}/alerts", json=body).raise_for_status()


def _webhooks(listener: Endpoint) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in list(listener.received) if each.path.endswith("/webhook")]


def test_an_alert_arrives_everywhere(
    alertmanager: str, mailbox: tuple[Mailbox, int], listener: Endpoint
) -> None:
    """Mail, chat and the collector get it with its texts and links, and again when it is resolved."""
    box = mailbox[0]
    _fire(alertmanager, ("HighErrorRate", "high", SHOP))
    until(lambda: bool(box.messages) and bool(_webhooks(listener)), "mail and webhook have come")
    mail = box.messages[0]
    assert mail["subject"] == "[HIGH] HighErrorRate <of> shop"
    plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    assert "Runbook: https://example.com/tree/main/docs/runbooks/x.md" in plain.get_content()
    assert "Project: default  Service: shop" in plain.get_content()
    assert "HighErrorRate &lt;of&gt; shop" in html.get_content()
    until(lambda: any(each.path == "/slack" for each in listener.received), "the chat has it")
    slack = json.loads(next(each.body for each in listener.received if each.path == "/slack"))
    assert "HighErrorRate" in slack["attachments"][0]["title"]
    assert slack["attachments"][0]["color"] == "danger"
    webhook = next(each for each in listener.received if each.path.endswith("/webhook"))
    assert {name.lower(): value for name, value in webhook.headers.items()}[
        "authorization"
    ] == "Bearer a-token"
    assert _webhooks(listener)[0]["alerts"][0]["labels"]["service_name"] == "shop"

    _fire(alertmanager, ("HighErrorRate", "high", SHOP), endsAt="2020-01-01T00:00:00Z")
    until(lambda: any(each["status"] == "resolved" for each in _webhooks(listener)), "the webhook resolves")
    until(lambda: len(box.messages) > 1, "mail says that it is resolved")
    assert box.messages[-1]["subject"] == "[RESOLVED] HighErrorRate <of> shop"


def test_what_silences_what(alertmanager: str) -> None:
    """A service that is down has no other alerts; other services and environments keep theirs."""
    staging = {**SHOP, "deployment_environment_name": "staging"}
    instance = {"instance": "collector:8000"}
    _fire(
        alertmanager,
        ("ServiceDown", "critical", SHOP),
        ("ErrorRateSpike", "critical", SHOP),
        ("HighErrorRate", "high", SHOP),
        ("HighErrorRate", "high", staging),
        ("HighErrorRate", "high", {"project": "default", "service_name": "cart"}),
        ("StoreUnavailable", "critical", instance),
        ("ExporterFailing", "high", instance),
        ("JournalDiskSlow", "low", instance),
        ("IngestStopped", "high", {"project": "default"}),
    )

    def silenced() -> set[tuple[str, str]]:
        found = httpx.get(f"{alertmanager}/alerts", params={"inhibited": True}).json()
        return {
            (each["labels"]["alertname"], each["labels"].get("deployment_environment_name", ""))
            for each in found
            if each["status"]["inhibitedBy"] and each["labels"].get("service_name") != "cart"
        }

    expected = {("ErrorRateSpike", ""), ("HighErrorRate", ""), ("ExporterFailing", "")}
    until(lambda: silenced() == expected, f"{expected} are silenced, and no others")
    found = httpx.get(f"{alertmanager}/alerts", params={"inhibited": True}).json()
    cart = [each for each in found if each["labels"].get("service_name") == "cart"]
    assert [each["status"]["inhibitedBy"] for each in cart] == [[]]

    _fire(alertmanager, ("CollectorDown", "critical", {"job": "glasshouse"}))
    until(
        lambda: silenced() == expected | {("IngestStopped", ""), ("ServiceDown", "")},
        "the collector's absence silences what is blind without it",
    )
