"""One exporter's way from the journal to its destination."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial

from glasshouse_collector.core.batch import Batch, Run
from glasshouse_collector.core.components import Exporter
from glasshouse_collector.core.errors import Permanent, Retryable
from glasshouse_collector.pipeline.delivery import Delivery, Stopped
from glasshouse_collector.pipeline.settings import PipelineSettings

log = logging.getLogger(__name__)

_REPLAY_SECONDS = 2.0
_ROOM_SECONDS = 5.0
_NANOSECONDS = 1e9


class Pipeline:
    """Delivers the journal's runs to one exporter, in order, each until it is kept or refused for good.

    A run's boundaries are on disk before its first delivery, and its cursor moves only after the
    last; whatever ends the process in between, the same batches are delivered again, marked as in
    doubt. What is refused for good is a dead letter before the cursor moves. A destination that is
    down is asked again, ever more slowly, and holds up nothing else.
    """

    def __init__(self, exporter: Exporter, settings: PipelineSettings) -> None:
        self._exporter = exporter
        self._settings = settings
        self._delivery = Delivery(exporter, settings)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin delivering, in a task of its own."""
        self._task = asyncio.create_task(self._run(), name=f"pipeline {self._settings.name}")
        self._task.add_done_callback(self._ended)

    async def stop(self, grace: float) -> None:
        """Deliver what is in flight, for at most `grace` seconds; the journal keeps the rest."""
        self._delivery.stop()
        self._settings.consumer.stop()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=grace)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._task
        await self._exporter.stop()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._settings.status.set(self._settings.name, ready=False, detail=str(task.exception()))
            self._settings.metrics.exporter_up.labels(self._settings.name).set(0)
            log.error("%s: the pipeline ended: %s", self._settings.name, task.exception())

    async def _run(self) -> None:
        with contextlib.suppress(Stopped):
            await self._delivery.start()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._deliver_journal())
                tasks.create_task(self._deliver_replays())

    async def _deliver_journal(self) -> None:
        batching = self._settings.batching
        with contextlib.suppress(Stopped):
            while run := await self._settings.consumer.next_run(
                max_records=batching.max_records, max_bytes=batching.max_bytes, linger=batching.linger
            ):
                await self._deliver(run)
                await self._settings.consumer.commit(run)
                del run  # not kept while the next one is waited for

    async def _deliver(self, run: Run) -> None:
        formed = await self._settings.runs.of(run)
        letters, name = self._settings.dead_letters, self._settings.name
        for frame, unreadable in formed.undecodable:
            write = partial(letters.write_frame, frame, exporter=name, reason=str(unreadable))
            await self._bury(frame.kind, unreadable, write)
        for batch in formed.batches:
            try:
                await self._delivery.deliver(batch)
            except Permanent as refusal:
                write = partial(letters.write, batch, exporter=name, reason=str(refusal))
                await self._bury(batch.signal, refusal, write)
        age = (self._settings.clock.time_ns() - run.frames[0].received_ns) / _NANOSECONDS
        self._settings.metrics.freshness_seconds.labels(name).observe(max(0.0, age))

    async def _bury(self, what: str, reason: Exception, write: Callable[[], str]) -> None:
        """Keep a dead letter, waiting for room on the disk where there is none."""
        while True:
            try:
                letter = await asyncio.to_thread(write)
            except Retryable as no_room:
                log.warning("%s: %s", self._settings.name, no_room)
                await self._delivery.wait(_ROOM_SECONDS)
                if self._delivery.stopping:
                    raise Stopped from None
            else:
                break
        self._settings.metrics.dead_letters.labels(self._settings.name, what).inc()
        log.error("%s: %s refused for good, kept as dead letter %s: %s",
                  self._settings.name, what, letter, reason)  # fmt: skip

    async def _deliver_replays(self) -> None:
        letters, name = self._settings.dead_letters, self._settings.name
        with contextlib.suppress(Stopped):
            while not self._delivery.stopping and not self._settings.consumer.stopped:
                for letter in await asyncio.to_thread(letters.pending_replays, name):
                    await self._replay(letter.id)
                await self._delivery.wait(_REPLAY_SECONDS)

    async def _replay(self, letter: str) -> None:
        letters = self._settings.dead_letters
        content = await asyncio.to_thread(letters.read, letter)
        try:
            for batch in await self._batches_of(content):
                await self._delivery.deliver(batch)
        except Permanent as reason:
            await asyncio.to_thread(letters.put_back, letter, str(reason))
            log.warning("%s: dead letter %s refused again: %s", self._settings.name, letter, reason)
        else:
            await asyncio.to_thread(letters.remove, letter)
            log.info("%s: dead letter %s delivered", self._settings.name, letter)

    async def _batches_of(self, content: Batch | Run) -> list[Batch]:
        if isinstance(content, Batch):
            return [content]
        formed = await self._settings.runs.of_letter(content)
        for _, reason in formed.undecodable:
            raise Permanent(str(reason))
        return list(formed.batches)
