"""Writes groups of frames, each group with one fsync."""

import errno
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from glasshouse_collector.core.batch import Frame
from glasshouse_collector.core.clock import Clock
from glasshouse_collector.core.errors import Backpressure
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal.counting import FrameCounters
from glasshouse_collector.journal.frame import encode
from glasshouse_collector.journal.identity import Identity
from glasshouse_collector.journal.payloads import Compressor
from glasshouse_collector.journal.recent import RecentPayloads
from glasshouse_collector.journal.segment import Segments, SegmentWriter
from glasshouse_collector.journal.settings import JournalSettings

logger = logging.getLogger(__name__)

_SLICE_BYTES = 16 << 20  # uncompressed; bounds the memory of a group being compressed
_SMALLEST_SEGMENT = 4096
_SEGMENTS_AT_LEAST = 8  # a full journal is freed a segment at a time
FULL_RETRY_SECONDS = 5.0
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(slots=True)
class Group:
    """What became of frames written together: the first `kept` are durable, the rest was refused."""

    frames: Sequence[Frame]
    kept: int = 0
    refusal: Backpressure | None = None


class GroupWriter:
    """The blocking half of `append`; one thread at a time writes.

    `full` says that the journal has reached its size and stays so until a segment is removed;
    `next_number` is the number of the segment that is made next.
    """

    def __init__(  # noqa: PLR0913  (what a journal is made of)
        self,
        settings: JournalSettings,
        identity: Identity,
        segments: Segments,
        metrics: Metrics,
        clock: Clock,
        *,
        next_number: int,
        recent: RecentPayloads,
    ) -> None:
        self._directory = settings.directory
        self._max_bytes = settings.max_bytes
        self._segment_bytes = max(
            _SMALLEST_SEGMENT, min(settings.segment_bytes, settings.max_bytes // _SEGMENTS_AT_LEAST)
        )
        self._durable = settings.durability == "fsync"
        self._identity = identity
        self._segments = segments
        self._metrics = metrics
        self._counters = FrameCounters(metrics)
        self._clock = clock
        self.next_number = next_number
        self._recent = recent
        self._compressor = Compressor()
        self._active: SegmentWriter | None = None
        self._complained = False
        self.lock = threading.Lock()  # held to change the list of segments
        self.full = False

    def write(self, frames: Sequence[Frame]) -> Group:
        """Write the frames in order and make them durable, as many as there is room for; raises nothing."""
        group = Group(frames)
        try:
            while group.kept < len(frames) and not group.refusal:
                self._write_slice(group)
            self._complained = False
        except OSError as failed:
            group.refusal = self._refuse(failed)
        except Exception:
            logger.exception("the journal could not write")
            self._take_back()
            group.refusal = Backpressure(FULL_RETRY_SECONDS, "the collector cannot write")
        return group

    def close(self) -> None:
        """Make everything durable and end the segment; raises nothing."""
        self._seal()

    def _write_slice(self, group: Group) -> None:
        frames = _slice(group.frames, group.kept, min(_SLICE_BYTES, self._segment_bytes))
        stored = self._compressor.compress([frame.payload for frame in frames])
        writer = self._writer_for(sum(len(content) for _, content in stored))
        room = self._max_bytes - self._segments.total_bytes
        segment, offset = writer.segment, writer.segment.end
        parts: list[bytes] = []
        offsets: list[int] = []
        for frame, (codec, content) in zip(frames, stored, strict=True):
            head = encode(frame, codec, content, segment.seed, offset)
            length = len(head) + len(content)
            if offset + length - segment.end > room:
                break
            parts += (head, content)
            offsets.append(offset)
            offset += length
        if parts:
            self._write_durably(writer, b"".join(parts))
            for at, frame in zip(offsets, frames, strict=False):
                self._recent.keep((segment.number, at), frame.payload)
            lengths = [end - at for at, end in pairwise([*offsets, offset])]
            self._counters.count(zip(frames, lengths, strict=False))
            segment.frames += len(offsets)
            segment.end = offset
            self._segments.frames_ever += len(offsets)
            group.kept += len(offsets)
        if len(offsets) < len(frames):
            group.refusal = self._refuse_as_full()

    def _write_durably(self, writer: SegmentWriter, content: bytes) -> None:
        try:
            writer.write(content)
        except OSError:
            self._take_back()
            raise
        if not self._durable:
            return
        began = self._clock.monotonic()
        try:
            writer.sync()
        except OSError:
            # What is on disk after a failed fsync, nobody knows: never write to this file again.
            self._take_back()
            self._seal()
            raise
        self._metrics.journal_fsync_seconds.observe(self._clock.monotonic() - began)

    def _writer_for(self, length: int) -> SegmentWriter:
        active = self._active
        if active and active.segment.frames and active.segment.end + length > self._segment_bytes:
            self._seal()
        if self._active is None:
            self._active = SegmentWriter.create(
                self._directory, self.next_number, self._segments.frames_ever, self._identity
            )
            self.next_number += 1
            with self.lock:
                self._segments.add(self._active.segment)
        return self._active

    def _seal(self) -> None:
        """End the active segment: nothing is written to it any more, and it may be removed."""
        if self._active is None:
            return
        if not self._durable:  # else each group was synced
            try:
                self._active.sync()
            except OSError as failed:
                logger.warning("the journal's segment %s may not last: %s", self._active.segment.path, failed)
        self._active.segment.sealed = True
        self._active.close()
        self._active = None

    def _take_back(self) -> None:
        """Cut off what was written behind the active segment's end; a file that refuses gets no more."""
        if self._active is None:
            return
        try:
            self._active.take_back()
        except OSError as failed:
            logger.error(  # noqa: TRY400
                "the journal's segment %s keeps an unfinished write: %s", self._active.segment.path, failed
            )
            self._seal()

    def _refuse_as_full(self) -> Backpressure:
        # A frame larger than the whole journal must not shut out the others.
        self.full = any(segment.frames for segment in self._segments)
        self._seal()  # so that it can be removed once it is delivered
        return full_refusal()

    def _refuse(self, failed: OSError) -> Backpressure:
        if not self._complained:
            logger.error("the journal cannot write, senders are told to come back: %s", failed)
        self._complained = True
        if failed.errno in _NO_ROOM:
            if self._active and self._active.segment.frames:
                self._seal()  # once it is delivered, its removal makes room
            return Backpressure(FULL_RETRY_SECONDS, "the collector's disk is full")
        return Backpressure(FULL_RETRY_SECONDS, f"the collector's disk refuses writes: {failed.strerror}")


def full_refusal() -> Backpressure:
    """Return what a sender is told while the journal is full."""
    return Backpressure(FULL_RETRY_SECONDS, "the collector's journal is full (journal.max_bytes)")


def _slice(frames: Sequence[Frame], first: int, limit: int) -> Sequence[Frame]:
    """Return frames from `first` on, together up to `limit` bytes uncompressed, one at least."""
    total = 0
    for i in range(first, len(frames)):
        total += len(frames[i].payload)
        if total > limit and i > first:
            return frames[first:i]
    return frames[first:]
