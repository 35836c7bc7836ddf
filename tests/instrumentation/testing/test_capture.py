"""`glasshouse.testing`: what is captured, how it is asked for, and what it leaves behind."""

import asyncio
import logging
import threading

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import glasshouse
from glasshouse.testing import Telemetry, capture
from otlp_listener import listen

YEAR_2000 = 946_684_800_000_000_000
MILLISECOND = 1_000_000


def test_spans_have_the_ids_and_times_of_each_run() -> None:
    """Ids count from 1, and each reading of the clock is a millisecond later."""
    for _ in range(2):
        with capture() as telemetry:
            with glasshouse.span("checkout", cart_id=7), glasshouse.span("pay"):
                telemetry.clock.advance(seconds=2)
            with glasshouse.span("next"):
                pass
        pay, checkout = telemetry.span("pay"), telemetry.span("checkout")
        assert pay.context
        assert checkout.context
        assert pay.parent
        assert (checkout.context.trace_id, checkout.context.span_id) == (1, 1)
        assert (pay.context.trace_id, pay.context.span_id, pay.parent.span_id) == (1, 2, 1)
        assert (checkout.start_time, pay.start_time) == (YEAR_2000, YEAR_2000 + MILLISECOND)
        assert pay.end_time == YEAR_2000 + 2 * MILLISECOND + 2 * 10**9
        assert dict(checkout.attributes or {}) == {"cart.id": 7}
        assert telemetry.tree() == ["checkout", "  pay", "next"]


def test_log_records_come_from_every_logger_with_what_is_bound() -> None:
    """`logging`, `get_logger` and captured errors; what one capture bound is not of the next."""
    with capture() as telemetry:
        glasshouse.bind(user_id="u-1")
        logging.getLogger("shop").warning("stock of %s is low", "tea")
        with glasshouse.span("checkout"):
            glasshouse.get_logger("shop").info("order placed", order_id=42)
            glasshouse.capture_exception(ValueError("no such cart"), operation="checkout")
    assert [record.body for record in telemetry.log_records] == [
        "stock of tea is low",
        "order placed",
        "ValueError: no such cart",
    ]
    low, placed = telemetry.log_record("stock of tea is low"), telemetry.log_record("order placed")
    assert low.severity_text == "WARN"
    assert low.attributes == {"user.id": "u-1"}
    assert low.timestamp == YEAR_2000
    assert (placed.trace_id, placed.span_id) == (1, 1)
    (error,) = telemetry.errors
    assert error.attributes
    assert error.attributes["exception.type"] == "ValueError"
    with capture() as telemetry:
        logging.getLogger("shop").info("nothing bound")
    assert not telemetry.log_record("nothing bound").attributes


def test_metrics_count_from_the_beginning_of_the_capture() -> None:
    """Counters, gauges and histograms by name and attributes, each capture anew."""
    orders = glasshouse.counter("test.orders", "{order}")
    orders.add(5, country="NO")
    for _ in range(2):
        with capture() as telemetry:
            orders.add(2, country="NO")
            orders.add(1, country="SE")
            glasshouse.gauge("test.depth").set(3)
            glasshouse.histogram("test.seconds", "s").record(0.5, {"http.route": "/"})
            glasshouse.histogram("test.seconds", "s").record(1.5, {"http.route": "/"})
            assert telemetry.value("test.orders", country="NO") == 2
            assert telemetry.value("test.depth") == 3
            assert telemetry.value("test.seconds", {"http.route": "/"}) == 2
            assert telemetry.count("test.seconds") == 2
            assert {point.value for point in telemetry.points("test.orders")} == {1, 2}
            assert telemetry.points("test.nothing") == []
    assert telemetry.value("test.orders", country="SE") == 1


def test_what_is_not_there_is_said_with_what_is() -> None:
    """So that a failing test shows why."""
    with capture() as telemetry:
        with glasshouse.span("checkout"):
            glasshouse.get_logger("shop").info("order placed")
        with pytest.raises(AssertionError, match="no spans 'pay', there are: 'checkout'"):
            telemetry.span("pay")
        with pytest.raises(AssertionError, match="no log records 'paid', there are: 'order placed'"):
            telemetry.log_record("paid")
        with pytest.raises(AssertionError, match="no metrics 'x', there are: "):
            telemetry.value("x")
        telemetry.clear()
        assert (telemetry.spans, telemetry.log_records) == ([], [])


def test_nothing_is_left_behind() -> None:
    """Providers, `logging`, levels and configuration are as before."""
    before = logging.Logger.callHandlers, logging.getLogger().level
    with capture(log_level="DEBUG") as telemetry:
        logging.getLogger("shop").debug("seen")
    assert telemetry.log_record("seen").severity_text == "DEBUG"
    assert (logging.Logger.callHandlers, logging.getLogger().level) == before
    with glasshouse.span("after"):
        logging.getLogger("shop").warning("after")
    assert (telemetry.spans, len(telemetry.log_records)) == ([], 1)
    assert "Proxy" in type(trace.get_tracer_provider()).__name__
    assert "Proxy" in type(get_logger_provider()).__name__
    assert "Proxy" in type(metrics.get_meter_provider()).__name__


def test_one_capture_at_a_time() -> None:
    """A second one, in whatever thread, is refused; a wrong setting is too, and leaves nothing."""
    with capture(), pytest.raises(RuntimeError, match="being captured already"), capture():
        pass
    with pytest.raises(glasshouse.SettingsError, match="log_level"), capture(log_level="LOUD"):
        pass
    with capture() as telemetry:
        thread = threading.Thread(target=glasshouse.heartbeat)
        thread.start()
        thread.join()
    assert [record.event_name for record in telemetry.log_records] == ["glasshouse.heartbeat"]


def test_an_application_that_configures_in_the_capture_sends_nothing() -> None:
    """Its configure, flush and shutdown change nothing, and a wrong setting still shows."""
    with listen() as listening, capture() as telemetry:
        glasshouse.configure("shop", endpoint=listening.url, instrument=False)
        with glasshouse.span("checkout"):
            pass
        with pytest.raises(glasshouse.SettingsError, match="log_format"):
            glasshouse.configure("shop", log_format="xml")  # type: ignore[arg-type]
        assert glasshouse.flush(timeout=1)
        glasshouse.shutdown()
        with glasshouse.span("later"):
            pass
    assert telemetry.tree() == ["checkout", "later"]
    assert listening.requests == []


def test_an_application_that_has_configured_before_is_captured_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing of the block goes out; what comes after it does, with random ids and the real time again."""
    monkeypatch.setenv("GLASSHOUSE_SPOOL_DIR", str(tmp_path_factory.mktemp("spool")))
    with listen() as listening:
        glasshouse.configure("shop", endpoint=listening.url, instrument=False, log_format="off")
        try:
            tracer = trace.get_tracer("shop")
            with capture() as telemetry:
                with tracer.start_as_current_span("captured"):
                    logging.getLogger("shop").info("captured too")
                glasshouse.counter("test.captured").add(1)
                assert telemetry.value("test.captured") == 1
            with tracer.start_as_current_span("sent") as sent:
                pass
            assert glasshouse.flush(timeout=10)
        finally:
            glasshouse.shutdown()
    assert telemetry.tree() == ["captured"]
    assert [record.body for record in telemetry.log_records] == ["captured too"]
    bodies = b"".join(request.payload for request in listening.requests)
    assert b"sent" in bodies
    assert b"captured too" not in bodies
    assert sent.get_span_context().trace_id > 1 << 32


def test_instrumented_libraries_are_captured_time_after_time() -> None:
    """A FastAPI application that lives through several tests, as one in a module does."""
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def order(order_id: int) -> dict[str, int]:
        return {"id": order_id}

    async def ask() -> object:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
            return (await client.get("/orders/7")).json()

    for _ in range(2):
        with capture(instrument=True, slow_request_seconds=0) as telemetry:
            assert asyncio.run(ask()) == {"id": 7}
        assert "GET /orders/{order_id}" in telemetry.tree()
        assert telemetry.count("http.server.request.duration", {"http.route": "/orders/{order_id}"}) == 1


KEPT_TRACER = trace.get_tracer("kept by a module")
KEPT_COUNTER = metrics.get_meter("kept by a module").create_counter("test.kept")


@pytest.mark.parametrize("disabled", ["false", "true"])
def test_what_a_module_keeps_stays_good(disabled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tracer and instruments, got before any capture, whatever a variable says of sending."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", disabled)
    for _ in range(2):
        with capture() as telemetry:
            with KEPT_TRACER.start_as_current_span("kept"):
                KEPT_COUNTER.add(1)
            assert telemetry.value("test.kept") == 1
        assert telemetry.tree() == ["kept"]


def test_an_application_with_opentelemetry_of_its_own_is_captured() -> None:
    """Its processors get nothing of the block, and are there again after it."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    own = trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE
    trace._TRACER_PROVIDER = provider
    try:
        tracer = trace.get_tracer("shop")
        with capture() as telemetry, tracer.start_as_current_span("captured"):
            pass
        with tracer.start_as_current_span("sent"):
            pass
    finally:
        trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = own
    assert telemetry.tree() == ["captured"]
    assert [span.name for span in exporter.get_finished_spans()] == ["sent"]


def test_a_capture_that_fails_leaves_nothing() -> None:
    """Neither an exception in the block, nor one that ends a test."""
    with pytest.raises(KeyboardInterrupt), capture(), glasshouse.span("checkout"):
        raise KeyboardInterrupt
    with capture() as telemetry:
        assert telemetry.spans == []


def test_a_slow_request_can_be_made(captured_telemetry: Telemetry) -> None:
    """By the clock, and without waiting."""
    with trace.get_tracer("shop").start_as_current_span("GET /", kind=trace.SpanKind.SERVER):
        captured_telemetry.clock.advance(seconds=6)
    assert dict(captured_telemetry.span("GET /").attributes or {}) == {"glasshouse.slow_request": True}
    assert captured_telemetry.value("glasshouse.slow_requests") == 1
    with pytest.raises(ValueError, match="cannot go back"):
        captured_telemetry.clock.advance(seconds=-1)


@pytest.mark.captured_telemetry(log_level="ERROR")
def test_the_fixture_takes_settings(captured_telemetry: Telemetry) -> None:
    """By its marker."""
    logging.getLogger("shop").warning("not this")
    logging.getLogger("shop").error("this")
    assert [record.body for record in captured_telemetry.log_records] == ["this"]


def test_tasks_are_captured(captured_telemetry: Telemetry) -> None:
    """Spans of tasks side by side find their parents."""

    @glasshouse.span("job")
    async def job(number: int) -> None:
        with glasshouse.span(f"step {number}"):
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(job(1), job(2))

    asyncio.run(main())
    assert captured_telemetry.tree() == ["job", "  step 1", "job", "  step 2"]
