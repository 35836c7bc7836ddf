"""From a fault in the shop to a mail and the list of alerts, and back: every program the real one.

Collector, Prometheus and Alertmanager run with the files of `alerts/`, durations divided by 30; the
mail server is aiosmtpd.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerting_servers import Mailbox, prometheus_says, skip_without_servers
from collector_process import until
from glasshouse_alerts.stack_programs import ALERTMANAGER, COLLECTOR, PROMETHEUS, Stack, StackSettings
from glasshouse_shop.processes import program

SPEED = 30.0
ALERT = "ErrorRateSpike"
FIRING, RESOLVED = "[CRITICAL]", "[RESOLVED]"
PATIENCE = 90.0


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Lend a mail server."""
    with Mailbox() as opened:
        yield opened


@pytest.fixture
def stack(tmp_path: Path, mailbox: Mailbox) -> Iterator[Stack]:
    """Lend a stack with the shop open and the mail server as a receiver."""
    skip_without_servers()
    environ = {
        "GLASSHOUSE_ALERT_EMAIL_TO": "operators@example.org",
        "GLASSHOUSE_ALERT_EMAIL_FROM": "alerts@example.org",
        "GLASSHOUSE_ALERT_EMAIL_SMARTHOST": f"127.0.0.1:{mailbox.port}",
        "GLASSHOUSE_ALERT_EMAIL_STARTTLS": "false",
    }
    settings = StackSettings(tmp_path / "stack", any_port=True, demo=True, speed=SPEED, environ=environ)
    with Stack(settings) as running:
        yield running


def demo(stack_folder: Path, *words: str) -> None:
    """Call `glasshouse demo` about the shop that runs."""
    command = [*program(), "demo", "--data-dir", str(stack_folder / "demo"), *words]
    subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)


def alerts(stack: Stack, **wanted: str) -> list[dict[str, Any]]:
    """Return the alerts of the payment service that the collector lists."""
    answer = httpx.get(f"{stack.url(COLLECTOR)}/api/v1/alerts", params={"service": "payment", **wanted})
    assert answer.status_code == httpx.codes.OK, answer.text
    return [each for each in answer.json()["alerts"] if each["name"] == ALERT]


def mails(mailbox: Mailbox, subject: str) -> list[str]:
    """Return the mails about the alert whose subject begins so."""
    return [text for text in mailbox.texts() if ALERT in text and text.startswith(f"{subject} payment: ")]


def test_a_fault_alerts_and_its_end_resolves(stack: Stack, mailbox: Mailbox, tmp_path: Path) -> None:
    """Half of the payments fail: a mail and an alert with traces; they go well again: both are resolved."""
    prometheus = stack.url(PROMETHEUS)
    traffic = 'service:requests:rate5m{service_name="payment"} > 0.05'
    until(lambda: bool(prometheus_says(prometheus, traffic)), "payments are made", PATIENCE)
    assert alerts(stack) == []
    assert mails(mailbox, FIRING) == []

    demo(tmp_path / "stack", "fault", "payment:exception", "--duration", "10m")
    until(lambda: bool(alerts(stack, status="firing")), "the alert fires", PATIENCE)
    until(lambda: bool(mails(mailbox, FIRING)), "the mail tells of it", PATIENCE)
    [firing] = alerts(stack)
    assert (firing["severity"], firing["project"], firing["ends_at"]) == ("critical", "default", None)
    assert firing["links"]["runbook"] == "docs/runbooks/error-rate-spike.md"
    assert firing["links"]["silence"].startswith(stack.url(ALERTMANAGER))
    assert firing["links"]["rule"].startswith(prometheus)
    check_traces(stack, firing["links"]["traces"])

    demo(tmp_path / "stack", "calm")
    until(lambda: bool(alerts(stack, status="resolved")), "the alert is resolved", PATIENCE)
    until(lambda: bool(mails(mailbox, RESOLVED)), "the mail tells of that", PATIENCE)
    [resolved] = alerts(stack)
    assert resolved["starts_at"] == firing["starts_at"] < resolved["ends_at"]
    assert resolved["links"]["traces"]
    stack.check()


def check_traces(stack: Stack, links: list[str]) -> None:
    """Each link has a trace, and the first of them the failure itself."""
    assert 0 < len(links) <= 5
    traces = [httpx.get(f"{stack.url(COLLECTOR)}{link}").raise_for_status().json() for link in links]
    for trace in traces:
        assert "payment" in {span["service_name"] for span in trace["spans"]}
    failed = [
        span
        for span in traces[0]["spans"]
        if span["service_name"] == "payment" and span["status"]["code"] == "Error"
    ]
    assert "ValueError" in str([event["attributes"] for span in failed for event in span["events"]])
