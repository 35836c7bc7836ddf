"""Every public name of the SDK as an application uses it, for a type checker: this file is never run."""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import assert_type

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

import glasshouse
from glasshouse.delivery import DeadLetter
from glasshouse.health import Health, Report
from glasshouse.logs import Logger
from glasshouse.metrics import Counter, Gauge, Histogram, UpDownCounter
from glasshouse.settings import Settings
from glasshouse.testing import Clock, Point, Telemetry, capture

assert_type(glasshouse.__version__, str)


def starts() -> None:
    """Give settings, each of its type."""
    try:
        glasshouse.configure(
            "shop", release="1.0", spool_dir=Path("/var/spool"), log_levels={"urllib3": "ERROR"}
        )
    except glasshouse.SettingsError as wrong:
        assert_type(wrong, glasshouse.SettingsError)
    glasshouse.configure(log_format="xml")  # type: ignore[arg-type]
    glasshouse.configure(no_such_setting=1)  # type: ignore[call-arg]
    assert_type(glasshouse.Settings(), Settings)
    assert_type(glasshouse.Settings().slow_request_seconds, float)
    assert_type(glasshouse.flush(timeout=1), bool)
    glasshouse.shutdown(timeout=1)
    assert_type(glasshouse.dead_letters(), list[DeadLetter])
    assert_type(glasshouse.retry_dead_letters(), int)


@glasshouse.span("checkout", cart=1)
def checkout(cart: int) -> str:
    """Keep a signature under a decorator."""
    with glasshouse.span("pay") as current, glasshouse.bind(user_id="u-1"):
        assert_type(current, Span)
        glasshouse.add_span_attributes(total=1.5)
        glasshouse.add_span_attributes({"cart.size": 3})
    assert_type(glasshouse.bound(), Mapping[str, AttributeValue])
    return str(cart)


@glasshouse.trace_operation("export")
async def export(rows: list[str]) -> AsyncIterator[str]:
    """Stay an asynchronous generator."""
    for row in rows:
        yield row


async def calls() -> None:
    """Call what is decorated."""
    assert_type(checkout(1), str)
    checkout("1")  # type: ignore[arg-type]
    async with glasshouse.span("all"):
        async for row in export(["a"]):
            assert_type(row, str)


def fails() -> None:
    """Severities are four."""
    glasshouse.capture_exception(ValueError(), operation="pay", severity="high", order_id=42)
    glasshouse.capture_exception(severity="fatal")  # type: ignore[arg-type]
    glasshouse.install_excepthook()


def logs() -> None:
    """Log with fields."""
    log = glasshouse.get_logger(__name__)
    assert_type(log, Logger)
    log.info("order placed", order_id=42, operation="checkout", status="success")


def measures() -> None:
    """Instruments are told apart."""
    assert_type(glasshouse.counter("orders", "{order}", "Orders."), Counter)
    assert_type(glasshouse.gauge("depth"), Gauge)
    assert_type(glasshouse.histogram("took", "s", buckets=[0.1, 1]), Histogram)
    assert_type(glasshouse.up_down_counter("open"), UpDownCounter)
    glasshouse.metrics.counter("orders").add(1, {"http.route": "/"}, gift=True)
    glasshouse.counter("orders").add("1")  # type: ignore[arg-type]

    @glasshouse.histogram("took", "s").time(provider="paypal")
    def pay(amount: float) -> bool:
        return amount > 0

    assert_type(pay(1.5), bool)


def lives() -> None:
    """Heartbeats and health."""
    glasshouse.heartbeat(region="eu")
    stop = glasshouse.start_heartbeat_loop(interval=30)
    stop()
    glasshouse.stop_heartbeat_loop()
    assert_type(glasshouse.health.default, Health)
    assert_type(glasshouse.health.report(), Report)


def tests(captured_telemetry: Telemetry) -> None:
    """The testing kit."""
    with capture(log_level="DEBUG", instrument=True) as telemetry:
        assert_type(telemetry, Telemetry)
    assert_type(captured_telemetry.span("checkout"), ReadableSpan)
    assert_type(captured_telemetry.tree(), list[str])
    assert_type(captured_telemetry.value("orders", {"http.route": "/"}, gift=True), float)
    assert_type(captured_telemetry.points("orders"), list[Point])
    assert_type(captured_telemetry.clock, Clock)
    read: Callable[[], int] = captured_telemetry.clock
    assert_type(read(), int)


glasshouse.no_such_name()  # type: ignore[attr-defined]
