"""A full journal or disk refuses, loses nothing it acknowledged, and goes on by itself when there is room."""

import asyncio
import contextlib
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.core.errors import Backpressure, TooLarge
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal import Consumer, Journal

OpenJournal = Callable[..., Journal]
MakeFrame = Callable[..., Frame]
UNLIMITED = 1 << 40


async def fill(to_fill: Journal, make: MakeFrame, *, start: int = 0, size: int = 900) -> list[Frame]:
    """Append one at a time until it is refused; return what was acknowledged."""
    kept: list[Frame] = []
    with contextlib.suppress(Backpressure):
        while True:
            one = make(start + len(kept), size)
            await to_fill.append(one)
            kept.append(one)
    return kept


async def deliver(consumer: Consumer, count: int) -> list[Frame]:
    """Read and commit until at least `count` frames came."""
    frames: list[Frame] = []
    while len(frames) < count:
        run = await consumer.next_run(max_records=UNLIMITED, max_bytes=UNLIMITED, linger=0)
        assert run is not None
        frames += run.frames
        await consumer.commit(run)
    return frames


def test_a_full_journal_refuses_until_something_is_delivered(
    open_journal: OpenJournal, directory: Path, metrics: Metrics, frame: MakeFrame
) -> None:
    """It never grows past its limit; a delivered segment makes room."""

    async def scenario() -> None:
        limit = 64 * 1024
        journal = open_journal(max_bytes=limit)
        consumer = journal.consumer("store")
        kept = await fill(journal, frame)
        assert 40 < len(kept) < 72
        with pytest.raises(Backpressure) as refused:
            await journal.append(frame(0))
        assert refused.value.retry_after > 0
        assert (metrics.registry.get_sample_value("glasshouse_journal_bytes") or 0) <= limit
        assert await deliver(consumer, len(kept)) == kept
        more = await fill(journal, frame, start=len(kept))
        assert len(more) > 40
        assert await deliver(consumer, len(more)) == more
        await journal.close()

    asyncio.run(scenario())


def test_a_full_journal_keeps_what_a_group_had_room_for(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """Of appends waiting together, those that fit succeed and the others are told, each on its own."""

    async def scenario() -> None:
        journal = open_journal(max_bytes=64 * 1024)
        frames = [frame(number, 900) for number in range(200)]
        outcomes = await asyncio.gather(*(journal.append(one) for one in frames), return_exceptions=True)
        kept = [one for one, outcome in zip(frames, outcomes, strict=True) if outcome is None]
        assert 0 < len(kept) < 72
        assert kept == frames[: len(kept)]
        assert {type(outcome) for outcome in outcomes[len(kept) :]} == {Backpressure}
        assert await deliver(journal.consumer("store"), len(kept)) == kept
        await journal.close()

    asyncio.run(scenario())


def test_a_full_journal_that_is_all_delivered_goes_on(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """The segment being written is given up too, where it is what fills the journal."""

    async def scenario() -> None:
        journal = open_journal(max_bytes=10_000)
        consumer = journal.consumer("store")
        for start in range(0, 100, 10):
            kept = await fill(journal, frame, start=start)
            assert kept
            assert await deliver(consumer, len(kept)) == kept
        await journal.close()

    asyncio.run(scenario())


def test_a_frame_larger_than_the_journal_shuts_nobody_out(
    open_journal: OpenJournal, frame: MakeFrame
) -> None:
    """What can never fit is refused, and the next smaller frame is kept."""

    async def scenario() -> None:
        journal = open_journal(max_bytes=64 * 1024)
        with pytest.raises(Backpressure):
            await journal.append(frame(0, 100_000))
        await journal.append(frame(1))
        assert await deliver(journal.consumer("store"), 1) == [frame(1)]
        await journal.close()

    asyncio.run(scenario())


def test_what_waits_for_the_disk_is_bounded(
    open_journal: OpenJournal, frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bytes that may be pending, senders are told to come back; then there is room again."""
    monkeypatch.setattr("glasshouse_collector.journal.journal._PENDING_BYTES", 10_000)

    async def scenario() -> None:
        opened = open_journal()
        outcomes = await asyncio.gather(
            *(opened.append(frame(number, 1000)) for number in range(20)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [type(None)] * 10 + [Backpressure] * 10
        await opened.append(frame(10, 1000))
        await opened.append(frame(11, 50_000))
        assert len(await deliver(opened.consumer("store"), 12)) == 12
        await opened.close()

    asyncio.run(scenario())


def test_what_a_header_cannot_say_is_refused(
    open_journal: OpenJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the format has no room for is refused to its sender alone, not to those who share the group."""
    monkeypatch.setattr("glasshouse_collector.journal.frame.MAX_PAYLOAD", 1000)
    kind = RequestKind.LOGS
    good = Frame(kind, "☃" * 10_000, 2**32 - 1, 2**63 - 1, bytes(1000))
    bad = [
        Frame(kind, "p", 1, 1, bytes(1001)),
        Frame(kind, "ü" * 20_000, 1, 1, b""),
        Frame(kind, "\ud800", 1, 1, b""),
        Frame(kind, "p", 2**32, 1, b""),
        Frame(kind, "p", -1, 1, b""),
        Frame(kind, "p", 1, 2**63, b""),
    ]

    async def scenario() -> None:
        journal = open_journal()
        outcomes = await asyncio.gather(
            *(journal.append(one) for one in [good, *bad, good]), return_exceptions=True
        )
        assert outcomes[0] is None
        assert outcomes[-1] is None
        assert all(isinstance(outcome, TooLarge | ValueError) for outcome in outcomes[1:-1])
        assert await deliver(journal.consumer("store"), 2) == [good, good]
        await journal.close()

    asyncio.run(scenario())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_refuses_and_recovers_by_itself(
    open_journal: OpenJournal, small_disk: Path, frame: MakeFrame, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing acknowledged is lost, nothing torn stays, deliveries go on, and so do appends with room."""

    async def scenario() -> None:
        journal = open_journal(directory=small_disk / "journal", segment_bytes=100_000)
        consumer = journal.consumer("store")
        kept = await fill(journal, frame)
        assert len(kept) > 500
        refusals = await asyncio.gather(
            *(journal.append(frame(0, 50_000)) for _ in range(20)), return_exceptions=True
        )
        assert Backpressure in {type(refusal) for refusal in refusals}
        extra = refusals.count(None)
        assert (await deliver(consumer, len(kept) + extra))[: len(kept)] == kept
        more = await fill(journal, frame, start=1000)
        assert len(more) > 400
        await journal.close()
        journal = open_journal(directory=small_disk / "journal", segment_bytes=100_000)
        assert await deliver(journal.consumer("store"), len(more)) == more
        await journal.close()

    asyncio.run(scenario())
    assert len([record for record in caplog.records if "cannot write" in record.message]) <= 3
    assert "unfinished" not in caplog.text


def test_a_full_disk_frees_the_segment_it_was_writing(
    open_journal: OpenJournal, small_disk: Path, frame: MakeFrame
) -> None:
    """A journal that fills its disk with one segment has room again when that is delivered."""

    async def scenario() -> None:
        journal = open_journal(directory=small_disk / "journal", segment_bytes=1 << 30)
        consumer = journal.consumer("store")
        for start in (0, 10_000, 20_000):
            kept = await fill(journal, frame, start=start)
            assert len(kept) > 500
            assert await deliver(consumer, len(kept)) == kept
        await journal.close()

    asyncio.run(scenario())


def test_a_write_that_fails_half_way_leaves_nothing(
    open_journal: OpenJournal, metrics: Metrics, frame: MakeFrame
) -> None:
    """Where a file may not grow (here by a limit of the process), a group is refused whole."""

    async def scenario() -> None:
        journal = open_journal()
        kept = [frame(number, 900) for number in range(20)]
        for one in kept:
            await journal.append(one)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_500, hard))
        try:
            outcomes = await asyncio.gather(
                *(journal.append(frame(number, 300)) for number in range(80)), return_exceptions=True
            )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert {type(outcome) for outcome in outcomes} == {Backpressure}
        await journal.append(frame(20, 900))
        await journal.close()
        journal = open_journal()
        assert await deliver(journal.consumer("store"), 21) == [*kept, frame(20, 900)]
        assert metrics.registry.get_sample_value("glasshouse_journal_repaired_bytes_total") == 0
        await journal.close()

    asyncio.run(scenario())


def test_a_failed_fsync_acknowledges_nothing(
    open_journal: OpenJournal, frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame whose fsync failed is refused and gone; the file is not trusted again, a new one is."""

    async def scenario() -> None:
        journal = open_journal()
        consumer = journal.consumer("store")
        await journal.append(frame(0))

        def failing(descriptor: int) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", failing)
            with pytest.raises(Backpressure, match="Input/output"):
                await journal.append(frame(1))
        await journal.append(frame(2))
        run = await consumer.next_run(max_records=1, max_bytes=1, linger=0)
        assert run is not None
        assert list(run.frames) == [frame(0)]
        await consumer.commit(run)
        following = await consumer.next_run(max_records=1, max_bytes=1, linger=0)
        assert following is not None
        assert list(following.frames) == [frame(2)]
        assert following.origin.segment > run.origin.segment
        await journal.close()

    asyncio.run(scenario())


def test_a_cursor_that_cannot_be_written_is_tried_again(
    open_journal: OpenJournal, frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer whose disk refuses waits and goes on; no run is out before its bounds are kept."""
    fdatasync, failures = os.fdatasync, [OSError(5, "Input/output error")]

    async def scenario() -> None:
        journal = open_journal()
        consumer = journal.consumer("store")
        await journal.append(frame(0))

        def failing_once(descriptor: int) -> None:
            if failures:
                raise failures.pop()
            fdatasync(descriptor)

        monkeypatch.setattr(os, "fdatasync", failing_once)
        assert await deliver(consumer, 1) == [frame(0)]
        await journal.close()

    asyncio.run(scenario())
    assert not failures
