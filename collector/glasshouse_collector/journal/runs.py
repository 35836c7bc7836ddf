"""Forms runs of frames, and remembers which are out, in the cursor file."""

import logging
from collections import deque
from dataclasses import dataclass, field

from glasshouse_collector.core.batch import Frame, Origin, Run
from glasshouse_collector.journal.cursor import CursorFile, CursorState, Position, RunBounds
from glasshouse_collector.journal.damage import Damage
from glasshouse_collector.journal.frame import FrameHeader, StoredFrame
from glasshouse_collector.journal.payloads import Decompressor
from glasshouse_collector.journal.reader import SegmentReader, peek
from glasshouse_collector.journal.recent import RecentPayloads
from glasshouse_collector.journal.segment import SEGMENT_HEADER_BYTES, Segment, Segments

logger = logging.getLogger(__name__)

MAX_OPEN_RUNS = 16
"""Handed out and not committed, for one consumer; what a page of the cursor file has room for."""

_FORMED = 32
"""Runs whose bounds are remembered for those who follow."""


@dataclass(slots=True)
class Gathering:
    """The frames of the next run so far, and its limits; at least one frame fits any limit."""

    max_records: int
    max_bytes: int
    frames: list[StoredFrame] = field(default_factory=list)
    records: int = 0
    raw_bytes: int = 0
    complete: bool = False

    def fits(self, header: FrameHeader) -> bool:
        """Whether the run stays within its limits with this frame."""
        return not self.frames or (
            self.records + header.records <= self.max_records
            and self.raw_bytes + header.raw_bytes <= self.max_bytes
        )

    def add(self, frame: StoredFrame) -> None:
        """Take the frame into the run."""
        self.frames.append(frame)
        self.records += frame.header.records
        self.raw_bytes += frame.header.raw_bytes
        self.complete = self.records >= self.max_records or self.raw_bytes >= self.max_bytes


class RunReader:
    """The blocking half of a consumer; one thread at a time may call what reads or writes files."""

    def __init__(  # noqa: PLR0913  (what reading takes)
        self,
        journal: str,
        segments: Segments,
        cursor: CursorFile,
        doubt_until: Position,
        *,
        damage: Damage,
        durable: bool,
        recent: RecentPayloads,
    ) -> None:
        self._journal = journal
        self._segments = segments
        self._cursor = cursor
        self._damage = damage
        self._durable = durable
        self._recent = recent
        self._doubt_until = doubt_until
        self._position = cursor.state.position
        self._frames_before = cursor.state.frames_before
        self._reader: SegmentReader | None = None
        self._decompressor = Decompressor()
        self._again = deque(cursor.state.runs)
        self.formed: tuple[RunBounds, ...] = ()
        self._leader: RunReader | None = None

    def follow(self, leader: "RunReader") -> None:
        """Let runs end where the leader's do that hold their first frames."""
        self._leader = leader

    @property
    def delivered(self) -> Position:
        """Everything before is delivered; its segments may go."""
        return CursorState(self._position, 0, self._cursor.state.runs).delivered

    @property
    def position(self) -> Position:
        """Where the next run is looked for."""
        return self._position

    @property
    def level_with_leader(self) -> bool:
        """Whether the leader's next run begins where the next one here does; False without a leader."""
        return self._leader is not None and self._leader.position == self._position

    @property
    def lag_frames(self) -> int:
        """Frames not delivered yet."""
        out = sum(run.frames for run in self._cursor.state.runs)
        return max(0, self._segments.frames_ever - self._frames_before + out)

    def oldest_received_ns(self) -> int | None:
        """When the oldest frame not delivered was received; None where all are delivered."""
        oldest = self.delivered
        segment = self._segments.at_or_after(oldest.segment)
        if segment is None:
            return None
        offset = oldest.offset if segment.number == oldest.segment else SEGMENT_HEADER_BYTES
        header = peek(segment, offset) if offset < segment.end else None
        return header.received_ns if header else None

    def has_more(self) -> bool:
        """Whether there may be durable frames that are in no run yet."""
        last = self._segments.last
        return last is not None and Position(last.number, last.end) > self._position

    @property
    def has_again(self) -> bool:
        """Whether runs of an earlier process wait to be handed out again."""
        return bool(self._again)

    def again(self) -> Run | None:
        """Return the next run that an earlier process had out, the same frames, in doubt."""
        bounds = self._again[0]
        frames = self._read_again(bounds)
        if not frames:
            logger.error("a run of the journal that was being delivered is gone: %s", bounds)
            self._save_without(bounds)
        self._again.popleft()
        if not frames:
            return None
        return Run(self._origin(bounds, in_doubt=True), frames)

    def begin(self, max_records: int, max_bytes: int) -> Gathering:
        """Start forming the next run."""
        if self._reader:
            self._reader.position = self._position.offset
        return Gathering(max_records, max_bytes)

    def gather(self, gathering: Gathering) -> None:
        """Take in what is durable by now, up to the limits or the segment's end."""
        while segment := self._segments.at_or_after(self._position.segment):
            if segment.number != self._position.segment:
                self._enter(segment)
            # In this order: where `sealed` is set, `end` is final.
            sealed, end = segment.sealed, segment.end
            reader = self._reader_of(segment)
            first = gathering.frames[0].header.offset if gathering.frames else reader.position
            led_to = self._led_to(segment, first)
            self._take(gathering, reader, min(end, led_to or end))
            if not gathering.frames:
                self._take(gathering, reader, end)
            if gathering.frames:
                gathering.complete = gathering.complete or sealed or led_to is not None
                return
            following = self._segments.at_or_after(segment.number + 1)
            if not sealed or following is None:
                return
            self._enter(following)

    def finish(self, gathering: Gathering) -> Run | None:
        """Write the run's bounds to the cursor file, then return it. Raises OSError."""
        headers = [frame.header for frame in gathering.frames]
        segment, state = self._position.segment, self._cursor.state
        if len(state.runs) >= MAX_OPEN_RUNS:
            raise RuntimeError(f"{MAX_OPEN_RUNS} runs are out: commit one before asking for another")
        bounds = RunBounds(segment, headers[0].offset, headers[-1].offset, headers[-1].end, len(headers))
        position = Position(segment, bounds.end)
        frames_before = self._frames_before + bounds.frames
        frames = self._frames_of(gathering.frames)
        runs = (*state.runs, bounds) if frames else state.runs
        self._cursor.save(CursorState(position, frames_before, runs), durable=self._durable)
        self._position, self._frames_before = position, frames_before
        self.formed = (*self.formed[1 - _FORMED :], bounds)
        in_doubt = Position(segment, bounds.first) < self._doubt_until
        return Run(self._origin(bounds, in_doubt=in_doubt), frames) if frames else None

    def commit(self, run: Run) -> None:
        """Take the run off the cursor file. Raises OSError; ValueError for a run that is not out."""
        origin = run.origin
        for bounds in self._cursor.state.runs:
            if (bounds.segment, bounds.first) == (origin.segment, origin.first):
                self._save_without(bounds)
                self._leave_finished_segment()
                return
        raise ValueError(f"run {origin.batch_id} is not out: committed before, or another consumer's")

    def close(self) -> None:
        """Let go of the files."""
        if self._reader:
            self._reader.close()
            self._reader = None
        self._cursor.close()

    def _led_to(self, segment: Segment, offset: int) -> int | None:
        """Return where the leader's run that goes past `offset` ends; None where it formed none."""
        formed = self._leader.formed if self._leader else ()
        return next((run.end for run in formed if run.segment == segment.number and run.end > offset), None)

    def _leave_finished_segment(self) -> None:
        """Close a file with nothing left to read: removed but open, it would still take room."""
        reader = self._reader
        if reader and reader.segment.sealed and self._position.offset >= reader.segment.end:
            reader.close()
            self._reader = None

    def _save_without(self, done: RunBounds) -> None:
        runs = tuple(bounds for bounds in self._cursor.state.runs if bounds != done)
        state = CursorState(self._position, self._frames_before, runs)
        self._cursor.save(state, durable=self._durable)

    def _origin(self, bounds: RunBounds, *, in_doubt: bool) -> Origin:
        return Origin(self._journal, bounds.segment, bounds.first, bounds.last, in_doubt)

    def _enter(self, segment: Segment) -> None:
        self._position = Position(segment.number, SEGMENT_HEADER_BYTES)
        self._frames_before = segment.frames_before

    def _reader_of(self, segment: Segment) -> SegmentReader:
        if self._reader and self._reader.segment is segment:
            return self._reader
        if self._reader:
            self._reader.close()
        self._reader = SegmentReader(segment, self._position.offset, self._damage.corrupted)
        return self._reader

    def _take(self, gathering: Gathering, reader: SegmentReader, end: int) -> None:
        while not gathering.complete and (frame := reader.read(end)):
            if gathering.fits(frame.header):
                gathering.add(frame)
            else:
                reader.position = frame.header.offset
                gathering.complete = True
        if not gathering.frames:
            self._position = Position(reader.segment.number, reader.position)

    def _read_again(self, bounds: RunBounds) -> list[Frame]:
        segment = self._segments.at_or_after(bounds.segment)
        if segment is None or segment.number != bounds.segment:
            return []
        reader = SegmentReader(segment, bounds.first, self._damage.corrupted)
        end = min(bounds.end, segment.end)
        try:
            return self._decompress(list(iter(lambda: reader.read(end), None)))
        finally:
            reader.close()

    def _frames_of(self, stored: list[StoredFrame]) -> list[Frame]:
        """Return the frames with their payloads: from memory, where all of them are still there."""
        segment = self._position.segment
        payloads = [self._recent.take((segment, one.header.offset)) for one in stored]
        if None in payloads:
            return self._decompress(stored)
        return [
            one.to_frame(payload)
            for one, payload in zip(stored, payloads, strict=True)
            if payload is not None
        ]

    def _decompress(self, stored: list[StoredFrame]) -> list[Frame]:
        try:
            return self._decompressor.frames(stored)
        except ValueError:
            return [frame for one in stored for frame in self._decompress_one(one)]

    def _decompress_one(self, stored: StoredFrame) -> list[Frame]:
        try:
            return self._decompressor.frames([stored])
        except ValueError as damaged:
            logger.error("a frame of the journal cannot be decompressed: %s", damaged)  # noqa: TRY400
            segment = self._segments.at_or_after(self._position.segment)
            if segment:
                self._damage.corrupted(segment, stored.header.offset, stored.header.end)
            return []
