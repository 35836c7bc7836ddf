"""One exporter's way from the journal to its destination."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from glasshouse_collector.codec import Codec
from glasshouse_collector.core.batch import Batch, Run
from glasshouse_collector.core.clock import Clock
from glasshouse_collector.core.components import Exporter, Processor
from glasshouse_collector.core.errors import ConfigurationError, Permanent, Retryable
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal import Consumer, DeadLetters
from glasshouse_collector.pipeline.form import Formed, form

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 15.0
_REPLAY_EVERY = 2.0
_NANOSECONDS = 1e9


class ReadinessReport(Protocol):
    """Where a pipeline says whether its destination takes what it delivers."""

    def set(self, component: str, ready: bool, detail: str = "") -> None:
        """Report."""


@dataclass(frozen=True, slots=True)
class Batching:
    """How much one run holds: until `max_records` or `max_bytes`, or `linger` seconds have gone by."""

    max_records: int
    max_bytes: int
    linger: float


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """What the service lends a pipeline."""

    name: str
    codec: Codec
    processors: Sequence[Processor]
    consumer: Consumer
    dead_letters: DeadLetters
    batching: Batching
    metrics: Metrics
    status: ReadinessReport
    clock: Clock


class Pipeline:
    """Delivers the journal's runs to one exporter, in order, each until it is kept or refused for good.

    A run's boundaries are on disk before its first delivery, and its cursor moves only after the
    last; whatever ends the process in between, the same batches are delivered again, marked as in
    doubt. A destination that is down is asked again, ever more slowly, and holds up nothing else.
    """

    def __init__(self, exporter: Exporter, settings: PipelineSettings) -> None:
        self._exporter = exporter
        self._settings = settings
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin delivering, in a task of its own."""
        self._task = asyncio.create_task(self._run(), name=f"pipeline {self._settings.name}")

    @property
    def failure(self) -> asyncio.Task[None] | None:
        """The running task; it ends early only where the user has to change the configuration."""
        return self._task

    async def stop(self, grace: float) -> None:
        """Deliver what is in flight, for at most `grace` seconds; the journal keeps the rest."""
        self._stopping.set()
        self._settings.consumer.stop()
        if self._task is not None:
            with contextlib.suppress(ConfigurationError, asyncio.TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(self._task, grace)
        await self._exporter.stop()

    async def _run(self) -> None:
        replays = None
        try:
            if await self._started():
                replays = asyncio.create_task(self._replay_forever(), name=f"replay {self._settings.name}")
                while (run := await self._next()) is not None:
                    if not await self._deliver(run):
                        return
                    await self._settings.consumer.commit(run)
        finally:
            if replays is not None:
                replays.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await replays

    async def _started(self) -> bool:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                await self._exporter.start()
            except Retryable as reason:
                self._settings.status.set(self._settings.name, ready=False, detail=str(reason))
                pause = await self._pause(pause)
            else:
                self._settings.status.set(self._settings.name, ready=True)
                return True
        return False

    async def _next(self) -> Run | None:
        batching = self._settings.batching
        return await self._settings.consumer.next_run(
            max_records=batching.max_records, max_bytes=batching.max_bytes, linger=batching.linger
        )

    async def _deliver(self, run: Run) -> bool:
        """Deliver every batch of a run; False where the collector stops before that is done."""
        formed = await asyncio.to_thread(self._form, run)
        for frame, reason in formed.undecodable:
            self._settings.metrics.dead_letters.labels(self._settings.name, frame.kind).inc()
            self._settings.dead_letters.write_frame(frame, exporter=self._settings.name, reason=str(reason))
        for batch in formed.batches:
            if not await self._deliver_batch(batch):
                return False
        now = self._settings.clock.time_ns()
        freshness = self._settings.metrics.freshness_seconds.labels(self._settings.name)
        freshness.observe(max(0.0, (now - run.frames[0].received_ns) / _NANOSECONDS))
        return True

    def _form(self, run: Run) -> Formed:
        kinds = "+".join(sorted({frame.kind.value for frame in run.frames}))
        with self._settings.metrics.decode_seconds.labels(kinds).time():
            formed = form(self._settings.codec, run)
        return replace(formed, batches=[self._processed(batch) for batch in formed.batches])

    def _processed(self, batch: Batch) -> Batch:
        for processor in self._settings.processors:
            batch = processor.process(batch)
        return batch

    async def _deliver_batch(self, batch: Batch) -> bool:
        name, metrics = self._settings.name, self._settings.metrics
        pause = _FIRST_PAUSE
        while True:
            try:
                with metrics.export_seconds.labels(name, batch.signal).time():
                    await self._exporter.export(batch)
            except Permanent as reason:
                self._refused(batch, reason)
                return True
            except Exception as reason:  # noqa: BLE001  (the journal still holds it; a drop would be final)
                if pause == _FIRST_PAUSE or not isinstance(reason, Retryable):
                    log.warning("%s: delivery of %s failed, trying again: %s", name, batch.signal, reason)
                metrics.export_failures.labels(name, batch.signal).inc()
                self._settings.status.set(name, ready=False, detail=str(reason))
            else:
                metrics.exported_records.labels(name, batch.signal).inc(batch.records.num_rows)
                self._settings.status.set(name, ready=True)
                return True
            batch = replace(batch, origin=replace(batch.origin, in_doubt=True))
            pause = await self._pause(pause)
            if self._stopping.is_set():
                return False

    def _refused(self, batch: Batch, reason: Permanent) -> None:
        name = self._settings.name
        self._settings.metrics.dead_letters.labels(name, batch.signal).inc()
        letter = self._settings.dead_letters.write(batch, exporter=name, reason=str(reason))
        log.error("%s: %d records of %s refused for good, kept as dead letter %s: %s",
                  name, batch.records.num_rows, batch.signal, letter, reason)  # fmt: skip

    async def _pause(self, seconds: float) -> float:
        """Wait, less if the collector stops meanwhile; return how long to wait the next time."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return min(seconds * 2, _LONGEST_PAUSE)

    async def _replay_forever(self) -> None:
        while not self._stopping.is_set():
            await self._replay()
            await self._pause(_REPLAY_EVERY)

    async def _replay(self) -> None:
        """Deliver the dead letters that someone has asked to replay."""
