"""One check: run at most once at a time, in its own thread or task, and waited for only so long."""

import asyncio
import contextvars
import inspect
import os
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

from glasshouse.failures import log
from glasshouse.health import outcome
from glasshouse.health.outcome import Outcome

Call = Callable[[], object | Awaitable[object]]


@dataclass
class Run:
    """A check that was started, and what is to come of it."""

    loop: asyncio.AbstractEventLoop | None
    started: float = field(default_factory=time.monotonic)
    process: int = field(default_factory=os.getpid)
    future: "Future[Outcome]" = field(default_factory=Future)
    task: "asyncio.Task[Outcome] | None" = None

    def goes_on(self) -> bool:
        """Whether somebody still works on it: not after a fork, nor in a loop that is closed."""
        lost = self.process != os.getpid() or (self.loop is not None and self.loop.is_closed())
        return not lost and not self.future.done()

    def finish(self, result: Outcome) -> None:
        """Tell whoever waits; the first result counts."""
        with suppress(InvalidStateError):
            self.future.set_result(result)


class Check:
    """A named callable. However many ask, it runs once at a time; who asks meanwhile gets the same answer.

    A run that hangs keeps its thread, one, until it returns; each answer comes in time nevertheless.
    """

    def __init__(self, name: str, call: Call, timeout: float, *, critical: bool) -> None:
        self.name, self.timeout, self.critical = name, timeout, critical
        self._call = call
        self._run: Run | None = None
        self._lock = threading.Lock()
        self._last: outcome.Status = "healthy"

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> Run:
        """Start a run, or return the one that goes on; `loop` is the running loop, if there is one."""
        with self._lock:
            if self._run is not None and self._run.goes_on():
                return self._run
            asynchronous = _is_asynchronous(self._call)
            run = self._run = Run((loop or _background_loop()) if asynchronous else None)
        context = contextvars.copy_context()
        if run.loop is None:
            self._start_thread(run, context)
        elif run.loop is loop:
            self._start_task(run, context)
        else:
            run.loop.call_soon_threadsafe(self._start_task, run, context)
        return run

    def wait(self, run: Run) -> Outcome:
        """Return how a run turned out, at the latest `timeout` seconds after it started."""
        with suppress(TimeoutError):
            return self._seen(run.future.result(max(0.0, self._left(run))))
        return self._seen(self._expired(run))

    async def wait_async(self, run: Run) -> Outcome:
        """Return how a run turned out, at the latest `timeout` seconds after it started."""
        left = self._left(run)
        if not run.future.done() and left > 0:
            loop, done = asyncio.get_running_loop(), asyncio.Event()

            def tell(_: object) -> None:
                with suppress(RuntimeError):  # the loop is closed: nobody waits
                    loop.call_soon_threadsafe(done.set)

            run.future.add_done_callback(tell)
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), left)
        return self._seen(run.future.result() if run.future.done() else self._expired(run))

    def _left(self, run: Run) -> float:
        return run.started + self.timeout - time.monotonic()

    def _expired(self, run: Run) -> Outcome:
        elapsed = time.monotonic() - run.started
        if run.loop is not None and run.task is not None:
            with suppress(RuntimeError):
                run.loop.call_soon_threadsafe(run.task.cancel)
        return Outcome("unhealthy", f"no answer within {self.timeout:g} s", elapsed)

    def _start_thread(self, run: Run, context: contextvars.Context) -> None:
        # Not of a pool, whose threads the end of the process would wait for.
        thread = threading.Thread(
            target=context.run, args=(self._in_thread, run), name=f"glasshouse-check-{self.name}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as failure:
            run.finish(outcome.of_failure(failure, 0.0))

    def _in_thread(self, run: Run) -> None:
        try:
            returned = self._call()
            if inspect.isawaitable(returned):
                returned = asyncio.run(_awaited(returned))
            result = outcome.of_return(returned, time.monotonic() - run.started)
        except BaseException as failure:  # noqa: BLE001 - whatever it is, it is the check's outcome
            result = outcome.of_failure(failure, time.monotonic() - run.started)
        run.finish(result)

    def _start_task(self, run: Run, context: contextvars.Context) -> None:
        assert run.loop is not None  # noqa: S101
        run.task = run.loop.create_task(self._in_task(run), context=context)
        run.task.add_done_callback(lambda task: run.finish(_result(task, run)))

    async def _in_task(self, run: Run) -> Outcome:
        try:
            returned = self._call()
            if inspect.isawaitable(returned):
                returned = await returned
            return outcome.of_return(returned, time.monotonic() - run.started)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is the check's outcome
            return outcome.of_failure(failure, time.monotonic() - run.started)

    def _seen(self, result: Outcome) -> Outcome:
        # Probes come every few seconds; a line each would hide the rest of the log.
        if result.status != self._last:
            self._last = result.status
            level = "info" if result.status == "healthy" else "warning"
            getattr(log, level)("health check %s is %s: %s", self.name, result.status, result.detail or "ok")
        return result


def _result(task: "asyncio.Task[Outcome]", run: Run) -> Outcome:
    if task.cancelled():
        return Outcome("unhealthy", "the check was cancelled", time.monotonic() - run.started)
    failure = task.exception()
    if failure is not None:
        return outcome.of_failure(failure, time.monotonic() - run.started)
    return task.result()


async def _awaited(returned: Awaitable[object]) -> object:
    return await returned


def _is_asynchronous(call: Call) -> bool:
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004


class _Background:
    """A loop for asynchronous checks where none runs, in a thread of its own."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="glasshouse-checks", daemon=True).start()


_background_lock = threading.Lock()
_background: _Background | None = None


def _background_loop() -> asyncio.AbstractEventLoop:
    global _background  # noqa: PLW0603 - one in a process
    with _background_lock:
        if _background is None or _background.process != os.getpid():
            _background = _Background()
        return _background.loop
