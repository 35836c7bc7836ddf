"""A run is formed once for all pipelines that are at it."""

import asyncio
import gc

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from glasshouse_collector.codec.upb import UpbCodec
from glasshouse_collector.core.batch import Batch, Frame, Origin, RequestKind, Run
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.pipeline.formed import FormedRuns


class Counting:
    """A processor that counts what it sees."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.seen = 0
        self.failure = failure

    def process(self, batch: Batch) -> Batch:
        """Count, and fail where told so."""
        self.seen += 1
        if self.failure:
            raise self.failure
        return batch


def _run(first: int = 0, body: str = "a") -> Run:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = body
    payload = request.SerializeToString()
    return Run(Origin("j", 1, first, first), [Frame(RequestKind.LOGS, "shop", 1, 1, payload)])


def _runs(processor: Counting) -> FormedRuns:
    return FormedRuns(UpbCodec(), [processor], Metrics())  # type: ignore[list-item]  # it has no Config


def test_pipelines_at_the_same_run_share_what_is_formed() -> None:
    """At the same time, and while one still holds it; once nobody does, it is formed again."""

    async def scenario() -> None:
        processor = Counting()
        runs = _runs(processor)
        first, second = await asyncio.gather(runs.of(_run()), runs.of(_run()))
        assert first is second
        assert await runs.of(_run()) is first
        assert processor.seen == 1
        await runs.of(_run(first=7))
        assert processor.seen == 2
        del first, second
        gc.collect()
        await runs.of(_run())
        assert processor.seen == 3

    asyncio.run(scenario())


def test_a_dead_letter_is_formed_by_itself() -> None:
    """It names the run it came from, and may hold one frame of it."""

    async def scenario() -> None:
        runs = _runs(Counting())
        whole = await runs.of(_run(body="whole"))
        letter = await runs.of_letter(_run(body="letter"))
        assert whole.batches[0].records.column("Body").to_pylist() == ["whole"]
        assert letter.batches[0].records.column("Body").to_pylist() == ["letter"]

    asyncio.run(scenario())


def test_one_that_is_cancelled_leaves_it_to_the_other() -> None:
    """A pipeline that stops while a run is formed does not stop another's."""

    async def scenario() -> None:
        runs = _runs(Counting())
        stopped, other = asyncio.create_task(runs.of(_run())), asyncio.create_task(runs.of(_run()))
        await asyncio.sleep(0)
        stopped.cancel()
        assert (await other).batches
        assert stopped.cancelled()

    asyncio.run(scenario())


def test_what_a_processor_raises_reaches_all_and_is_tried_again() -> None:
    """A failure is no result: it is not kept."""

    async def scenario() -> None:
        processor = Counting(ValueError("no"))
        runs = _runs(processor)
        outcomes = await asyncio.gather(runs.of(_run()), runs.of(_run()), return_exceptions=True)
        assert [str(each) for each in outcomes] == ["no", "no"]
        processor.failure = None
        assert (await runs.of(_run())).batches
        with pytest.raises(StopIteration):
            next(iter(runs._forming))

    asyncio.run(scenario())
