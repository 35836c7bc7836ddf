"""What is bound reaches spans, records and errors of its request, and no other's."""

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from opentelemetry import _logs, context, propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import glasshouse
from glasshouse import bind, bound, capture_exception, failures
from memory_telemetry import MemoryTelemetry, attributes


def _span(name: str, **given: Any) -> AbstractContextManager[trace.Span]:
    # Of the provider of this test: a tracer keeps to the first provider that it has met.
    return trace.get_tracer(__name__).start_as_current_span(name, **given)


def test_it_is_the_public_name() -> None:
    """`glasshouse.bind` and `glasshouse.bound` are these."""
    assert (glasshouse.bind, glasshouse.bound) == (bind, bound)


def test_names_are_those_of_attributes() -> None:
    """A trailing `_id` becomes `.id`; other names, and those with dots, stay."""
    bind(user_id=7, workspace_id="w", session_id="s", plan="gold", id="i", **{"shop.region": "eu"})
    assert dict(bound()) == {
        "user.id": 7,
        "workspace.id": "w",
        "session.id": "s",
        "plan": "gold",
        "id": "i",
        "shop.region": "eu",
    }


def test_spans_records_and_errors_have_it(telemetry: MemoryTelemetry) -> None:
    """The current span at once, and all that comes after; what a span or record says itself stays."""
    with _span("request"):
        bind(user_id="u1", plan="gold")
        with _span("inner", attributes={"plan": "silver"}):
            _logs.get_logger("shop").emit(body="said", attributes={"plan": "none"})
        capture_exception(ValueError("wrong"))
    assert attributes(telemetry.span("request"))["user.id"] == "u1"
    assert attributes(telemetry.span("inner")) == {"plan": "silver", "user.id": "u1"}
    said, error = telemetry.records()
    assert attributes(said) == {"plan": "none", "user.id": "u1"}
    assert attributes(error)["user.id"] == "u1"


def test_a_block_takes_back_what_it_bound(telemetry: MemoryTelemetry) -> None:
    """And what was bound within it; None takes one value away."""
    bind(user_id="u1", plan="gold")
    with bind(user_id="u2", plan=None):
        bind(extra=1)
        assert dict(bound()) == {"user.id": "u2", "extra": 1}
    assert dict(bound()) == {"user.id": "u1", "plan": "gold"}


def test_another_request_in_the_same_thread_never_has_it(telemetry: MemoryTelemetry) -> None:
    """Workers serve one after the other in one context; what is bound outside of requests stays."""
    bind(worker="w1")
    with _span("first"):
        bind(user_id="u1")
    assert dict(bound()) == {"worker": "w1"}
    with _span("second"):
        assert dict(bound()) == {"worker": "w1"}
    assert attributes(telemetry.span("second")) == {"worker": "w1"}


def test_nor_another_request_of_the_same_trace(telemetry: MemoryTelemetry) -> None:
    """A batch job calls the same worker for one user after the other, in one trace."""
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for user in ("u1", None):
        token = context.attach(propagate.extract({"traceparent": traceparent}))
        with _span(f"request of {user}"):
            if user:
                bind(user_id=user)
        context.detach(token)
    assert attributes(telemetry.span("request of None")) == {}


def test_requests_that_are_not_sampled_do_not_mix() -> None:
    """There the SDK starts no span that could be seen."""
    unsampled = TracerProvider(sampler=ALWAYS_OFF).get_tracer(__name__)
    with unsampled.start_as_current_span("first"):
        bind(user_id="u1")
        with unsampled.start_as_current_span("inner"):
            assert dict(bound()) == {"user.id": "u1"}
    with unsampled.start_as_current_span("second"):
        assert dict(bound()) == {}


def test_tasks_of_a_request_have_it_and_keep_theirs() -> None:
    """What a task binds is seen by it and its children alone."""
    seen: list[dict[str, Any]] = []

    async def item(number: int) -> None:
        bind(item_id=number)
        await asyncio.sleep(0)
        seen.append(dict(bound()))

    async def request() -> None:
        bind(user_id="u1")
        await asyncio.gather(item(1), item(2))
        seen.append(dict(bound()))
        await asyncio.to_thread(lambda: seen.append(dict(bound())))

    asyncio.run(request())
    assert seen == [
        {"user.id": "u1", "item.id": 1},
        {"user.id": "u1", "item.id": 2},
        {"user.id": "u1"},
        {"user.id": "u1"},
    ]


def test_a_plain_thread_begins_with_nothing() -> None:
    """Python gives threads a context of their own; who wants it there passes it on."""
    bind(user_id="u1")
    with ThreadPoolExecutor(1) as pool:
        assert dict(pool.submit(bound).result()) == {}
        assert dict(pool.submit(contextvars.copy_context().run, bound).result()) == {"user.id": "u1"}


def test_a_block_may_end_in_another_context() -> None:
    """As a generator's does that is begun in one task and closed in another."""

    @asynccontextmanager
    async def dependency() -> AsyncIterator[None]:
        with bind(user_id="u1"):
            yield

    async def run() -> None:
        opened = dependency()
        await asyncio.create_task(opened.__aenter__())
        await asyncio.create_task(opened.__aexit__(None, None, None))
        assert dict(bound()) == {}

    asyncio.run(run())


def test_what_is_bound_is_bounded() -> None:
    """In number, in length, and in the traces that one thread remembers."""
    with pytest.raises(ValueError, match="at most 32 values can be bound: v32, v33 left out"):
        bind(**{f"v{number}": "x" * 5_000 for number in range(34)})
    assert len(bound()) == 32
    assert {len(str(value)) for value in bound().values()} == {1024}
    for number in range(100):
        unsampled = TracerProvider(sampler=ALWAYS_OFF).get_tracer(__name__)
        with unsampled.start_as_current_span("job"):
            bind(v0=number)
    assert len(glasshouse.context._bound.get()) <= 8


def test_in_production_it_never_raises(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What does not fit is left out, and said in the log; the block runs."""
    monkeypatch.delenv("PYTEST_VERSION")
    monkeypatch.setattr(failures, "_reports", {})
    with caplog.at_level(logging.WARNING), bind(**{f"v{number}": number for number in range(40)}):
        assert len(bound()) == 32
    assert "bind failed" in caplog.text


class _Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_values_become_what_can_be_exported() -> None:
    """Ids are often objects; nothing that is bound can fail later."""
    bind(user_id=UUID(int=1), name="\udc80", hostile=_Hostile(), roles=["a", "b"])
    assert dict(bound()) == {
        "user.id": "00000000-0000-0000-0000-000000000001",
        "name": "?",
        "hostile": "<_Hostile that cannot be shown>",
        "roles": ["a", "b"],
    }
