"""What is found in a journal's directory at open, repaired."""

import logging
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal.cursor import CursorFile, Position
from glasshouse_collector.journal.damage import Damage
from glasshouse_collector.journal.frame import checksum_seed
from glasshouse_collector.journal.identity import DirectoryLock, Identity, load_identity
from glasshouse_collector.journal.reader import SegmentReader
from glasshouse_collector.journal.segment import (
    SEGMENT_HEADER_BYTES,
    Segment,
    Segments,
    find_segments,
    read_header,
)
from glasshouse_collector.journal.settings import JournalSettings

logger = logging.getLogger(__name__)

CURSOR_SUFFIX = ".cursor"
NO_DOUBT = Position(0, 0)


@dataclass(frozen=True, slots=True)
class FoundCursor:
    """A consumer's cursor; what lies before `doubt_until` may have been delivered further than it says."""

    file: CursorFile
    doubt_until: Position


@dataclass(frozen=True, slots=True)
class Recovered:
    """A journal's directory, taken and in order."""

    lock: DirectoryLock
    identity: Identity
    segments: Segments
    cursors: dict[str, FoundCursor | None]
    """By consumer; None where its cursor was damaged beyond use."""
    end: Position
    """Behind the last frame."""
    next_number: int
    """A segment number never used before, so that no batch id ever comes twice."""
    damage: Damage


def recover(settings: JournalSettings, metrics: Metrics) -> Recovered:
    """Take the directory and repair it. Raises `ConfigurationError`, OSError."""
    settings.directory.mkdir(parents=True, exist_ok=True)
    lock = DirectoryLock(settings.directory)
    try:
        return _recover(settings.directory, lock, Damage(metrics))
    except BaseException:
        lock.release()
        raise


def _recover(directory: Path, lock: DirectoryLock, damage: Damage) -> Recovered:
    for unfinished in directory.glob("*.tmp"):
        unfinished.unlink()
    files = list(find_segments(directory))
    headers = [read_header(path) for _, path in files]
    loaded = {path: CursorFile.load(path) for path in sorted(directory.glob(f"*{CURSOR_SUFFIX}"))}
    positions = [file.state.position for file, _ in loaded.values() if file]
    identity = load_identity(
        directory,
        [header[1] for header in headers if header],
        has_frames=bool(files),
        renew=not files and not positions,
    )
    segments = Segments(directory)
    for segment in _segments_of(files, headers, identity):
        segments.add(segment)
    last = segments.last
    if last:
        _repair(last, damage)
    known = [file.state.frames_before for file, _ in loaded.values() if file]
    segments.frames_ever = max([last.frames_before + last.frames if last else 0, *known])
    end = Position(last.number, last.end) if last else max(positions, default=NO_DOUBT)
    return Recovered(
        lock=lock,
        identity=identity,
        segments=segments,
        cursors={unquote(path.stem): _checked(path, *found, end) for path, found in loaded.items()},
        end=end,
        next_number=1 + max([end.segment, *(position.segment for position in positions)]),
        damage=damage,
    )


def _segments_of(
    files: list[tuple[int, Path]], headers: list[tuple[int, Identity] | None], identity: Identity
) -> list[Segment]:
    segments: list[Segment] = []
    for (number, path), header in zip(files, headers, strict=True):
        if header is None:
            logger.error(
                "the journal's segment %s has a damaged header; its frames are read all the same", path
            )
        before = segments[-1] if segments else None
        frames_before = header[0] if header else before.frames_before if before else 0
        if before:
            before.frames = max(0, frames_before - before.frames_before)
        key = header[1].key if header else identity.key
        end = max(path.stat().st_size, SEGMENT_HEADER_BYTES)
        seed = checksum_seed(key, number)
        segments.append(Segment(path, number, frames_before, end, sealed=True, seed=seed))
    return segments


def _repair(last: Segment, damage: Damage) -> None:
    """Count the newest segment's frames; cut off a torn tail, set other damage aside."""
    size = last.end
    damaged: list[tuple[int, int]] = []
    reader = SegmentReader(last, SEGMENT_HEADER_BYTES, lambda _, first, end: damaged.append((first, end)))
    try:
        last.frames = sum(1 for _ in iter(lambda: reader.read(size), None))
    finally:
        reader.close()
    tail = size
    while damaged and damaged[-1][1] == tail:
        tail = damaged.pop()[0]
    if tail < size:
        damage.torn(last, tail, size)
        last.end = tail
    for first, end in damaged:
        damage.corrupted(last, first, end)


def _checked(path: Path, file: CursorFile | None, intact: bool, end: Position) -> FoundCursor | None:
    if file and intact:
        return FoundCursor(file, NO_DOUBT)
    if file:
        logger.error(
            "the journal's cursor %s is damaged: its last intact state is used; what may have been delivered "
            "since is delivered again, marked in doubt",
            path,
        )
        return FoundCursor(file, end)
    logger.error(
        "the journal's cursor %s is damaged beyond use and kept as .damaged: its consumer starts again at "
        "the oldest frame, marked in doubt",
        path,
    )
    path.replace(path.with_suffix(".damaged"))
    return None
