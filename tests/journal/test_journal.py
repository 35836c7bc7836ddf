"""What is appended is kept and comes to every consumer, in order; groups share their fsyncs."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from glasshouse_collector.core.batch import Frame
from glasshouse_collector.core.errors import Backpressure, ConfigurationError
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal import Consumer, Journal

OpenJournal = Callable[..., Journal]
MakeFrame = Callable[..., Frame]
UNLIMITED = 1 << 40


def segments_in(directory: Path) -> int:
    """Return how many segments are on disk."""
    return len(list(directory.glob("*.segment")))


async def take(consumer: Consumer, count: int) -> list[Frame]:
    """Read and commit until at least `count` frames came."""
    frames: list[Frame] = []
    while len(frames) < count:
        run = await consumer.next_run(max_records=UNLIMITED, max_bytes=UNLIMITED, linger=0)
        assert run is not None
        frames += run.frames
        await consumer.commit(run)
    return frames


def test_frames_come_back_whole_and_in_order(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """Empty, tiny, compressible and incompressible payloads come back as they were."""

    async def scenario() -> None:
        journal = open_journal()
        consumer = journal.consumer("store")
        sent = [frame(number, size) for number, size in enumerate((0, 1, 1023, 1024, 5000, 300_000))]
        sent.append(Frame(sent[0].kind, "prøject ☃", 7, -5, b"span " * 100_000))
        for one in sent:
            await journal.append(one)
        assert await take(consumer, len(sent)) == sent
        await journal.close()

    asyncio.run(scenario())


def test_a_group_shares_one_fsync(
    open_journal: OpenJournal, frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Appends that wait at the same time are made durable together, and wake when they are."""
    synced: list[int] = []
    fdatasync = os.fdatasync

    def counted(descriptor: int) -> None:
        fdatasync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fdatasync", counted)

    async def scenario() -> None:
        journal = open_journal()

        async def append(number: int) -> int:
            await journal.append(frame(number))
            return len(synced)

        syncs_at_wake = await asyncio.gather(*(append(number) for number in range(500)))
        assert len(synced) <= 2
        assert min(syncs_at_wake) >= 1, "nobody is told before an fsync has ended"
        assert synced[-1] > 500 * 100, "the fsync came after the whole group was written"
        await journal.close()

    asyncio.run(scenario())


def test_durability_of_the_system_does_not_fsync(
    open_journal: OpenJournal, frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With durability "os" neither appends, nor runs, nor commits wait for the disk."""

    async def scenario() -> None:
        journal = open_journal(durability="os")
        consumer = journal.consumer("store")
        await journal.append(frame(0))

        def forbidden(descriptor: int) -> None:
            raise AssertionError

        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", forbidden)
            await journal.append(frame(1))
            assert await take(consumer, 2) == [frame(0), frame(1)]
        await journal.close()

    asyncio.run(scenario())


def test_every_consumer_gets_everything_at_its_own_pace(
    open_journal: OpenJournal, directory: Path, frame: MakeFrame
) -> None:
    """Segments stay until the slowest consumer has committed them, and then go."""

    async def scenario() -> None:
        journal = open_journal(segment_bytes=4096)
        fast, slow = journal.consumer("fast"), journal.consumer("exporters/slow")
        sent = [frame(number, 900) for number in range(40)]
        for one in sent:
            await journal.append(one)
        segments = segments_in(directory)
        assert segments > 5
        assert await take(fast, 40) == sent
        assert segments_in(directory) == segments
        assert await take(slow, 40) == sent
        assert segments_in(directory) == 1
        await journal.close()

    asyncio.run(scenario())


def test_a_consumer_nobody_reads_with_is_remembered_until_forgotten(
    open_journal: OpenJournal, directory: Path, frame: MakeFrame
) -> None:
    """The journal keeps frames for a consumer of an earlier process; deleting its cursor frees them."""

    async def scenario() -> None:
        journal = open_journal(segment_bytes=4096)
        journal.consumer("gone")
        await journal.close()
        journal = open_journal(segment_bytes=4096)
        for number in range(20):
            await journal.append(frame(number, 900))
        assert await take(journal.consumer("here"), 20)
        assert segments_in(directory) > 1
        assert list(journal.consumers) == ["gone", "here"]
        await journal.close()
        journal.cursor_path("gone").unlink()
        journal = open_journal(segment_bytes=4096)
        assert list(journal.consumers) == ["here"]
        assert segments_in(directory) == 0
        await journal.close()

    asyncio.run(scenario())


def test_a_new_consumer_starts_at_the_oldest_frame_kept(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """An exporter that is added later gets what is still there, across a restart."""

    async def scenario() -> None:
        journal = open_journal()
        await journal.append(frame(0))
        await journal.close()
        journal = open_journal()
        await journal.append(frame(1))
        assert await take(journal.consumer("late"), 2) == [frame(0), frame(1)]
        await journal.close()

    asyncio.run(scenario())


def test_close_keeps_what_is_pending(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """Appends under way succeed, later ones are refused, closing again does nothing, readers end."""

    async def scenario() -> None:
        journal = open_journal()
        consumer = journal.consumer("store")
        reading = asyncio.create_task(consumer.next_run(max_records=1, max_bytes=1, linger=60))
        appends = [asyncio.create_task(journal.append(frame(number))) for number in range(10)]
        await asyncio.sleep(0)
        await asyncio.gather(journal.close(), journal.close())
        await journal.close()
        await asyncio.gather(*appends)
        await asyncio.wait_for(reading, 60)
        with pytest.raises(Backpressure):
            await journal.append(frame(10))
        assert await consumer.next_run(max_records=1, max_bytes=1, linger=0) is None
        journal = open_journal()
        assert await take(journal.consumer("other"), 10) == [frame(number) for number in range(10)]
        await journal.close()

    asyncio.run(scenario())


def test_a_cancelled_append_hurts_nobody_else(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """A sender that hangs up while its group is written leaves the rest of the group alone."""

    async def scenario() -> None:
        journal = open_journal()
        appends = [asyncio.create_task(journal.append(frame(number))) for number in range(3)]
        await asyncio.sleep(0)
        appends[1].cancel()
        results = await asyncio.gather(*appends, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), asyncio.CancelledError, type(None)]
        frames = await take(journal.consumer("store"), 2)
        assert frames[0] == frame(0)
        assert frames[-1] == frame(2)
        await journal.close()

    asyncio.run(scenario())


def test_the_journal_keeps_its_id(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """Eight hexadecimal digits, the same after each restart while anyone remembers its segments."""

    async def scenario() -> None:
        journal = open_journal()
        journal.consumer("store")
        first = journal.id
        assert len(bytes.fromhex(first)) == 4
        await journal.append(frame(0))
        await journal.close()
        journal = open_journal()
        assert journal.id == first
        await journal.close()

    asyncio.run(scenario())


def test_a_segment_number_never_comes_twice(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """After everything was delivered and removed, batch ids go on where they were."""

    async def scenario() -> None:
        ids = []
        for number in range(4):
            journal = open_journal()
            consumer = journal.consumer("store")
            await journal.append(frame(number))
            run = await consumer.next_run(max_records=1, max_bytes=1, linger=0)
            assert run is not None
            ids.append(run.origin.batch_id)
            await consumer.commit(run)
            await journal.close()
        assert len(set(ids)) == 4

    asyncio.run(scenario())


def test_the_directory_is_for_one_process(open_journal: OpenJournal, directory: Path) -> None:
    """Another process is refused with a message that names the directory, until the first is gone."""
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from glasshouse_collector.core.clock import SystemClock\n"
        "from glasshouse_collector.core.metrics import Metrics\n"
        "from glasshouse_collector.journal import Journal, JournalSettings\n"
        "settings = JournalSettings(Path(sys.argv[1]), 'fsync', 1 << 20, 1 << 20)\n"
        "journal = Journal.open(settings, Metrics(), SystemClock())\n"
        "print('open', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(ConfigurationError, match=f"{directory}.*process {other.pid}"):
            open_journal()
        other.kill()
    asyncio.run(open_journal().close())


def test_a_directory_that_cannot_be_used_is_named(open_journal: OpenJournal, tmp_path: Path) -> None:
    """A file in the directory's place is the user's mistake, told without a traceback."""
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with pytest.raises(ConfigurationError, match=str(in_the_way)):
        open_journal(directory=in_the_way / "journal")


@pytest.mark.parametrize("name", ["", "x" * 300])
def test_an_impossible_consumer_is_refused(open_journal: OpenJournal, name: str) -> None:
    """A consumer's name has to fit a file's name."""
    journal = open_journal()
    with pytest.raises(ConfigurationError):
        journal.consumer(name)
    asyncio.run(journal.close())


@pytest.mark.parametrize("name", ["..", "../up", "/root", "a\nb", "ünï/1"])
def test_a_strange_consumer_stays_inside_the_directory(
    open_journal: OpenJournal, directory: Path, frame: MakeFrame, name: str
) -> None:
    """Whatever an exporter is called, its cursor lies in the journal's folder and is found again."""

    async def scenario() -> None:
        journal = open_journal()
        await journal.append(frame(0))
        await take(journal.consumer(name), 1)
        await journal.close()
        assert {path.name for path in directory.parent.iterdir()} == {directory.name}
        journal = open_journal()
        assert list(journal.consumers) == [name]
        await journal.close()

    asyncio.run(scenario())


def test_metrics_tell_how_far_behind_a_consumer_is(
    open_journal: OpenJournal, metrics: Metrics, frame: MakeFrame
) -> None:
    """Bytes, frames not delivered, and the age of the oldest, also after a restart."""

    def value(name: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"consumer": "store"})

    async def scenario() -> None:
        journal = open_journal(segment_bytes=4096)
        consumer = journal.consumer("store")
        assert value("glasshouse_journal_lag_frames") == 0
        assert value("glasshouse_journal_oldest_seconds") == 0
        for number in range(12):
            await journal.append(frame(number, 900))
        assert (metrics.registry.get_sample_value("glasshouse_journal_bytes") or 0) > 12 * 900
        run = await consumer.next_run(max_records=3, max_bytes=UNLIMITED, linger=0)
        assert value("glasshouse_journal_lag_frames") == 12
        assert run is not None
        await consumer.commit(run)
        assert value("glasshouse_journal_lag_frames") == 9
        assert (value("glasshouse_journal_oldest_seconds") or 0) > 1e9  # received in 1970
        await journal.close()
        journal = open_journal(segment_bytes=4096)
        assert value("glasshouse_journal_lag_frames") == 9
        await take(journal.consumer("store"), 9)
        assert value("glasshouse_journal_lag_frames") == 0
        await journal.close()
        journal = open_journal()
        assert value("glasshouse_journal_lag_frames") == 0
        assert value("glasshouse_journal_oldest_seconds") == 0
        await journal.close()

    asyncio.run(scenario())
