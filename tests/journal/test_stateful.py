"""Any sequence of appends, reads, commits, restarts and crashes keeps the journal's promises."""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from glasshouse_collector.core.batch import Frame, RequestKind, Run
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal import Journal, JournalSettings
from glasshouse_collector.journal.runs import MAX_OPEN_RUNS

T = TypeVar("T")
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
CONSUMERS = ("store", "forward")


def numbered(number: int, size: int) -> Frame:
    """Return the frame of a number."""
    payload = random.Random(number).randbytes(size)
    return Frame(RequestKind.TRACES, f"project {number % 3}", number % 7, number, payload)


@dataclass
class Reader:
    """What one consumer should see: frames taken so far, and its runs that are not committed."""

    taken: int = 0
    out: list[Run] = field(default_factory=list)
    again: list[Run] = field(default_factory=list)


class JournalMachine(RuleBasedStateMachine):
    """Compares the journal with a list."""

    @initialize()
    def begin(self) -> None:
        """Start with an empty journal and two consumers."""
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY))
        self.directory = self.folder / "0"
        self.loop = asyncio.new_event_loop()
        self.frames: list[Frame] = []
        self.batch_ids: dict[str, Run] = {}
        self.readers = {name: Reader() for name in CONSUMERS}
        self.crashes = 0
        self.open()
        for name in CONSUMERS:
            self.journal.consumer(name)

    def open(self) -> None:
        """Open the journal as it lies in the directory."""
        self.journal = Journal.open(
            JournalSettings(self.directory, "os", 1 << 30, 4096), Metrics(), SystemClock()
        )

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what the coroutine does."""
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, 60))

    @rule(sizes=st.lists(st.sampled_from([0, 10, 800, 2000]), min_size=1, max_size=8), together=st.booleans())
    def append(self, sizes: list[int], together: bool) -> None:
        """Append frames one by one, or as a group."""
        new = [numbered(len(self.frames) + i, size) for i, size in enumerate(sizes)]

        async def append_all() -> None:
            if together:
                await asyncio.gather(*(self.journal.append(frame) for frame in new))
            else:
                for frame in new:
                    await self.journal.append(frame)

        self.run(append_all())
        self.frames += new

    def may_read(self, reader: Reader) -> bool:
        """Whether a run has to come at once."""
        return bool(reader.again) or (reader.taken < len(self.frames) and len(reader.out) < MAX_OPEN_RUNS)

    @rule(name=st.sampled_from(CONSUMERS), records=st.integers(0, 30), size=st.sampled_from([0, 900, 9000]))
    def read(self, name: str, records: int, size: int) -> None:
        """Take a run: first those of before the crash, unchanged and in doubt, then what is next."""
        reader = self.readers[name]
        if not self.may_read(reader):
            return
        run = self.run(self.journal.consumer(name).next_run(max_records=records, max_bytes=size, linger=0))
        assert run is not None
        if reader.again:
            expected = reader.again.pop(0)
            assert list(run.frames) == list(expected.frames)
            assert run.origin.batch_id == expected.origin.batch_id
            assert run.origin.last == expected.origin.last
            assert run.origin.in_doubt
        else:
            assert list(run.frames) == self.frames[reader.taken : reader.taken + len(run.frames)]
            assert not run.origin.in_doubt
            assert len(run.frames) == 1 or (
                sum(frame.records for frame in run.frames) <= records
                and sum(len(frame.payload) for frame in run.frames) <= size
            )
            reader.taken += len(run.frames)
        same_id = self.batch_ids.setdefault(f"{name} {run.origin.batch_id}", run)
        assert list(same_id.frames) == list(run.frames)
        reader.out.append(run)

    @rule(name=st.sampled_from(CONSUMERS), which=st.integers(0, MAX_OPEN_RUNS))
    def commit(self, name: str, which: int) -> None:
        """Commit any run that is out."""
        reader = self.readers[name]
        if reader.out:
            run = reader.out.pop(which % len(reader.out))
            self.run(self.journal.consumer(name).commit(run))

    @rule()
    def restart(self) -> None:
        """Close and open."""
        self.run(self.journal.close())
        self.reopened()

    @rule(torn=st.binary(max_size=100))
    def crash(self, torn: bytes) -> None:
        """Go on from a copy of the files as they are now, with an unfinished write at the end."""
        self.crashes += 1
        copy = self.folder / str(self.crashes)
        shutil.copytree(self.directory, copy)
        self.run(self.journal.close())
        shutil.rmtree(self.directory)
        self.directory = copy
        newest = max(copy.glob("*.segment"), default=None)
        if newest:
            with newest.open("ab") as file:
                file.write(torn)
        self.reopened()

    def reopened(self) -> None:
        """Open; everything that was out comes again."""
        for reader in self.readers.values():
            reader.again = sorted(
                reader.out + reader.again, key=lambda run: (run.origin.segment, run.origin.first)
            )
            reader.out = []
        self.open()

    @precondition(lambda self: hasattr(self, "journal"))
    @invariant()
    def lag_is_what_is_not_committed(self) -> None:
        """See that the metric tells how many frames are not delivered."""
        for name, reader in self.readers.items():
            not_committed = sum(len(run.frames) for run in reader.out + reader.again)
            expected = len(self.frames) - reader.taken + not_committed
            assert self.journal.consumer(name).reader.lag_frames == expected

    @precondition(lambda self: hasattr(self, "journal"))
    @invariant()
    def nothing_delivered_is_kept(self) -> None:
        """Once every consumer has committed everything, no more than the segment being written is left."""
        if all(
            reader.taken == len(self.frames) and not reader.out and not reader.again
            for reader in self.readers.values()
        ):
            assert len(list(self.directory.glob("*.segment"))) <= 1

    def teardown(self) -> None:
        """Deliver the rest, and see that nothing is missing."""
        if not hasattr(self, "journal"):
            return
        for name, reader in self.readers.items():
            while self.readers[name].out:
                self.commit(name, 0)
            while self.may_read(reader):
                self.read(name, 1000, 100_000)
                self.commit(name, 0)
            assert reader.taken == len(self.frames)
        self.run(self.journal.close())
        self.loop.close()
        shutil.rmtree(self.folder)


JournalMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestJournalMachine = JournalMachine.TestCase
