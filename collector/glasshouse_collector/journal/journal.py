"""The journal: the durable queue between the receivers and the exporters."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.core.clock import Clock
from glasshouse_collector.core.errors import Backpressure, ConfigurationError
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal.consumer import Consumer
from glasshouse_collector.journal.cursor import CursorFile, CursorState, Position
from glasshouse_collector.journal.frame import check_limits
from glasshouse_collector.journal.recent import RecentPayloads
from glasshouse_collector.journal.recovery import CURSOR_SUFFIX, NO_DOUBT, Recovered, recover
from glasshouse_collector.journal.runs import RunReader
from glasshouse_collector.journal.search import tails
from glasshouse_collector.journal.segment import SEGMENT_HEADER_BYTES
from glasshouse_collector.journal.settings import JournalSettings
from glasshouse_collector.journal.writer import Group, GroupWriter, full_refusal

logger = logging.getLogger(__name__)

_PENDING_BYTES = 128 << 20
"""Uncompressed bytes that may wait for the disk; more are refused."""
_RECENT_BYTES = 80 << 20  # a run of the default size, and what comes while it is formed
_BUSY_RETRY_SECONDS = 1.0
_MAX_FILE_NAME = 200

_Entry = tuple[Frame, asyncio.Future[None]]


class Journal:
    """Keeps accepted requests on disk until every consumer has delivered them.

        append ──▶ pending ──▶ writer thread: compress, write, one fsync a group ──▶ all of the group wake
                                    │ segment files
        consumer ◀── run ◀── its own thread: read, check, decompress, note the run's bounds

    What is promised:

    - Acknowledged means kept, once. When `append` returns, the frame is on disk (durability "fsync":
      fdatasync has returned; it survives a loss of power). Durability "os" stops at the operating
      system's memory: the frame survives the death of this process, not a loss of power or a crash of
      the kernel, which can take the last seconds (what the system had not yet written, 30 s on Linux).
    - When `append` raises `Backpressure`, the frame is not in the journal. When it is cancelled, it
      may be.
    - Each consumer gets every kept frame whole, unchanged, in the order of appending, and until it
      commits, again after a restart, in runs with the same bounds. A segment is removed only when every
      known consumer has committed all of it.
    - Damage on disk costs the frames it hits and no others, is never delivered as something else, and
      is said and counted.
    - Memory is bounded (pending bytes, and a run a consumer), whatever the backlog.

    All methods but `open` belong to one event loop.
    """

    def __init__(self, settings: JournalSettings, metrics: Metrics, clock: Clock, found: Recovered) -> None:
        self.id = found.identity.id
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._found = found
        self._segments = found.segments
        self._recent = RecentPayloads(_RECENT_BYTES)
        self._writer = GroupWriter(
            settings,
            found.identity,
            found.segments,
            metrics,
            clock,
            next_number=found.next_number,
            recent=self._recent,
        )
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-writer")
        self._pending: list[_Entry] = []
        self._pending_bytes = 0
        self._writing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing: asyncio.Task[None] | None = None
        self._consumers: dict[str, Consumer] = {}
        metrics.journal_max_bytes.set(settings.max_bytes)
        metrics.journal_bytes.set_function(lambda: self._segments.total_bytes)
        for name in found.cursors:
            self._add_consumer(name)
        self._remove_delivered()

    @classmethod
    def open(cls, settings: JournalSettings, metrics: Metrics, clock: Clock) -> "Journal":
        """Take the directory, repair what a crash left, and return the journal.

        Raises `ConfigurationError` where another process has the directory, or it cannot be written.
        """
        try:
            found = recover(settings, metrics)
            with contextlib.ExitStack() as undo:
                undo.callback(found.lock.release)
                journal = cls(settings, metrics, clock, found)
                undo.pop_all()
                return journal
        except OSError as failed:
            raise ConfigurationError(
                f"journal: the directory {settings.directory} cannot be used: {failed.strerror or failed}; "
                "it has to be writable for the collector"
            ) from None

    async def append(self, frame: Frame) -> None:
        """Return once the frame is durable; raises `Backpressure`, `TooLarge` beyond 1 GiB."""
        size = len(frame.payload)
        if self._closing:
            raise Backpressure(_BUSY_RETRY_SECONDS, "the collector is stopping")
        if self._writer.full:
            raise full_refusal()
        if self._pending and self._pending_bytes + size > _PENDING_BYTES:
            raise Backpressure(_BUSY_RETRY_SECONDS, "the collector's disk is slower than what comes in")
        check_limits(frame)
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()
        self._pending.append((frame, durable))
        self._pending_bytes += size
        if not self._writing:
            self._writing = True
            self._idle.clear()
            # Not at once: whoever else appends in this turn of the loop shares the fsync.
            loop.call_soon(self._write_pending, loop)
        await durable

    def consumer(self, name: str) -> Consumer:
        """Return the consumer of that name; a new one starts at the oldest frame kept.

        From then on the journal keeps what this consumer has not committed, also while nobody reads,
        until its `cursor_path` is deleted while the journal is closed. Raises `ConfigurationError` for an
        impossible name, or a full disk.
        """
        known = self._consumers.get(name)
        if known:
            return known
        if not 0 < len(quote(name, safe="")) <= _MAX_FILE_NAME:
            raise ConfigurationError(f"journal: a consumer cannot be named {name!r}: too long, or empty")
        try:
            return self._add_consumer(name)
        except OSError as failed:
            raise ConfigurationError(
                f"journal: no cursor can be made in {self._settings.directory}: {failed.strerror or failed}"
            ) from None

    @property
    def consumers(self) -> Sequence[str]:
        """The names of the known consumers, also those nobody reads with."""
        return sorted(self._consumers)

    def cursor_path(self, name: str) -> Path:
        """Return the file that holds a consumer's cursor."""
        return self._settings.directory / f"{quote(name, safe='')}{CURSOR_SUFFIX}"

    @property
    def place(self) -> int:
        """The number of the segment that what is appended now lies in, or of one before it."""
        following = self._writer.next_number  # read first: the writer may begin a segment meanwhile
        last = self._segments.last
        return last.number if last else following

    def tails(self, kind: RequestKind, since_ns: int, length: int) -> set[bytes]:
        """Return the last bytes of each request of a kind that came since then and is still here; blocks."""
        return tails(self._segments, kind, since_ns, length)

    def has_all_since(self, place: int) -> bool:
        """Whether all is still here that an earlier process appended when `place` was that number."""
        oldest = next(iter(self._segments), None)
        return self._found.next_number <= place or (oldest is not None and oldest.number <= place)

    async def close(self) -> None:
        """Stop the consumers, write and fsync everything pending, let go of the directory; repeatable."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self._idle.wait()
        for consumer in self._consumers.values():
            await consumer.close()
        self._thread.submit(self._writer.close)
        await asyncio.to_thread(self._thread.shutdown)
        self._found.lock.release()

    def _write_pending(self, loop: asyncio.AbstractEventLoop) -> None:
        entries, self._pending = self._pending, []
        self._thread.submit(self._write_group, entries, loop)

    def _write_group(self, entries: list[_Entry], loop: asyncio.AbstractEventLoop) -> None:
        """Write in the writer's thread, then wake the whole group at once."""
        group = self._writer.write([frame for frame, _ in entries])
        if group.refusal:
            self._remove_delivered()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._written, entries, group, loop)

    def _written(self, entries: list[_Entry], group: Group, loop: asyncio.AbstractEventLoop) -> None:
        self._answer(entries, group)
        kept = group.frames[: group.kept]
        raw_bytes = sum(len(frame.payload) for frame in kept)
        records = sum(frame.records for frame in kept)
        for consumer in self._consumers.values():
            consumer.notice(records, raw_bytes)
        self._pending_bytes -= sum(len(frame.payload) for frame in group.frames)
        if self._pending:
            self._write_pending(loop)
        else:
            self._writing = False
            self._idle.set()

    def _answer(self, entries: list[_Entry], group: Group) -> None:
        for i, (_, durable) in enumerate(entries):
            if durable.done():  # cancelled
                continue
            if i < group.kept or group.refusal is None:
                durable.set_result(None)
            else:
                durable.set_exception(Backpressure(group.refusal.retry_after, str(group.refusal)))

    def _add_consumer(self, name: str) -> Consumer:
        reader = RunReader(
            self._found.identity.id,
            self._segments,
            *self._cursor_of(name),
            damage=self._found.damage,
            durable=self._settings.durability == "fsync",
            recent=self._recent,
        )
        self._recent.readers += 1
        consumer = Consumer(name, reader, self._remove_delivered)
        self._consumers[name] = consumer
        self._metrics.journal_lag_frames.labels(name).set_function(lambda: reader.lag_frames)
        self._metrics.journal_oldest_seconds.labels(name).set_function(lambda: self._age(reader))
        return consumer

    def _cursor_of(self, name: str) -> tuple[CursorFile, Position]:
        """Return the consumer's cursor file and until where it is in doubt."""
        found = self._found.cursors.get(name)
        if found:
            return found.file, found.doubt_until
        damaged = name in self._found.cursors
        oldest = next(iter(self._segments), None)
        state = (
            CursorState(Position(oldest.number, SEGMENT_HEADER_BYTES), oldest.frames_before)
            if oldest
            else CursorState(self._found.end, self._segments.frames_ever)
        )
        file = CursorFile.create(self.cursor_path(name), state)
        return file, self._found.end if damaged else NO_DOUBT

    def _age(self, reader: RunReader) -> float:
        """Return seconds since the oldest frame not delivered was received."""
        received_ns = reader.oldest_received_ns()
        return 0.0 if received_ns is None else max(0.0, (self._clock.time_ns() - received_ns) / 1e9)

    def _remove_delivered(self) -> None:
        """Delete the segments that every known consumer is past; called from any thread."""
        consumers = list(self._consumers.values())  # a copy: the event loop may add one
        delivered = min((consumer.reader.delivered for consumer in consumers), default=None)
        if delivered is None:
            return
        with self._writer.lock:
            for segment in self._segments:
                if not segment.sealed or Position(segment.number, segment.end) > delivered:
                    break
                try:
                    self._segments.remove(segment)
                except OSError as failed:
                    logger.warning("the journal cannot remove %s, tries again: %s", segment.path, failed)
                    break
                self._writer.full = False
