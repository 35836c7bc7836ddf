"""The services of the shop as processes: their sockets, their releases, their telemetry."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx

from glasshouse_shop import admission, processes, switchboard, trouble
from glasshouse_shop.ending import Ending
from glasshouse_shop.faults import GOOD_RELEASE
from glasshouse_shop.processes import Child

WORKER = "worker"
OUTSIDE = "outside"
SERVED = ("gateway", "checkout", "payment", "cart", "catalog")  # callers first
ENVIRONMENT = "demo"

_WAY_IN = frozenset({admission.KEY, admission.HEADERS, *admission.CERTIFICATES})
_STARTING_SECONDS = 120.0
_ENDING_SECONDS = 15.0
# What is sent is seen within seconds, not after a minute.
_TELEMETRY = {
    "OTEL_BSP_SCHEDULE_DELAY": "1000",
    "OTEL_BLRP_SCHEDULE_DELAY": "1000",
    "OTEL_METRIC_EXPORT_INTERVAL": "2000",
    # Nobody waits long for the end, also where the collector is away.
    "GLASSHOUSE_SHUTDOWN_SECONDS": "5",
    # Asked while the shop opens, over and over.
    "OTEL_PYTHON_EXCLUDED_URLS": "/live$",
    # It logs each request, which is a span already.
    "GLASSHOUSE_LOG_LEVELS": "httpx=WARNING",
}


class Services:
    """Starts, replaces and stops the services, with their files in `folder`, sending to `endpoint`."""

    def __init__(self, folder: Path, endpoint: str, board: Path) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._sockets = {name: processes.listening_socket() for name in (*SERVED, OUTSIDE)}
        self._children: dict[str, Child] = {}
        self._leaving: list[Child] = []
        # Their working directory, so that the name of a database is no path of this machine.
        self._databases = folder / "databases"
        self._databases.mkdir(exist_ok=True)
        for left in self._databases.iterdir():
            left.unlink()
        self._environ = environment() | {
            switchboard.VARIABLE: str(board.resolve()),
            **{f"SHOP_{name.upper()}_URL": self._url(name) for name in SERVED},
            "SHOP_BANK_URL": self._url(OUTSIDE),
            "SHOP_MODEL_URL": self._url(OUTSIDE),
        }

    @property
    def gateway(self) -> str:
        """The URL that visitors use."""
        return self._url("gateway")

    def start(self, ending: Ending) -> None:
        """Start all of them, and wait until they answer."""
        self._children[OUTSIDE] = self._start_outside()
        for name in (*SERVED, WORKER):
            self._children[name] = self._start(name, GOOD_RELEASE)
        for name in (OUTSIDE, *SERVED):
            ending.wait_until(partial(self._answers, name), f"{name} answers", _STARTING_SECONDS)

    def release(self, name: str, release: str, ending: Ending, *, taken_over: Callable[[], None]) -> None:
        """Replace a service by another release of itself; no request is refused meanwhile.

        `taken_over` is called when the release begins to serve.
        """
        before = self._children[name]
        if name == WORKER:
            # Two of them would ship an order twice.
            processes.stop([before], _ENDING_SECONDS, ending.hurried)
            self._children[name] = self._start(name, release)
            taken_over()
            return
        # Both listen on the same socket for a moment.
        self._leaving.append(before)
        self._children[name] = self._start(name, release)
        ending.wait_until(lambda: self._serves(name, release), f"{name} {release} answers", _STARTING_SECONDS)
        taken_over()
        processes.stop([before], _ENDING_SECONDS, ending.hurried)
        self._leaving.remove(before)

    def check(self) -> None:
        """ChildProcessError where a service has ended by itself."""
        for child in self._children.values():
            child.check()

    def stop(self, hurried: Callable[[], bool]) -> None:
        """End all of them, and close their sockets."""
        processes.stop([*self._children.values(), *self._leaving], _ENDING_SECONDS, hurried)
        for listening in self._sockets.values():
            listening.close()

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._sockets[name].getsockname()[1]}"

    def _start(self, name: str, release: str) -> Child:
        """Start a service as docs/instrument.md says: by `glasshouse run`, or its own `configure()`."""
        settings = {
            "OTEL_SERVICE_NAME": name,
            "GLASSHOUSE_ENDPOINT": self._endpoint,
            "GLASSHOUSE_ENVIRONMENT": ENVIRONMENT,
            "GLASSHOUSE_RELEASE": release,
            "GLASSHOUSE_SPOOL_DIR": str(self._folder.resolve() / "spool"),
            trouble.RELEASE_VARIABLE: release,
            **_TELEMETRY,
        }
        if name == WORKER:
            command, fds = [sys.executable, "-m", "glasshouse_shop.worker"], []
        else:
            fds = [self._sockets[name].fileno()]
            served = _uvicorn(f"glasshouse_shop.{name}:app", fds[0], "--header", f"x-release:{release}")
            command = [*processes.program(), "run", "--", *served]
        environ = self._environ | settings
        return processes.start(name, command, environ, self._log(name), cwd=self._databases, pass_fds=fds)

    def _start_outside(self) -> Child:
        fd = self._sockets[OUTSIDE].fileno()
        command = [sys.executable, "-m", *_uvicorn("glasshouse_shop.outside:app", fd)]
        environ = self._environ | {"OTEL_SDK_DISABLED": "true"}
        return processes.start(OUTSIDE, command, environ, self._log(OUTSIDE), pass_fds=[fd])

    def _log(self, name: str) -> Path:
        return self._folder / "logs" / f"{name}.log"

    def _answers(self, name: str) -> bool:
        self.check()
        return self._live(name) is not None

    def _serves(self, name: str, release: str) -> bool:
        self.check()
        answer = self._live(name)
        return answer is not None and answer.headers.get("x-release") == release

    def _live(self, name: str) -> httpx.Response | None:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self._url(name)}/live", timeout=1.0).raise_for_status()
        return None


def _uvicorn(app: str, fd: int, *options: str) -> list[str]:
    return ["uvicorn", app, "--fd", str(fd), "--no-access-log", *options]


def environment() -> dict[str, str]:
    """Return this process's environment without what it says of telemetry; how to get in stays."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _WAY_IN or not name.startswith(("OTEL_", "GLASSHOUSE_", "SENTRY_"))
    } | {"PYTHONUNBUFFERED": "1"}
