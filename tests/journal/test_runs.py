"""How runs are formed, and that a run comes again the very same until it is committed."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from glasshouse_collector.core.batch import Frame, Run
from glasshouse_collector.journal import Consumer, Journal
from glasshouse_collector.journal.cursor import PAGE_BYTES
from glasshouse_collector.journal.runs import MAX_OPEN_RUNS

OpenJournal = Callable[..., Journal]
MakeFrame = Callable[..., Frame]
UNLIMITED = 1 << 40


async def next_run(consumer: Consumer, *, records: int = UNLIMITED, bytes_: int = UNLIMITED) -> Run:
    """Return the next run of what is there."""
    run = await consumer.next_run(max_records=records, max_bytes=bytes_, linger=0)
    assert run is not None
    return run


def crash(directory: Path) -> Path:
    """Return a copy of the directory as it is now: what a killed process would leave behind."""
    copy = directory.with_name(directory.name + "'")
    shutil.copytree(directory, copy)
    return copy


def test_limits_end_a_run(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """A run keeps to records and bytes; a frame larger than a limit comes alone."""

    async def scenario() -> None:
        journal = open_journal()
        consumer = journal.consumer("store")
        for number, size in enumerate((100, 100, 100, 5000, 100, 100)):
            await journal.append(frame(number, size))
        sizes = []
        for records, limit in ((2, UNLIMITED), (UNLIMITED, 150), (UNLIMITED, 1000), (UNLIMITED, 200)):
            run = await next_run(consumer, records=records, bytes_=limit)
            sizes.append([len(one.payload) for one in run.frames])
            await consumer.commit(run)
        assert sizes == [[100, 100], [100], [5000], [100, 100]]
        await journal.close()

    asyncio.run(scenario())


def test_a_run_never_crosses_a_segment(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """However much fits the limits, each run lies in one segment."""

    async def scenario() -> None:
        journal = open_journal(segment_bytes=4096)
        consumer = journal.consumer("store")
        for number in range(20):
            await journal.append(frame(number, 900))
        runs: list[Run] = []
        while sum(len(run.frames) for run in runs) < 20:
            runs.append(await next_run(consumer))
            await consumer.commit(runs[-1])
        assert [one for run in runs for one in run.frames] == [frame(number, 900) for number in range(20)]
        segments = [run.origin.segment for run in runs]
        assert segments == sorted(set(segments))
        assert len(segments) == 5
        await journal.close()

    asyncio.run(scenario())


def test_linger_gathers_what_comes_within_it(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """A run waits for more after its first frame, and ends as soon as a limit is reached."""

    async def scenario() -> None:
        journal = open_journal()
        consumer = journal.consumer("store")
        waiting = asyncio.create_task(consumer.next_run(max_records=10, max_bytes=UNLIMITED, linger=3600))
        for number in range(10):
            await journal.append(frame(number))
        run = await asyncio.wait_for(waiting, 60)
        assert run is not None
        assert list(run.frames) == [frame(number) for number in range(10)]
        await consumer.commit(run)
        await journal.append(frame(10))
        run = await asyncio.wait_for(consumer.next_run(max_records=10, max_bytes=UNLIMITED, linger=0.01), 60)
        assert run is not None
        assert list(run.frames) == [frame(10)]
        await journal.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("linger", [0, 3600])
def test_stop_ends_the_waiting(open_journal: OpenJournal, frame: MakeFrame, linger: float) -> None:
    """A stopped consumer returns None at once, from either wait, and can still commit what is out."""

    async def scenario() -> None:
        journal = open_journal()
        consumer = journal.consumer("store")
        await journal.append(frame(0))
        run = await next_run(consumer)
        waiting = asyncio.create_task(consumer.next_run(max_records=9, max_bytes=999, linger=linger))
        if linger:
            await journal.append(frame(1))
        await asyncio.sleep(0)
        consumer.stop()
        assert await asyncio.wait_for(waiting, 60) is None
        await consumer.commit(run)
        await journal.close()
        journal = open_journal()
        await journal.append(frame(2))
        run = await next_run(journal.consumer("store"))
        assert list(run.frames) == ([frame(1)] if linger else [frame(2)])
        await journal.close()

    asyncio.run(scenario())


def test_cancelling_loses_no_run(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """Whenever the wait for a run is cancelled, the next wait gets the same frames, in order."""

    async def scenario() -> None:
        journal = open_journal()
        consumer = journal.consumer("store")
        got: list[Frame] = []
        for number in range(60):
            await journal.append(frame(number))
            waiting = asyncio.create_task(consumer.next_run(max_records=1, max_bytes=9, linger=0))
            for _ in range(number % 6):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            if not waiting.cancelled() and (run := waiting.result()):
                got += run.frames
                await consumer.commit(run)
        while len(got) < 60:
            run = await next_run(consumer, records=1)
            got += run.frames
            await consumer.commit(run)
        assert got == [frame(number) for number in range(60)]
        await journal.close()

    asyncio.run(scenario())


def test_an_uncommitted_run_comes_again_the_same(
    open_journal: OpenJournal, directory: Path, frame: MakeFrame
) -> None:
    """After a crash the run comes first, in doubt, with the same bounds, whatever limits are asked for."""

    async def scenario() -> None:
        journal = open_journal()
        consumer = journal.consumer("store")
        for number in range(10):
            await journal.append(frame(number))
        await consumer.commit(await next_run(consumer, records=2))
        run = await next_run(consumer, records=3)
        left = crash(directory)
        await journal.close()
        journal = open_journal(directory=left)
        await journal.append(frame(10))
        consumer = journal.consumer("store")
        again = await next_run(consumer, records=1)
        assert again.frames == run.frames
        assert again.origin.in_doubt
        assert not run.origin.in_doubt
        assert (again.origin.batch_id, again.origin.first, again.origin.last) == (
            run.origin.batch_id,
            run.origin.first,
            run.origin.last,
        )
        await consumer.commit(again)
        rest = await next_run(consumer)
        assert not rest.origin.in_doubt
        assert list(rest.frames) == [frame(number) for number in range(5, 10)]
        await journal.close()

    asyncio.run(scenario())


def test_several_runs_may_be_out(open_journal: OpenJournal, directory: Path, frame: MakeFrame) -> None:
    """Runs may be taken ahead and committed in any order; after a crash the open ones come again."""

    async def scenario() -> None:
        journal = open_journal()
        consumer = journal.consumer("store")
        for number in range(MAX_OPEN_RUNS + 1):
            await journal.append(frame(number))
        runs = [await next_run(consumer, records=1) for _ in range(MAX_OPEN_RUNS)]
        with pytest.raises(RuntimeError, match="commit one"):
            await next_run(consumer, records=1)
        for run in runs[3:]:
            await consumer.commit(run)
        await consumer.commit(runs[1])
        with pytest.raises(ValueError, match="not out"):
            await consumer.commit(runs[1])
        left = crash(directory)
        await journal.close()
        journal = open_journal(directory=left)
        consumer = journal.consumer("store")
        frames = [(await next_run(consumer, records=1)).frames for _ in range(3)]
        assert frames == [runs[0].frames, runs[2].frames, [frame(MAX_OPEN_RUNS)]]
        await journal.close()

    asyncio.run(scenario())


def test_bounds_are_on_disk_before_a_run_is_out(
    open_journal: OpenJournal, directory: Path, frame: MakeFrame
) -> None:
    """At the moment a run is returned, the cursor file already tells it."""

    async def scenario() -> None:
        journal = open_journal()
        consumer = journal.consumer("store")
        for number in range(5):
            await journal.append(frame(number))
            run = await next_run(consumer)
            cursor = (directory / "store.cursor").read_bytes()
            assert f'"first":{run.origin.first},"last":{run.origin.last},'.encode() in cursor
            await consumer.commit(run)
        await journal.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("damaged_pages", [(0,), (1,), (0, 1)])
def test_a_damaged_cursor_delivers_again_and_skips_nothing(
    open_journal: OpenJournal, directory: Path, frame: MakeFrame, damaged_pages: tuple[int, ...]
) -> None:
    """Whichever page is lost, what was not committed comes; what may have been delivered comes in doubt."""

    async def scenario() -> None:
        journal = open_journal()
        consumer = journal.consumer("store")
        for number in range(10):
            await journal.append(frame(number))
        for _ in range(3):
            await consumer.commit(await next_run(consumer, records=2))
        await journal.close()
        cursor = directory / "store.cursor"
        content = bytearray(cursor.read_bytes())
        for page in damaged_pages:
            content[page * PAGE_BYTES + 30] ^= 0x40
        cursor.write_bytes(content)
        journal = open_journal()
        await journal.append(frame(10))
        consumer = journal.consumer("store")
        frames: list[Frame] = []
        while frame(10) not in frames:
            run = await next_run(consumer, records=2)
            assert run.origin.in_doubt or frame(10) in run.frames
            frames += run.frames
            await consumer.commit(run)
        expected = [frame(number) for number in range(11)]
        assert frames == expected[-len(frames) :]
        assert len(frames) >= 5
        assert len(frames) == 11 or len(damaged_pages) == 1
        await journal.close()

    asyncio.run(scenario())
