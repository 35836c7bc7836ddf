"""Forms runs for all pipelines, each only once where several are at the same one."""

import asyncio
from dataclasses import replace
from weakref import WeakValueDictionary

from glasshouse_collector.codec import Codec
from glasshouse_collector.core.batch import Batch, Origin, Run
from glasshouse_collector.core.components import Processor
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.pipeline.clock_skew import ClockSkew
from glasshouse_collector.pipeline.form import Formed, form


class FormedRuns:
    """Decodes a run and lets the processors have it; every pipeline gets the same batches.

    What was formed is kept for as long as some pipeline holds it, and no longer: one that follows
    another's runs finds it there, one that has fallen behind forms the run again.
    """

    def __init__(self, codec: Codec, processors: list[Processor], metrics: Metrics) -> None:
        self._codec = codec
        self._processors = processors
        self._metrics = metrics
        self._clock_skew = ClockSkew(metrics)
        self._held: WeakValueDictionary[Origin, Formed] = WeakValueDictionary()
        self._forming: dict[Origin, asyncio.Task[Formed]] = {}

    async def of(self, run: Run) -> Formed:
        """Return the run's batches, processed; raises what a processor raises."""
        formed = self._held.get(run.origin)
        if formed is None:
            task = self._forming.get(run.origin) or self._begin(run)
            formed = await asyncio.shield(task)
            self._held[run.origin] = formed
        return formed

    async def of_letter(self, run: Run) -> Formed:
        """Return the batches of a dead letter: of a run's frames it may have one alone."""
        return await asyncio.to_thread(self._form, run, of_letter=True)

    def _begin(self, run: Run) -> asyncio.Task[Formed]:
        task = asyncio.create_task(asyncio.to_thread(self._form, run), name="form")
        self._forming[run.origin] = task
        task.add_done_callback(lambda _: self._forming.pop(run.origin))
        return task

    def _form(self, run: Run, *, of_letter: bool = False) -> Formed:
        kinds = "+".join(sorted({frame.kind.value for frame in run.frames}))
        with self._metrics.decode_seconds.labels(kinds).time():
            formed = form(self._codec, run)
        if not of_letter:  # whose senders' clocks may be right by now
            self._clock_skew.observe(formed)
        return replace(formed, batches=[self._processed(batch) for batch in formed.batches])

    def _processed(self, batch: Batch) -> Batch:
        for processor in self._processors:
            batch = processor.process(batch)
        return batch
