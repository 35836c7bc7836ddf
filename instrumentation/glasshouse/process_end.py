"""When the process ends, telemetry goes out first: at exit, on SIGTERM, in forked workers."""

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

Undo = Callable[[], None]


def install(end: Callable[[], object]) -> Undo:
    """Have `end` called once when the process ends, however it ends short of SIGKILL."""
    atexit.register(end)
    put_back = _on_sigterm(end)
    forks = _Forks(end)

    def undo() -> None:
        atexit.unregister(end)
        put_back()
        forks.active = False

    return undo


def _on_sigterm(end: Callable[[], object]) -> Undo:
    # Python dies of SIGTERM without running what is registered at exit. A server that handles the signal
    # itself (gunicorn, uvicorn, celery) takes our place; uvicorn then raises it again for whom it replaced.
    unhandled = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not unhandled or threading.current_thread() is not threading.main_thread():
        return lambda: None

    def handle(number: int, _frame: FrameType | None) -> None:
        end()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, handle)

    def undo() -> None:
        # Elsewhere than in the main thread a handler cannot be set.
        with contextlib.suppress(ValueError):
            if signal.getsignal(signal.SIGTERM) is handle:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)

    return undo


class _Forks:
    """Ends telemetry in children made by multiprocessing, which leave without running what is at exit."""

    def __init__(self, end: Callable[[], object]) -> None:
        self.active = True
        self._end = end
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def _in_child(self) -> None:
        multiprocessing = sys.modules.get("multiprocessing.util")
        if self.active and multiprocessing is not None:
            # It forgets its finalizers after the fork, then runs what is registered here.
            multiprocessing.register_after_fork(self, _Forks._register)

    def _register(self) -> None:
        multiprocessing = sys.modules["multiprocessing.util"]
        multiprocessing.Finalize(None, self._end, exitpriority=0)
