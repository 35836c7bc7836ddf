"""The batches that wait to be sent, oldest first, some in memory and some on disk."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from glasshouse.delivery.batch import SIGNALS, Batch, Signal
from glasshouse.delivery.batch_file import Stored


@dataclass(eq=False, slots=True)
class Entry:
    """One batch that waits: in memory, on disk, or for a moment both."""

    signal: Signal
    created_ns: int
    batch: Batch | None = None
    stored: Stored | None = None
    since: float = field(default_factory=time.monotonic)
    attempts: int = 0
    sending: bool = False
    settled: bool = False


class Waiting:
    """A line for each signal. It knows the order and the sizes and does no I/O; threads may share it.

    `changed` is notified whenever an entry comes or goes.
    """

    def __init__(self, most_memory_bytes: int) -> None:
        self.changed = threading.Condition()
        self.memory_bytes = 0
        self.disk_bytes = 0
        self._most_memory_bytes = most_memory_bytes
        self._lines: dict[Signal, deque[Entry]] = {signal: deque() for signal in SIGNALS}
        self._in_memory: deque[Entry] = deque()

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def entries(self) -> list[Entry]:
        """Return what waits, oldest first."""
        with self.changed:
            everything = [entry for line in self._lines.values() for entry in line]
        return sorted(everything, key=lambda entry: entry.created_ns)

    def put(self, batch: Batch) -> int:
        """Add a batch; return how many of the oldest in memory were dropped to make room for it."""
        dropped = 0
        with self.changed:
            entry = Entry(batch.signal, batch.created_ns, batch)
            self._lines[batch.signal].append(entry)
            self._in_memory.append(entry)
            self.memory_bytes += len(batch.body)
            while self.memory_bytes > self._most_memory_bytes:
                oldest = next((each for each in self._in_memory if not each.sending), None)
                if oldest is None:
                    break
                self.settle(oldest)
                dropped += 1
            self.changed.notify_all()
        return dropped

    def adopt(self, inherited: Iterable[Stored]) -> None:
        """Add batches that are on disk, each in its place by age."""
        with self.changed:
            for stored in inherited:
                entry = Entry(stored.signal, stored.created_ns, stored=stored)
                self._lines[stored.signal].append(entry)
                self.disk_bytes += stored.disk_bytes
            for signal, line in self._lines.items():
                self._lines[signal] = deque(sorted(line, key=lambda entry: entry.created_ns))
            self.changed.notify_all()

    def heads(self) -> Iterator[Entry]:
        """Return the first of each line; with the lock held."""
        return (line[0] for line in self._lines.values() if line)

    def oldest_in_memory(self) -> Entry | None:
        """Return the batch that is next to be written to disk."""
        with self.changed:
            return self._in_memory[0] if self._in_memory else None

    def oldest_on_disk(self) -> Entry | None:
        """Return the batch that is next to be dropped from a full disk; one that is being sent is not."""
        with self.changed:
            candidates = [
                next((entry for entry in line if entry.stored and not entry.sending), None)
                for line in self._lines.values()
            ]
            return min(
                (entry for entry in candidates if entry), key=lambda entry: entry.created_ns, default=None
            )

    def on_disk(self, entry: Entry, stored: Stored) -> bool:
        """Note that a batch is written, and leaves memory; False where it was settled meanwhile."""
        with self.changed:
            if entry.settled:
                return False
            self._leave_memory(entry)
            entry.stored = stored
            self.disk_bytes += stored.disk_bytes
            self.changed.notify_all()
            return True

    def settle(self, entry: Entry) -> bool:
        """Take a batch out of its line; False where it was out already."""
        with self.changed:
            if entry.settled:
                return False
            entry.settled = True
            self._lines[entry.signal].remove(entry)
            if entry.stored is not None:
                self.disk_bytes -= entry.stored.disk_bytes
            self._leave_memory(entry)
            self.changed.notify_all()
            return True

    def step_back(self, entry: Entry) -> None:
        """Put a batch at the end of its line, for the others to have their turn."""
        with self.changed:
            if not entry.settled:
                self._lines[entry.signal].remove(entry)
                self._lines[entry.signal].append(entry)
                self.changed.notify_all()

    def _leave_memory(self, entry: Entry) -> None:
        if entry.batch is not None:
            self._in_memory.remove(entry)
            self.memory_bytes -= len(entry.batch.body)
            entry.batch = None
