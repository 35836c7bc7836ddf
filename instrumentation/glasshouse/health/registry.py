"""The checks of an application by name, run side by side, and what they say together."""

import asyncio
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opentelemetry import trace

from glasshouse.health.check import Call, Check
from glasshouse.health.outcome import Outcome, Status


@dataclass(frozen=True)
class Report:
    """What all checks said: unhealthy where a critical one is, degraded where anything else is amiss."""

    status: Status
    outcomes: Mapping[str, Outcome]
    critical: frozenset[str]


class Health:
    """The checks of one application. `version` is shown, by default the service.version of `configure`."""

    def __init__(self, version: str | None = None) -> None:
        self._version = version
        self._checks: dict[str, Check] = {}
        self._lock = threading.Lock()

    def register(self, name: str, check: Call, *, timeout: float = 5.0, critical: bool = True) -> None:
        """Add a check, or replace the one of this name.

        A check is any callable, plain or asynchronous: it is healthy where it returns, with a text as
        detail; raise `Degraded` or `Unhealthy`, or anything, or return False, where it is not. After
        `timeout` seconds it is unhealthy. One that is not critical makes the whole degraded at worst, and
        does not count for /ready. ValueError or TypeError where an argument is wrong.
        """
        if not name or not isinstance(name, str):
            raise ValueError(f"name: should be a text, not {name!r}")
        if not callable(check):
            raise TypeError(
                f"check: should be a callable, as health.sqlalchemy(engine), not {type(check).__name__}"
            )
        if not (timeout > 0 and math.isfinite(timeout)):
            raise ValueError(f"timeout: should be a number of seconds above 0, not {timeout!r}")
        with self._lock:
            self._checks[name] = Check(name, check, timeout, critical=critical)

    def unregister(self, name: str) -> None:
        """Remove a check, if there is one of this name."""
        with self._lock:
            self._checks.pop(name, None)

    def report(self, *, only_critical: bool = False) -> Report:
        """Run the checks side by side; it takes as long as the slowest, at most the longest timeout."""
        checks = self._chosen(only_critical)
        runs = [(check, check.start()) for check in checks]
        return _judged(checks, [check.wait(run) for check, run in runs])

    async def report_async(self, *, only_critical: bool = False) -> Report:
        """Run the checks side by side, asynchronous ones in the running loop, others in threads."""
        checks, loop = self._chosen(only_critical), asyncio.get_running_loop()
        runs = [(check, check.start(loop)) for check in checks]
        return _judged(checks, await asyncio.gather(*(check.wait_async(run) for check, run in runs)))

    def service(self) -> dict[str, str]:
        """Return name and version of the service, as far as they are known."""
        resource = getattr(trace.get_tracer_provider(), "resource", None)
        attributes = resource.attributes if resource is not None else {}
        named = {
            "service": attributes.get("service.name"),
            "version": self._version or attributes.get("service.version"),
        }
        return {name: str(value) for name, value in named.items() if value}

    def _chosen(self, only_critical: bool) -> list[Check]:
        with self._lock:
            return [check for check in self._checks.values() if check.critical or not only_critical]


def _judged(checks: Sequence[Check], outcomes: Sequence[Outcome]) -> Report:
    status: Status = "healthy"
    for check, result in zip(checks, outcomes, strict=True):
        if check.critical and result.status == "unhealthy":
            status = "unhealthy"
        elif result.status != "healthy" and status == "healthy":
            status = "degraded"
    return Report(
        status,
        {check.name: result for check, result in zip(checks, outcomes, strict=True)},
        frozenset(check.name for check in checks if check.critical),
    )


default = Health()
