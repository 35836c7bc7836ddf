"""`span` and `trace_operation` around blocks and functions of every kind."""

import asyncio
import inspect
import threading
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import StatusCode

from glasshouse.attributes import attributes as converted
from glasshouse.attributes import text
from glasshouse.tracing import add_span_attributes, span, trace_operation
from memory_telemetry import MemoryTelemetry, attributes, identity, parent


def current_name() -> str:
    """Return the name of the current span, or nothing."""
    current: Any = trace.get_current_span()
    return str(getattr(current, "name", ""))


def test_a_block_is_a_span_with_attributes_that_is_current_inside(telemetry: MemoryTelemetry) -> None:
    """It begins and ends with the block, and its child belongs to it."""
    with span("checkout", cart_id=7, total=9.5) as outer:
        assert trace.get_current_span() is outer
        with span("pay"):
            assert current_name() == "pay"
        assert current_name() == "checkout"
    assert not trace.get_current_span().get_span_context().is_valid
    assert attributes(telemetry.span("checkout")) == {"cart.id": 7, "total": 9.5}
    assert parent(telemetry.span("pay")) == identity(telemetry.span("checkout"))[1]
    assert telemetry.span("checkout").status.status_code is StatusCode.UNSET


def test_a_function_is_traced_on_each_call_and_stays_what_it_was(telemetry: MemoryTelemetry) -> None:
    """Also when it calls itself."""

    @span("countdown", kind="recursive")
    def countdown(start: int, *, step: int = 1) -> int:
        """Count down."""
        return 0 if start <= 0 else 1 + countdown(start - step, step=step)

    assert countdown(2) == 2
    assert telemetry.spans() == ["countdown"] * 3
    assert str(inspect.signature(countdown)) == "(start: int, *, step: int = 1) -> int"
    assert (countdown.__name__, countdown.__doc__) == ("countdown", "Count down.")


def test_a_coroutine_function_is_traced_until_it_returns(telemetry: MemoryTelemetry) -> None:
    """Calls side by side each have their own span, whose children are theirs."""

    @span("fetch")
    async def fetch(name: str) -> str:
        add_span_attributes(part=name)
        await asyncio.sleep(0)
        with span(name):
            await asyncio.sleep(0)
        return name

    async def both() -> tuple[str, str]:
        async with span("both"):
            return await asyncio.gather(fetch("a"), fetch("b"))

    assert inspect.iscoroutinefunction(fetch)
    assert list(asyncio.run(both())) == ["a", "b"]
    fetched = {
        attributes(each)["part"]: identity(each)[1]
        for each in telemetry.finished.get_finished_spans()
        if each.name == "fetch"
    }
    assert parent(telemetry.span("a")) == fetched["a"]
    assert parent(telemetry.span("b")) == fetched["b"]


def test_a_generator_is_traced_while_its_own_code_runs(telemetry: MemoryTelemetry) -> None:
    """Its span is never current in the code that consumes it, and inner spans outlive a `yield`."""

    @span("produce")
    def produce() -> Any:
        with span("inner"):
            got = yield current_name()
            with span("innermost"):
                yield (got, current_name())
        try:
            yield "waiting"
        except KeyError:
            yield "caught"
        return "done"

    generator = produce()
    assert inspect.isgeneratorfunction(produce)
    assert telemetry.spans() == []
    assert (next(generator), current_name()) == ("inner", "")
    with span("consumer"):
        assert generator.send("sent") == ("sent", "innermost")
        assert current_name() == "consumer"
    assert next(generator) == "waiting"
    assert generator.throw(KeyError()) == "caught"
    with pytest.raises(StopIteration) as stopped:
        next(generator)
    assert stopped.value.value == "done"
    assert parent(telemetry.span("innermost")) == identity(telemetry.span("inner"))[1]
    assert parent(telemetry.span("inner")) == identity(telemetry.span("produce"))[1]
    assert parent(telemetry.span("consumer")) is None
    assert telemetry.span("produce").status.status_code is StatusCode.UNSET


def test_a_generator_that_is_left_ends_its_span_without_an_error(telemetry: MemoryTelemetry) -> None:
    """And its clean-up runs inside of the span."""
    cleaned: list[str] = []

    @span("produce")
    def produce() -> Any:
        try:
            yield 1
        finally:
            cleaned.append(current_name())

    generator = produce()
    next(generator)
    generator.close()
    assert cleaned == ["produce"]
    assert telemetry.span("produce").status.status_code is StatusCode.UNSET


def test_an_async_generator_is_traced_while_its_own_code_runs(telemetry: MemoryTelemetry) -> None:
    """As a streamed response is: sending, throwing, leaving early, and failing."""

    @trace_operation("stream")
    async def stream() -> Any:
        got = yield current_name()
        try:
            yield got
        except KeyError:
            yield "caught"
        raise ValueError("broken")

    async def consume() -> None:
        streaming = stream()
        assert await anext(streaming) == "stream"
        assert current_name() == ""
        assert await streaming.asend("sent") == "sent"
        assert await streaming.athrow(KeyError()) == "caught"
        with pytest.raises(ValueError, match="broken"):
            await anext(streaming)
        left = stream()
        await anext(left)
        await left.aclose()

    asyncio.run(consume())
    failed, left = telemetry.finished.get_finished_spans()
    assert failed.status.status_code is StatusCode.ERROR
    assert attributes(failed)["operation"] == "stream"
    assert left.status.status_code is StatusCode.UNSET


def test_an_exception_is_recorded_once_on_the_innermost_span(telemetry: MemoryTelemetry) -> None:
    """Every span that it leaves has the status ERROR, and it arrives where it would have."""

    @span("inner")
    def fail() -> None:
        raise LookupError("no such cart")

    with pytest.raises(LookupError, match="no such cart"), span("outer"):
        fail()
    inner, outer = telemetry.span("inner"), telemetry.span("outer")
    (event,) = inner.events
    assert event.name == "exception"
    assert attributes(event)["exception.type"] == "LookupError"
    assert attributes(event)["exception.message"] == "no such cart"
    assert "in fail\n" in attributes(event)["exception.stacktrace"]
    assert outer.events == ()
    for each in (inner, outer):
        assert each.status.status_code is StatusCode.ERROR
        assert each.status.description == "LookupError: no such cart"
        assert attributes(each)["error.type"] == "LookupError"


def test_an_exception_raised_again_in_another_trace_is_recorded_there(telemetry: MemoryTelemetry) -> None:
    """As a cached or module-level exception is."""
    again = TimeoutError("too late")
    for _ in range(2):
        with pytest.raises(TimeoutError), span("try"):
            raise again
    assert [len(each.events) for each in telemetry.finished.get_finished_spans()] == [1, 1]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit])
def test_what_ends_a_block_as_wanted_is_no_error(
    end: type[BaseException], telemetry: MemoryTelemetry
) -> None:
    """Cancelling a task, closing a generator and leaving the program are not failures of the operation."""
    with pytest.raises(end), span("work"):
        raise end
    assert telemetry.span("work").status.status_code is StatusCode.UNSET
    assert telemetry.span("work").events == ()


def test_attributes_are_made_encodable(telemetry: MemoryTelemetry) -> None:
    """Whatever an application passes, nothing of it breaks an exporter."""

    class Colour(Enum):
        RED = "red"

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with span("work", big=1 << 70, colour=Colour.RED, price=Decimal("1.5"), none=None):
        add_span_attributes(
            {"cart.sizes": [1, 2], 5: "five"},  # type: ignore[dict-item]
            mixed=[1, "a", None],
            user={"id": UUID(int=1), "plan": {"name": "free"}},
            broken=Broken(),
            surrogate="\ud800",
            long="x" * 20_000,
        )
    recorded = dict(attributes(telemetry.span("work")))
    assert len(recorded.pop("long")) == 16_384
    assert recorded == {
        "big": str(1 << 70),
        "colour": "red",
        "price": "1.5",
        "cart.sizes": (1, 2),
        "5": "five",
        "mixed": ("1", "a"),
        "user.id": str(UUID(int=1)),
        "user.plan.name": "free",
        "broken": "<Broken that cannot be shown>",
        "surrogate": "?",
    }


def test_more_attributes_than_allowed_are_counted() -> None:
    """Sixty-four are kept."""
    given = converted({f"name{number}": number for number in range(70)})
    assert len(given) == 65
    assert given["glasshouse.dropped_attributes"] == 6
    assert text(b"\xff\x00") == "\\xff\x00"


def test_adding_attributes_without_a_span_does_nothing(telemetry: MemoryTelemetry) -> None:
    """No span comes of it."""
    add_span_attributes(user_id=4)
    assert telemetry.spans() == []


def test_spans_made_before_the_set_up_cost_nothing_and_break_nothing() -> None:
    """Without a provider the block still runs, and the current span records nothing."""
    with span("early", user_id=1) as early:
        assert not early.is_recording()


def test_a_failing_tracing_set_up_never_reaches_the_application(
    monkeypatch: pytest.MonkeyPatch, telemetry: MemoryTelemetry, caplog: pytest.LogCaptureFixture
) -> None:
    """The block runs and its result counts; the failure is logged. Under pytest it would be raised."""

    class Failing(SpanProcessor):
        def on_start(self, *_: object, **__: object) -> None:
            raise RuntimeError("processor broken")

        def on_end(self, *_: object) -> None:
            raise RuntimeError("processor broken")

    provider = trace.get_tracer_provider()
    assert isinstance(provider, TracerProvider)
    provider.add_span_processor(Failing())
    with pytest.raises(RuntimeError, match="processor broken"):
        span("work").__enter__()
    monkeypatch.delenv("PYTEST_VERSION")
    with span("work"):
        result = 1
    assert result == 1
    assert "starting a span failed: RuntimeError: processor broken" in caplog.text


def test_a_block_left_in_another_context_says_nothing(
    telemetry: MemoryTelemetry, caplog: pytest.LogCaptureFixture
) -> None:
    """As when the event loop closes an async generator in a task of its own."""
    block = span("work")
    thread = threading.Thread(target=block.__enter__)
    thread.start()
    thread.join()
    block.__exit__(None, None, None)
    assert telemetry.spans() == ["work"]
    assert caplog.text == ""
