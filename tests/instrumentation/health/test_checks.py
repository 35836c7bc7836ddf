"""Checks: judged by what they return and raise, side by side, once at a time, never waited for too long."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse import health as public
from glasshouse.health import Degraded, Health, Outcome, Unhealthy
from glasshouse.health.check import Check
from glasshouse.health.outcome import scrubbed

PASSWORD = "hunter2"
LEAK = f"could not connect to postgresql://shop:{PASSWORD}@db/shop"


def _raise(failure: BaseException) -> None:
    raise failure


def _asked(health: Health, *, asynchronous: bool) -> dict[str, Outcome]:
    report = asyncio.run(health.report_async()) if asynchronous else health.report()
    return dict(report.outcomes)


async def _later(call: Callable[[], object]) -> object:
    await asyncio.sleep(0)
    return call()


JUDGED: dict[str, tuple[Callable[[], object], str, str | None]] = {
    "nothing": (lambda: None, "healthy", None),
    "true": (lambda: True, "healthy", None),
    "an object": (object, "healthy", None),
    "a text": (lambda: "3 workers", "healthy", "3 workers"),
    "false": (lambda: False, "unhealthy", "the check returned False"),
    "degraded": (partial(_raise, Degraded("replica is 30 s behind")), "degraded", "replica is 30 s behind"),
    "unhealthy": (partial(_raise, Unhealthy("no disk left")), "unhealthy", "no disk left"),
    "an error": (partial(_raise, ValueError(LEAK)), "unhealthy", "ValueError"),
    "a system error": (
        partial(_raise, ConnectionRefusedError(111, "Connection refused")),
        "unhealthy",
        "ConnectionRefusedError (Connection refused)",
    ),
}


@pytest.mark.parametrize("asynchronous", [False, True], ids=["waiting", "awaiting"])
@pytest.mark.parametrize("kind", ["plain", "coroutine", "returns an awaitable"])
@pytest.mark.parametrize("name", JUDGED)
def test_judged_by_what_it_returns_or_raises(
    health: Health, name: str, kind: str, asynchronous: bool
) -> None:
    """Plain and asynchronous checks alike, from a thread and from a loop, give status and detail."""
    call, status, detail = JUDGED[name]

    async def coroutine() -> object:
        return await _later(call)

    kinds: dict[str, public.Call] = {
        "plain": call,
        "coroutine": coroutine,
        "returns an awaitable": lambda: _later(call),
    }
    health.register("it", kinds[kind])
    outcome = _asked(health, asynchronous=asynchronous)["it"]
    assert (outcome.status, outcome.detail) == (status, detail)
    assert outcome.duration_seconds >= 0


def test_even_an_exit_is_an_outcome(health: Health) -> None:
    """A plain check that tries to end the process only fails."""
    health.register("exit", partial(_raise, SystemExit(1)))
    assert _asked(health, asynchronous=False)["exit"].detail == "SystemExit"


@pytest.mark.parametrize(
    ("statuses", "together"),
    [
        ({}, "healthy"),
        ({"a": ("healthy", True), "b": ("healthy", False)}, "healthy"),
        ({"a": ("healthy", True), "b": ("unhealthy", False)}, "degraded"),
        ({"a": ("degraded", True)}, "degraded"),
        ({"a": ("degraded", False), "b": ("unhealthy", True)}, "unhealthy"),
        ({"a": ("unhealthy", True), "b": ("degraded", True)}, "unhealthy"),
    ],
)
def test_all_together(health: Health, statuses: dict[str, tuple[str, bool]], together: str) -> None:
    """A critical failure makes the whole unhealthy, anything else that is amiss makes it degraded."""
    calls: dict[str, public.Call] = {
        "healthy": lambda: None,
        "degraded": partial(_raise, Degraded()),
        "unhealthy": lambda: False,
    }
    for name, (status, critical) in statuses.items():
        health.register(name, calls[status], critical=critical)
    assert health.report().status == together
    assert set(health.report(only_critical=True).outcomes) == {
        name for name, (_, critical) in statuses.items() if critical
    }


@pytest.mark.parametrize("asynchronous", [False, True], ids=["waiting", "awaiting"])
def test_side_by_side(health: Health, asynchronous: bool) -> None:
    """Checks that can only finish together do finish: they run at the same time, of both kinds."""
    barrier = threading.Barrier(3)

    async def third() -> None:
        await asyncio.to_thread(barrier.wait)

    health.register("first", lambda: barrier.wait() and None, timeout=30)
    health.register("second", lambda: barrier.wait() and None, timeout=30)
    health.register("third", third, timeout=30)
    assert {each.status for each in _asked(health, asynchronous=asynchronous).values()} == {"healthy"}


@pytest.mark.parametrize("asynchronous", [False, True], ids=["waiting", "awaiting"])
def test_a_hanging_check_holds_nobody_up(
    health: Health, released: threading.Event, asynchronous: bool
) -> None:
    """A check that hangs is unhealthy in time, however often it is asked, and costs one thread."""
    started: list[int] = []

    def hang() -> None:
        started.append(threading.get_ident())
        released.wait()

    health.register("hangs", hang, timeout=0.05)
    health.register("works", lambda: None)
    for _ in range(5):
        outcomes = _asked(health, asynchronous=asynchronous)
        assert (outcomes["hangs"].status, outcomes["works"].status) == ("unhealthy", "healthy")
        assert outcomes["hangs"].detail == "no answer within 0.05 s"
    assert len(started) == 1


def test_a_check_that_came_back_is_run_again(health: Health) -> None:
    """After it hung and returned, a check is asked anew, and is healthy."""
    gate = threading.Event()
    returned = threading.Event()

    def slow() -> None:
        gate.wait()
        returned.set()

    health.register("slow", slow, timeout=0.05)
    assert health.report().status == "unhealthy"
    gate.set()
    assert returned.wait(30)
    while health.report().status != "healthy":  # the thread's last steps; pytest's timeout is the deadline
        pass


def test_an_asynchronous_check_that_refuses_to_end(health: Health) -> None:
    """A coroutine that swallows its cancellation holds up neither the answer nor the loop."""

    async def ask() -> list[public.Status]:
        stop = asyncio.Event()

        async def stubborn() -> None:
            while not stop.is_set():
                try:
                    await stop.wait()
                except asyncio.CancelledError:
                    continue

        health.register("stubborn", stubborn, timeout=0.05)
        statuses = [(await health.report_async()).outcomes["stubborn"].status for _ in range(2)]
        stop.set()
        return statuses

    assert asyncio.run(ask()) == ["unhealthy", "unhealthy"]


def test_an_asynchronous_check_is_cancelled_in_time(health: Health) -> None:
    """What a cancelled check held, it can give back: its `finally` runs."""
    ended: list[bool] = []

    async def ask() -> Outcome:
        async def hang() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        health.register("hangs", hang, timeout=0.05)
        outcome = (await health.report_async()).outcomes["hangs"]
        while not ended:
            await asyncio.sleep(0)
        return outcome

    assert asyncio.run(ask()).detail == "no answer within 0.05 s"


def test_asynchronous_checks_run_in_the_loop_that_asks(health: Health) -> None:
    """A client that belongs to the application's loop is used in it."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def check() -> None:
        loops.append(asyncio.get_running_loop())

    health.register("loop", check)

    async def ask() -> bool:
        await health.report_async()
        return loops == [asyncio.get_running_loop()]

    assert asyncio.run(ask())
    health.report()
    health.report()
    assert loops[1] is loops[2]
    assert loops[1] is not loops[0]


def test_a_loop_that_ended_takes_no_check_with_it(health: Health) -> None:
    """A check whose loop was closed under it is run again in the next."""
    calls: list[int] = []

    async def check() -> None:
        calls.append(1)
        if len(calls) == 1:
            await asyncio.Event().wait()

    health.register("it", check, timeout=30)
    loop = asyncio.new_event_loop()

    async def ask_and_leave() -> None:
        asking = asyncio.ensure_future(health.report_async())
        while not calls:
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])

    loop.run_until_complete(ask_and_leave())
    left = asyncio.all_tasks(loop)
    loop.close()
    assert asyncio.run(health.report_async()).status == "healthy"
    for task in left:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.get_coro().close()


def test_a_forked_worker_asks_anew(health: Health, released: threading.Event) -> None:
    """A worker forked while a check ran does not wait for a thread that only its parent has."""
    parent = os.getpid()
    health.register("it", lambda: released.wait() if os.getpid() == parent else None, timeout=0.05)
    assert health.report().status == "unhealthy"
    child = os.fork()
    if child == 0:
        os._exit(0 if health.report().status == "healthy" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_changes_are_logged_once(health: Health, caplog: pytest.LogCaptureFixture) -> None:
    """The log says when a check changes, not at each probe."""
    caplog.set_level(logging.INFO, "glasshouse")
    works = [False]
    health.register("it", lambda: works[0])
    for _ in range(3):
        health.report()
    works[0] = True
    for _ in range(3):
        health.report()
    assert [record.getMessage() for record in caplog.records] == [
        "health check it is unhealthy: the check returned False",
        "health check it is healthy: ok",
    ]


def test_checks_can_be_replaced_and_removed(health: Health) -> None:
    """A name has one check, the last; removing one that is not there is fine."""
    health.register("it", lambda: False)
    health.register("it", lambda: True)
    assert health.report().status == "healthy"
    health.unregister("it")
    health.unregister("it")
    assert health.report().outcomes == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": ""}, "name: should be a text"),
        ({"check": "https://example.com"}, "check: should be a callable"),
        ({"timeout": 0}, "timeout: should be a number of seconds above 0"),
        ({"timeout": float("inf")}, "timeout: should be a number of seconds above 0"),
    ],
)
def test_wrong_arguments_are_named(health: Health, arguments: dict[str, Any], says: str) -> None:
    """What is wrong is said where it is registered."""
    wrong: dict[str, Any] = {"name": "it", "check": lambda: None} | arguments
    with pytest.raises((TypeError, ValueError), match=says):
        health.register(**wrong)


def test_the_module_has_checks_of_its_own() -> None:
    """`glasshouse.health` itself is what most applications register with."""
    public.register("it", lambda: "fine")
    try:
        assert public.report().outcomes["it"].detail == "fine"
    finally:
        public.unregister("it")


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://shop:{PASSWORD}@db/shop refused",
        f"redis://:{PASSWORD}@cache:6379/0",
        f"https://user:p@ss/{PASSWORD}@example.com",
        f"connect(host=db, password={PASSWORD})",
        f"{{'password': '{PASSWORD}', 'host': 'db'}}",
        f'{{"api_key": "{PASSWORD} and more"}}',
        f"DB_PASSWORD={PASSWORD};Server=db",
        f"PWD = {PASSWORD}",
        f"Authorization: Bearer {PASSWORD}",
        f"authorization: basic {PASSWORD}",
        f"GET /?token={PASSWORD}&x=1",
    ],
)
def test_secrets_in_texts_are_masked(text: str) -> None:
    """Even in a text that an application wrote itself, what looks like a password is not shown."""
    assert PASSWORD not in scrubbed(text)


@given(st.text(max_size=1000))
def test_scrubbing_takes_any_text(text: str) -> None:
    """Any text is cut to 200 characters, and stays as it is where it has no secret."""
    assert len(scrubbed(text)) <= 200
    assert scrubbed("all is well") == "all is well"


def test_a_long_hostile_text_is_scrubbed_in_no_time() -> None:
    """A text made to slow the masking down is cut before."""
    for hostile in ("://" * 1_000_000, "password" * 1_000_000, "a" * 5_000_000, "api_key " * 500_000):
        assert len(scrubbed(hostile)) <= 200


def test_causes_are_named_without_their_messages(health: Health) -> None:
    """An error's causes are shown by type, and by what the system says; no message is."""

    def check() -> None:
        try:
            raise ConnectionRefusedError(111, "Connection refused")
        except OSError as cause:
            raise RuntimeError(LEAK) from cause

    health.register("it", check)
    assert health.report().outcomes["it"].detail == (
        "RuntimeError, caused by ConnectionRefusedError (Connection refused)"
    )


def test_a_process_without_threads_left_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started, the check is unhealthy instead of the endpoint failing."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    check = Check("it", lambda: None, 1.0, critical=True)
    assert check.wait(check.start()).detail == "RuntimeError"
