"""The extension `insights`: every minute, in one collector of many, what went wrong in each project."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final

from fastapi import APIRouter

from glasshouse_collector.control.feedback import Feedback
from glasshouse_collector.control.incidents import Incidents
from glasshouse_collector.control.leases import Leases
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.components import ComponentConfig, Door, Services
from glasshouse_collector.core.incidents import Incident
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.insights.alerting import ENDED_TOLD, Alerts
from glasshouse_collector.insights.failures import Failures
from glasshouse_collector.insights.rounds import CAUGHT_UP, Rounds
from glasshouse_collector.insights.settings import InsightsConfig
from glasshouse_collector.insights.telling import log_request
from glasshouse_collector.journal import Journal
from glasshouse_collector.store import Store

log = logging.getLogger(__name__)

LEASE: Final = "insights"
_LEASE_ROUNDS: Final = 2.0
_ANALYSED_AT_ONCE: Final = 3
"""Of a project's incidents in a round; the others wait for the next one."""
_STOP_SECONDS: Final = 10.0
_CANCEL_SECONDS: Final = 0.2
_TRANSPORT: Final = "insights"


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def _holder(services: Services) -> str:
    """Return who the collector is: the same after it was killed, as one process alone has a journal."""
    try:
        return f"journal-{services.get(Journal).id}"
    except LookupError:
        return secrets.token_hex(8)


def until_next_round(now: float, interval: float, settle: float) -> float:
    """Return the seconds until the next round.

    Rounds are when minutes have settled: one that began anywhere would judge each up to a round later.
    """
    return interval - (now - settle) % interval


class InsightsJob:
    """The job's rounds. A round never raises: what fails is counted, said once, and tried at the next."""

    def __init__(
        self, config: InsightsConfig, services: Services, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.holder = _holder(services)
        self.stopping = False
        self._config = config
        self._services = services
        self._now = now
        self._metrics = services.get(Metrics)
        self._failures = Failures(self._metrics.insights_failures)
        self._alerts = Alerts(config)
        self._judged: dict[str, int] = {}
        """By project, the minute up to which it was looked at."""

    @property
    def mark(self) -> str:
        """What the job's queries are named."""
        return f"insights-{self.holder}"

    async def round(self) -> None:
        """Look at every project, once, where no other collector does."""
        try:
            store, leases = self._services.get(Store), self._services.get(Leases)
            incidents, feedback = self._services.get(Incidents), self._services.get(Feedback)
        except LookupError:  # the store, or the database, is still waited for: the collector says so
            return
        if not await self._leads(leases):
            return
        rounds = Rounds(store, incidents, feedback, self._config.limits, self.mark)
        now = self._now()
        last = int(now.timestamp() - self._config.settle_seconds) // 60
        projects: dict[str, int] = {}
        with self._step("projects"):
            projects = await asyncio.to_thread(rounds.projects, last, self._config.projects)
        told: list[Incident] = []
        for project, until in projects.items():
            if self.stopping:
                return
            await self._look(rounds, leases, project, until)
            await self._have_analysed(rounds, project, now)
            with self._step("tell", project):
                await self._tell(incidents, project)
                told += await asyncio.to_thread(self._current, incidents, project, now)
        if self._alerts.wanted and not self.stopping:
            with self._step("alert"):
                await self._alerts.tell(told, incidents.alerted, now)
        if not self._failures:
            self._metrics.insights_last_round.set(now.timestamp())

    async def release(self) -> None:
        """Let another collector go on at once."""
        with contextlib.suppress(Exception):
            await asyncio.to_thread(self._services.get(Leases).release, LEASE, self.holder)

    async def _leads(self, leases: Leases) -> bool:
        held = False
        with self._step("lease"):
            held = await asyncio.to_thread(self._hold, leases)
        if not held:
            self._judged.clear()
            self._metrics.incidents_open.clear()
        self._metrics.insights_leader.set(held)
        return held

    def _hold(self, leases: Leases) -> bool:
        seconds = _LEASE_ROUNDS * self._config.interval_seconds
        return not self.stopping and leases.hold(LEASE, self.holder, seconds)

    async def _look(self, rounds: Rounds, leases: Leases, project: str, last: int) -> None:
        first = max(self._judged.get(project, 0), last - CAUGHT_UP)
        if first >= last:
            return
        with self._step("detect", project):
            found = await asyncio.to_thread(rounds.look, project, first, last, lambda: self._hold(leases))
            self._judged[project] = last
            for incident in found:
                log.info(
                    "insights: incident %s of project %s is %s: %s",
                    incident.id,
                    project,
                    incident.status,
                    incident.title,
                )

    async def _have_analysed(self, rounds: Rounds, project: str, now: datetime) -> None:
        waiting: Sequence[Incident] = ()
        with self._step("analyse", project):
            waiting = await asyncio.to_thread(rounds.waiting, project, now)
            for incident in waiting[:_ANALYSED_AT_ONCE]:
                if not self.stopping:
                    await asyncio.to_thread(rounds.analyse, incident)

    async def _tell(self, incidents: Incidents, project: str) -> None:
        """Say what is new in a log record of the project; counted with what the analysis found."""
        door = self._services.get(Door)  # type: ignore[type-abstract]
        for incident in await asyncio.to_thread(incidents.untold, project):
            await door.accept(RequestKind.LOGS, log_request(incident), project, transport=_TRANSPORT)
            if await asyncio.to_thread(incidents.told, incident):
                kind = incident.fingerprint.split("|")[1] if "|" in incident.fingerprint else "unknown"
                self._metrics.incidents.labels(incident.severity.value, kind).inc()

    def _current(self, incidents: Incidents, project: str, now: datetime) -> list[Incident]:
        """Return those that are open, and those that ended lately."""
        found = incidents.list(project, "open", limit=500)
        self._metrics.incidents_open.labels(project).set(len(found))
        return [*found, *incidents.list(project, "resolved", since=now - ENDED_TOLD, limit=500)]

    @contextlib.contextmanager
    def _step(self, step: str, project: str = "") -> Iterator[None]:
        """Measure a step; what fails in it is noted, and goes no further."""
        began = time.monotonic()
        try:
            yield
        except Exception as failed:  # noqa: BLE001  (whatever it is, the collector goes on, and the next round)
            if not self.stopping:
                self._failures.note(step, failed, project)
        else:
            self._failures.over(step, project)
        finally:
            self._metrics.insights_seconds.labels(step).observe(time.monotonic() - began)


class InsightsExtension:
    """Runs the job, and lends its settings to the routes that answer questions.

    `stop` cancels what the job asks of the store, waits for it, and lets another collector take over.
    """

    Config: ClassVar[type[ComponentConfig]] = InsightsConfig
    routes: APIRouter | None = None

    def __init__(self, config: InsightsConfig, services: Services) -> None:
        services.provide(InsightsConfig, config)
        self._config = config
        self._services = services
        self._job = InsightsJob(config, services)
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def start(self, services: Services) -> None:
        """Begin to look, beside everything else."""
        del services
        if self._config.enabled:
            self._running = asyncio.create_task(self._run(), name="insights")

    async def stop(self) -> None:
        """Look no more. Safe without `start`, and repeatedly."""
        running, self._running = self._running, None
        if running is None:
            return
        self._job.stopping = True
        self._stopping.set()
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline and not running.done():
            with contextlib.suppress(Exception):
                await asyncio.to_thread(self._services.get(Store).cancel, self._job.mark)
            await asyncio.wait([running], timeout=_CANCEL_SECONDS)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await self._job.release()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            await self._job.round()
            wait = until_next_round(time.time(), self._config.interval_seconds, self._config.settle_seconds)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)
