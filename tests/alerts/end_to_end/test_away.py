"""Alertmanager or the store away while a service fails: the alert comes when they are back."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from alerting_servers import StoreServer, TradingService, prometheus_says, skip_without_servers
from collector_process import until
from glasshouse_alerts.stack_programs import ALERTMANAGER, COLLECTOR, PROMETHEUS, Stack, StackSettings

ALERT = "ErrorRateSpike"
PATIENCE = 90.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """Lend a store that the collector reaches over the network."""
    with StoreServer(tmp_path_factory.mktemp("served") / "store") as served:
        yield served


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, store: StoreServer) -> Iterator[Stack]:
    """Lend a stack with that store, thirty times faster."""
    skip_without_servers()
    folder = tmp_path_factory.mktemp("away")
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump({"storage": {"dsn": store.dsn}}))
    with Stack(StackSettings(folder / "stack", config=settings, any_port=True, speed=30)) as running:
        yield running


@pytest.fixture
def trading(stack: Stack, request: pytest.FixtureRequest) -> Iterator[TradingService]:
    """Lend a service of the test's own that sends to the stack's collector."""
    with TradingService(f"http://{stack.endpoints['http']}", request.node.name) as service:
        traffic = f'service:requests:rate5m{{service_name="{service.name}"}} > 0.05'
        until(lambda: bool(prometheus_says(stack.url(PROMETHEUS), traffic)), "trades are made", PATIENCE)
        yield service


def fires(stack: Stack, trading: TradingService) -> bool:
    """Whether Prometheus itself says so."""
    query = f'ALERTS{{alertname="{ALERT}",service_name="{trading.name}",alertstate="firing"}}'
    return bool(prometheus_says(stack.url(PROMETHEUS), query))


def listed(stack: Stack, trading: TradingService) -> list[dict[str, Any]]:
    """Return the alerts of the service that the collector lists."""
    asked = {"service": trading.name}
    answer = httpx.get(f"{stack.url(COLLECTOR)}/api/v1/alerts", params=asked, timeout=30)
    found: list[dict[str, Any]] = answer.raise_for_status().json()["alerts"]
    return [each for each in found if each["name"] == ALERT]


def failed_notifications(stack: Stack) -> float:
    """Return how often Alertmanager could not tell the webhook."""
    start = 'alertmanager_notifications_failed_total{integration="webhook"'
    page = httpx.get(f"{stack.url(ALERTMANAGER)}/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in page if line.startswith(start))


def resolves(stack: Stack, trading: TradingService) -> None:
    """Have the service recover, and wait for the end of its alert."""
    trading.failing = False
    until(
        lambda: [each["status"] for each in listed(stack, trading)] == ["resolved"],
        "it is resolved",
        PATIENCE,
    )
    assert listed(stack, trading)[0]["links"]["traces"]


def test_an_alert_of_the_time_without_alertmanager_is_told_later(
    stack: Stack, trading: TradingService
) -> None:
    """Prometheus goes on telling what fires until somebody listens."""
    stack.stop(ALERTMANAGER)
    trading.failing = True
    until(lambda: fires(stack, trading), "the alert fires", PATIENCE)
    assert listed(stack, trading) == []
    stack.start(ALERTMANAGER)
    until(lambda: [each["status"] for each in listed(stack, trading)] == ["firing"], "it is told", PATIENCE)
    resolves(stack, trading)


def test_an_alert_of_the_time_without_a_store_is_kept_later(
    stack: Stack, trading: TradingService, store: StoreServer
) -> None:
    """Alertmanager is refused, tries again, and the alert is kept once with traces of the time."""
    store.kill()
    trading.failing = True
    until(lambda: fires(stack, trading), "the alert fires", PATIENCE)
    until(lambda: failed_notifications(stack) > 0, "Alertmanager is refused", PATIENCE)
    store.start()
    until(lambda: [each["status"] for each in listed(stack, trading)] == ["firing"], "it is kept", PATIENCE)
    resolves(stack, trading)
