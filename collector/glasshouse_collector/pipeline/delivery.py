"""Delivers one batch to one exporter, again and again until it is kept or refused for good."""

import asyncio
import contextlib
import logging
from dataclasses import replace

from glasshouse_collector.core.batch import Batch
from glasshouse_collector.core.components import Exporter
from glasshouse_collector.core.errors import Permanent, Retryable
from glasshouse_collector.pipeline.counting import rows_of_projects
from glasshouse_collector.pipeline.settings import PipelineSettings

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 15.0


class Stopped(Exception):
    """The collector stops before a delivery is done; the journal, or the dead letter, still holds it."""


class Delivery:
    """An exporter, asked again after each failure, ever more slowly; one batch at a time."""

    def __init__(self, exporter: Exporter, settings: PipelineSettings) -> None:
        self._exporter = exporter
        self._settings = settings
        self._one_at_a_time = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._up = settings.metrics.exporter_up.labels(settings.name)

    def stop(self) -> None:
        """Try nothing again from now on."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    async def start(self) -> None:
        """Start the exporter, waiting for what it needs. Raises `Stopped`, `ConfigurationError`."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._exporter.start()
            except Retryable as reason:
                self._report(ready=False, detail=str(reason))
                pause = await self._before_next_try(pause)
            else:
                return self._report(ready=True)

    async def deliver(self, batch: Batch) -> None:
        """Return once the batch is kept. Raises `Permanent` as the exporter does, and `Stopped`."""
        async with self._one_at_a_time:
            pause = _FIRST_PAUSE
            while not await self._delivered(batch, first=pause == _FIRST_PAUSE):
                batch = replace(batch, origin=replace(batch.origin, in_doubt=True))
                pause = await self._before_next_try(pause)

    async def _delivered(self, batch: Batch, *, first: bool) -> bool:
        name, metrics = self._settings.name, self._settings.metrics
        try:
            with metrics.export_seconds.labels(name, batch.signal).time():
                await self._exporter.export(batch)
        except Permanent:
            raise
        except Exception as reason:  # noqa: BLE001  (the journal still holds it; a drop would be final)
            if first:
                log.warning("%s: %s not delivered, trying again: %s", name, batch.signal, reason)
            metrics.export_failures.labels(name, batch.signal).inc()
            self._report(ready=False, detail=str(reason))
            return False
        for project, rows in rows_of_projects(batch.records):
            metrics.exported_records.labels(name, batch.signal, project).inc(rows)
        self._report(ready=True)
        return True

    async def wait(self, seconds: float) -> None:
        """Wait, less if the collector stops meanwhile."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _before_next_try(self, pause: float) -> float:
        await self.wait(pause)
        if self.stopping:
            raise Stopped
        return min(pause * 2, _LONGEST_PAUSE)

    def _report(self, *, ready: bool, detail: str = "") -> None:
        self._up.set(ready)
        self._settings.status.set(self._settings.name, ready=ready, detail=detail)
