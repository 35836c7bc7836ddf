"""Whatever happens to the files, every frame that was not hit comes exactly once, in order, unchanged."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal import Journal, JournalSettings
from glasshouse_collector.journal.frame import HEADER_BYTES, MAGIC
from glasshouse_collector.journal.segment import SEGMENT_HEADER_BYTES

UNLIMITED = 1 << 40
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
"""Where hundreds of journals are opened a second, on Linux."""
SEGMENT_BYTES = 4096
LAST = Frame(RequestKind.METRICS, "last", 1, 0, b"the last")

payloads = st.one_of(
    st.binary(max_size=200),
    st.integers(0, 6000).map(lambda size: b"span" * size),
    st.lists(st.sampled_from([MAGIC, MAGIC + b"\0" * HEADER_BYTES, b"\xff" * 60, b"x"]), max_size=40).map(
        b"".join
    ),
)
frames_strategy = st.lists(
    st.builds(
        Frame,
        kind=st.sampled_from(RequestKind),
        project=st.text(max_size=8).filter(lambda text: text.isprintable()),
        records=st.integers(0, 1000),
        received_ns=st.integers(0, 2**62),
        payload=payloads,
    ),
    min_size=1,
    max_size=25,
)


@dataclass(frozen=True)
class Place:
    """Where a frame lies: its segment's number and its bytes."""

    segment: int
    first: int
    end: int
    frame: Frame


@dataclass(frozen=True)
class Hit:
    """Bytes that are overwritten: which segment, from where (both as shares), with what."""

    segment: float
    at: float
    content: bytes


hits = st.builds(
    Hit,
    segment=st.floats(0, 1),
    at=st.floats(0, 1),
    content=st.one_of(st.binary(min_size=1, max_size=3), st.integers(1, 3000).map(bytes)),
)


def open_in(directory: Path, metrics: Metrics | None = None) -> Journal:
    """Open the journal with small segments."""
    limits = JournalSettings(directory, "os", 1 << 30, SEGMENT_BYTES)
    return Journal.open(limits, metrics or Metrics(), SystemClock())


async def write(directory: Path, frames: list[Frame]) -> list[Place]:
    """Append the frames, with a consumer that has read none of them, and tell where each lies."""
    journal = open_in(directory)
    journal.consumer("reader")
    for frame in frames:
        await journal.append(frame)
    consumer = journal.consumer("places")
    starts = []
    for frame in frames:
        run = await consumer.next_run(max_records=0, max_bytes=0, linger=0)
        assert run is not None
        assert list(run.frames) == [frame]
        starts.append((run.origin.segment, run.origin.first))
        await consumer.commit(run)
    await journal.close()
    journal.cursor_path("places").unlink()
    ends = [
        following[1] if following[0] == segment else segment_file(directory, segment).stat().st_size
        for (segment, _), following in zip(starts, [*starts[1:], (-1, 0)], strict=True)
    ]
    return [Place(*start, end, frame) for start, end, frame in zip(starts, ends, frames, strict=True)]


def segment_file(directory: Path, number: int) -> Path:
    """Return the file of a segment."""
    return directory / f"{number:016x}.segment"


def contents(directory: Path) -> dict[int, bytes]:
    """Return what is in each segment's file."""
    return {int(path.stem, 16): path.read_bytes() for path in directory.glob("*.segment")}


def set_aside(directory: Path, what: str) -> list[bytes]:
    """Return what was kept of bytes that are no frame."""
    return [path.read_bytes() for path in directory.glob(f"*.{what}")]


def overwrite(directory: Path, hit: Hit) -> None:
    """Damage a file, which keeps its length."""
    files = sorted(directory.glob("*.segment"))
    path = files[round(hit.segment * (len(files) - 1))]
    content = bytearray(path.read_bytes())
    at = round(hit.at * (len(content) - 1))
    end = min(len(content), at + len(hit.content))
    content[at:end] = hit.content[: end - at]
    path.write_bytes(content)


def intact(places: list[Place], before: dict[int, bytes], after: dict[int, bytes]) -> list[Place]:
    """Return where bytes are what they were."""
    return [
        place
        for place in places
        if before[place.segment][place.first : place.end] == after[place.segment][place.first : place.end]
    ]


async def read_until(journal: Journal, last: Frame) -> list[Frame]:
    """Return what the consumer that has read nothing gets, up to the last frame."""
    consumer = journal.consumer("reader")
    frames: list[Frame] = []
    while not frames or frames[-1] != last:
        run = await asyncio.wait_for(
            consumer.next_run(max_records=UNLIMITED, max_bytes=UNLIMITED, linger=0), 60
        )
        assert run is not None
        frames += run.frames
        await consumer.commit(run)
    return frames


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(frames=frames_strategy, damage=st.lists(hits, min_size=1, max_size=4), while_open=st.booleans())
def test_corruption_costs_only_the_frames_it_hits(
    frames: list[Frame], damage: list[Hit], while_open: bool
) -> None:
    """Any bytes overwritten, before or after the journal is opened; appending goes on behind."""

    async def scenario(directory: Path) -> None:
        places = await write(directory, frames)
        before = contents(directory)
        journal = open_in(directory) if while_open else None
        for hit in damage:
            overwrite(directory, hit)
        after = contents(directory)
        journal = journal or open_in(directory)
        await journal.append(LAST)
        kept = [place.frame for place in intact(places, before, after)]
        assert await read_until(journal, LAST) == [*kept, LAST]
        await journal.close()

    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        asyncio.run(scenario(Path(directory)))


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(frames=frames_strategy, cut=st.floats(0, 1), torn=st.binary(max_size=300))
def test_a_torn_tail_is_cut_off_and_set_aside(frames: list[Frame], cut: float, torn: bytes) -> None:
    """The newest segment ends anywhere, or in rubbish: all whole frames come, the rest is kept aside."""

    async def scenario(directory: Path) -> None:
        places = await write(directory, frames)
        before = contents(directory)
        newest = max(before)
        size = SEGMENT_HEADER_BYTES + round(cut * (len(before[newest]) - SEGMENT_HEADER_BYTES))
        segment_file(directory, newest).write_bytes(before[newest][:size] + torn)
        metrics = Metrics()
        journal = open_in(directory, metrics)
        await journal.append(LAST)
        whole = intact(places, before, contents(directory))
        end = max([place.end for place in whole if place.segment == newest] or [SEGMENT_HEADER_BYTES])
        assert await read_until(journal, LAST) == [*(place.frame for place in whole), LAST]
        await journal.close()
        aside = b"".join(set_aside(directory, "torn"))
        lost = (before[newest][:size] + torn)[end:]
        assert aside == lost
        assert metrics.registry.get_sample_value("glasshouse_journal_repaired_bytes_total") == len(lost)

    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        asyncio.run(scenario(Path(directory)))


def test_a_frame_inside_a_payload_is_none() -> None:
    """Bytes copied from a segment into a payload do not become a frame when the outer one is damaged."""

    async def scenario(directory: Path) -> None:
        forged = Frame(RequestKind.LOGS, "victim", 1, 1, b"forged")
        places = await write(directory, [forged])
        copied = segment_file(directory, places[0].segment).read_bytes()[places[0].first :]
        journal = open_in(directory)
        # At its own offset too: the outer frame's header and project come before.
        for shift in range(SEGMENT_HEADER_BYTES + 1):
            await journal.append(Frame(RequestKind.LOGS, "p", 1, 1, b"\0" * shift + copied))
        await journal.close()
        for number, content in contents(directory).items():
            if number != places[0].segment:
                damaged = bytearray(content)
                for at in (i for i in range(len(content)) if content.startswith(MAGIC, i)):
                    if content[at : at + len(copied)] != copied:
                        damaged[at + 8] ^= 1
                segment_file(directory, number).write_bytes(damaged)
        journal = open_in(directory)
        await journal.append(LAST)
        assert await read_until(journal, LAST) == [forged, LAST]
        await journal.close()

    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        asyncio.run(scenario(Path(directory)))


def test_damage_is_said_and_set_aside_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However many consumers and restarts meet it, one message, one count, one file."""

    async def scenario() -> None:
        frames = [Frame(RequestKind.LOGS, "p", 1, i, bytes([i]) * 50) for i in range(5)]
        places = await write(tmp_path, frames)
        path, place = segment_file(tmp_path, places[2].segment), places[2]
        content = bytearray(path.read_bytes())
        content[place.first + HEADER_BYTES + 20] ^= 1
        path.write_bytes(content)
        metrics = Metrics()
        for _ in range(2):
            journal = open_in(tmp_path, metrics)
            other = journal.consumer("other")
            run = await other.next_run(max_records=UNLIMITED, max_bytes=UNLIMITED, linger=0)
            assert run is not None
            assert list(run.frames) == [*frames[:2], *frames[3:]]
            await journal.close()
        assert set_aside(tmp_path, "damaged") == [content[place.first : place.end]]
        assert metrics.registry.get_sample_value("glasshouse_journal_repaired_bytes_total") == len(
            content[place.first : place.end]
        )
        assert len([record for record in caplog.records if "damaged" in record.message]) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("keep_headers", [True, False])
def test_a_lost_identity_is_made_again(tmp_path: Path, keep_headers: bool) -> None:
    """The segments' headers stand in for the identity file; without both, the user is told."""

    async def scenario() -> None:
        frames = [Frame(RequestKind.LOGS, "p", 1, 1, b"kept")]
        await write(tmp_path, frames)
        journal = open_in(tmp_path)
        known = journal.id
        await journal.close()
        (tmp_path / "identity").write_bytes(b"rubbish")
        if not keep_headers:
            for number, content in contents(tmp_path).items():
                segment_file(tmp_path, number).write_bytes(b"\0" * 40 + content[40:])
            with pytest.raises(ConfigurationError, match="identity"):
                open_in(tmp_path)
            return
        journal = open_in(tmp_path)
        assert journal.id == known
        await journal.append(LAST)
        assert await read_until(journal, LAST) == [*frames, LAST]
        await journal.close()

    asyncio.run(scenario())


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """A journal that a newer collector wrote is left alone, with advice."""

    async def scenario() -> None:
        await write(tmp_path, [Frame(RequestKind.LOGS, "p", 1, 1, b"")])
        ((number, content),) = contents(tmp_path).items()
        header = content[8:12].replace(b"\x01", b"\x02") + content[12:SEGMENT_HEADER_BYTES]
        newer = content[:4] + crc32(header).to_bytes(4, "little") + header
        segment_file(tmp_path, number).write_bytes(newer + content[SEGMENT_HEADER_BYTES:])
        with pytest.raises(ConfigurationError, match="newer collector"):
            open_in(tmp_path)

    asyncio.run(scenario())
