"""From a real journal through the pipeline to an exporter that fails as it is told to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.codec.upb import UpbCodec
from glasshouse_collector.core.batch import Batch, Frame, RequestKind, Signal
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.errors import Permanent, Retryable
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.schema import TABLE_COLUMNS
from glasshouse_collector.core.status import Status
from glasshouse_collector.journal import DeadLetters, Journal, JournalSettings
from glasshouse_collector.pipeline.formed import FormedRuns
from glasshouse_collector.pipeline.pipeline import Pipeline
from glasshouse_collector.pipeline.settings import Batching, PipelineSettings


class Destination:
    """Keeps what it is given, after going through the failures it was told."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.kept: list[Batch] = []

    async def start(self) -> None:
        """Nothing to get ready."""

    async def export(self, batch: Batch) -> None:
        """Fail as told, or keep the batch."""
        if self.failures:
            raise self.failures.pop(0)
        self.kept.append(batch)

    async def stop(self) -> None:
        """Nothing to finish."""

    def texts(self) -> list[str]:
        """Return the bodies of the log records kept."""
        return [text for batch in self.kept for text in batch.records.column("Body").to_pylist()]


def _logs(*bodies: str) -> Frame:
    request = ExportLogsServiceRequest()
    for body in bodies:
        record = request.resource_logs.add().scope_logs.add().log_records.add()
        record.body.string_value = body
    return Frame(RequestKind.LOGS, "shop", len(bodies), SystemClock().time_ns(), request.SerializeToString())


class House:
    """A journal and its surroundings in one folder; a pipeline at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics = Metrics()
        self.status = Status()
        self.letters = DeadLetters(folder / "dead-letters")

    @asynccontextmanager
    async def pipeline(self, destination: Destination) -> AsyncIterator[Journal]:
        """Run a pipeline to `destination` and stop it."""
        settings = JournalSettings(self.folder / "journal", "os", 1 << 24, 1 << 20)
        journal = Journal.open(settings, self.metrics, SystemClock())
        pipeline = Pipeline(
            destination,  # type: ignore[arg-type]  # found by no entry point, so it has no Config
            PipelineSettings(
                name="there",
                runs=FormedRuns(UpbCodec(), [], self.metrics),
                consumer=journal.consumer("there"),
                dead_letters=self.letters,
                batching=Batching(1000, 1 << 20, 0.01),
                metrics=self.metrics,
                status=self.status,
                clock=SystemClock(),
            ),
        )
        pipeline.start()
        try:
            yield journal
        finally:
            await pipeline.stop(5)
            await journal.close()


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Return an empty house."""
    return House(tmp_path)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def test_frames_become_batches_with_our_columns(house: House) -> None:
    """Rows are numbered over the run, and carry the project of their frame."""

    async def scenario() -> None:
        there = Destination()
        async with house.pipeline(there) as journal:
            await asyncio.gather(journal.append(_logs("a", "b")), journal.append(_logs("c")))
            await _until(lambda: len(there.texts()) == 3)
        assert sorted(there.texts()) == ["a", "b", "c"]
        for batch in there.kept:
            assert batch.signal is Signal.LOGS
            assert batch.records.schema.equals(TABLE_COLUMNS[Signal.LOGS])
            assert batch.records.column("BatchRow").to_pylist() == list(range(batch.records.num_rows))
            assert set(batch.records.column("BatchId").to_pylist()) == {batch.origin.batch_id}
            assert set(batch.records.column("Project").to_pylist()) == {"shop"}

    asyncio.run(scenario())


def test_a_failed_delivery_comes_again_in_doubt(house: House) -> None:
    """Whatever the failure says, and even if nobody foresaw it."""

    async def scenario() -> None:
        there = Destination(Retryable("away"), RuntimeError("a bug"))
        async with house.pipeline(there) as journal:
            await journal.append(_logs("a"))
            await _until(lambda: there.texts() == ["a"])
        assert [batch.origin.in_doubt for batch in there.kept] == [True]
        assert house.status.ready

    asyncio.run(scenario())


def test_what_was_not_delivered_is_delivered_after_a_restart(house: House) -> None:
    """The journal holds it, and the batch formed again is the same one, in doubt."""

    async def scenario() -> None:
        away = Destination(*[Retryable("away")] * 1000)
        async with house.pipeline(away) as journal:
            await journal.append(_logs("a", "b"))
            await _until(lambda: len(away.failures) < 1000)
        assert not house.status.ready
        there = Destination()
        async with house.pipeline(there):
            await _until(lambda: there.texts() == ["a", "b"])
        assert there.kept[0].origin.in_doubt

    asyncio.run(scenario())


def test_a_batch_refused_for_good_is_a_dead_letter_and_holds_up_nothing(house: House) -> None:
    """It is kept with its reason, and the next one is delivered."""

    async def scenario() -> None:
        there = Destination(Permanent("no such column"))
        async with house.pipeline(there) as journal:
            await journal.append(_logs("refused"))
            await _until(lambda: len(house.letters.list()) == 1)
            await journal.append(_logs("next"))
            await _until(lambda: there.texts() == ["next"])
        (letter,) = house.letters.list()
        assert (letter.exporter, letter.what, letter.records) == ("there", "logs", 1)
        assert "no such column" in letter.reason

    asyncio.run(scenario())


def test_a_dead_letter_is_replayed_and_gone(house: House) -> None:
    """Asked for, it is delivered in doubt; refused again, it stays with the new reason."""

    async def scenario() -> None:
        there = Destination(Permanent("first"), Permanent("second"))
        async with house.pipeline(there) as journal:
            await journal.append(_logs("a"))
            await _until(lambda: len(house.letters.list()) == 1)
            (letter,) = house.letters.list()
            house.letters.request_replay(letter.id)
            await _until(lambda: "second" in house.letters.list()[0].reason)
            house.letters.request_replay(letter.id)
            await _until(lambda: there.texts() == ["a"] and not house.letters.list())
        assert there.kept[0].origin.in_doubt

    asyncio.run(scenario())


def test_a_frame_no_decoder_reads_is_a_dead_letter_of_its_own(house: House) -> None:
    """The readable frames of its run are delivered all the same."""

    async def scenario() -> None:
        there = Destination()
        async with house.pipeline(there) as journal:
            broken = Frame(RequestKind.LOGS, "shop", 1, 0, b"\xff\xff\xff")
            await asyncio.gather(
                journal.append(_logs("a")), journal.append(broken), journal.append(_logs("b"))
            )
            await _until(lambda: sorted(there.texts()) == ["a", "b"] and len(house.letters.list()) == 1)
        assert house.letters.list()[0].what == "logs"

    asyncio.run(scenario())


def test_stopping_delivers_what_is_in_flight_and_keeps_the_rest(house: House) -> None:
    """Everything accepted is delivered before or after a restart, once."""

    async def scenario() -> None:
        first, second = Destination(), Destination()
        async with house.pipeline(first) as journal:
            for number in range(50):
                await journal.append(_logs(str(number)))
        async with house.pipeline(second):
            await _until(lambda: len(first.texts()) + len(second.texts()) >= 50)
        assert sorted(first.texts() + second.texts(), key=int) == [str(number) for number in range(50)]

    asyncio.run(scenario())


def test_a_run_of_several_kinds_gives_a_batch_a_signal(house: House) -> None:
    """Frames of one run are decoded together by kind."""

    async def scenario() -> None:
        traces = ExportTraceServiceRequest()
        traces.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
        frame = Frame(RequestKind.TRACES, "shop", 1, 0, traces.SerializeToString())
        there = Destination()
        async with house.pipeline(there) as journal:
            await asyncio.gather(journal.append(_logs("a")), journal.append(frame))
            await _until(lambda: {batch.signal for batch in there.kept} == {Signal.LOGS, Signal.TRACES})

    asyncio.run(scenario())


def test_an_exporter_is_up_while_its_last_delivery_succeeded(house: House) -> None:
    """Down before it is started, after a failure, and when its pipeline has ended for good."""
    seen: list[float | None] = []

    def up() -> float | None:
        return house.metrics.registry.get_sample_value("glasshouse_exporter_up", {"exporter": "there"})

    class Observed(Destination):
        async def start(self) -> None:
            seen.append(up())

        async def export(self, batch: Batch) -> None:
            seen.append(up())
            await super().export(batch)

    class Broken(Destination):
        async def start(self) -> None:
            raise RuntimeError("a defect")

    async def scenario() -> None:
        there = Observed(Retryable("closed"))
        async with house.pipeline(there) as journal:
            await journal.append(_logs("a"))
            await _until(lambda: bool(there.kept))
            await _until(lambda: up() == 1)
        async with house.pipeline(Broken()):
            await _until(lambda: up() == 0)

    asyncio.run(scenario())
    assert seen == [0, 1, 0]
