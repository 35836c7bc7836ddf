"""The line: its order, its sizes, and who goes when there is no room."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from glasshouse.delivery.batch import SIGNALS, Batch, Signal
from glasshouse.delivery.batch_file import Stored
from glasshouse.delivery.waiting import Entry, Waiting


def _batch(number: int, size: int = 10, signal: Signal = "logs") -> Batch:
    return Batch(signal, bytes(size), number)


def test_a_full_memory_drops_the_oldest() -> None:
    """The newest are kept, and the number of the dropped is told."""
    waiting = Waiting(100)
    dropped = [waiting.put(_batch(number, 30)) for number in range(5)]
    assert dropped == [0, 0, 0, 1, 1]
    assert [entry.created_ns for entry in waiting.entries()] == [2, 3, 4]


def test_what_is_being_sent_is_not_dropped() -> None:
    """The oldest that nobody is sending goes instead."""
    waiting = Waiting(100)
    waiting.put(_batch(0, 60))
    next(waiting.heads()).sending = True
    assert waiting.put(_batch(1, 30)) == 0
    assert waiting.put(_batch(2, 30)) == 1
    assert [entry.created_ns for entry in waiting.entries()] == [0, 2]


def test_a_batch_larger_than_the_memory_is_dropped() -> None:
    """It does not take the bound with it."""
    waiting = Waiting(100)
    assert waiting.put(_batch(0, 101)) == 1
    assert waiting.memory_bytes == 0


def test_the_inherited_take_their_place_by_age() -> None:
    """What a dead process left is older than what has come since, and is sent before."""
    waiting = Waiting(100)
    waiting.put(_batch(5))
    waiting.adopt([Stored(number, "logs", str(number), 4096) for number in (7, 3)])
    assert [entry.created_ns for entry in waiting.entries()] == [3, 5, 7]
    assert next(waiting.heads()).created_ns == 3


def test_who_steps_back_goes_last() -> None:
    """A batch that its endpoint breaks off at lets the others go first."""
    waiting = Waiting(100)
    for number in range(3):
        waiting.put(_batch(number))
    waiting.step_back(next(waiting.heads()))
    assert next(waiting.heads()).created_ns == 1


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes and goes in whatever order, the sizes are those of what waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = Waiting(1000)
        self.number = 0

    @rule(size=st.integers(0, 1200), signal=st.sampled_from(SIGNALS))
    def put(self, size: int, signal: Signal) -> None:
        """Add one."""
        self.number += 1
        self.waiting.put(_batch(self.number, size, signal))

    @rule(signal=st.sampled_from(SIGNALS))
    def adopt(self, signal: Signal) -> None:
        """Inherit one."""
        self.number += 1
        self.waiting.adopt([Stored(self.number, signal, str(self.number), 4096)])

    @precondition(lambda self: self.waiting.oldest_in_memory() is not None)
    @rule()
    def spool(self) -> None:
        """Write one."""
        entry = self.waiting.oldest_in_memory()
        assert entry is not None
        assert self.waiting.on_disk(entry, Stored(entry.created_ns, entry.signal, "", 4096))

    @precondition(lambda self: len(self.waiting) > 0)
    @rule(which=st.integers(0), twice=st.booleans())
    def settle(self, which: int, twice: bool) -> None:
        """Deliver one, of which the second news changes nothing."""
        entries = self.waiting.entries()
        entry = entries[which % len(entries)]
        assert self.waiting.settle(entry)
        if twice:
            assert not self.waiting.settle(entry)
            assert not self.waiting.on_disk(entry, Stored(0, entry.signal, "", 4096))

    @invariant()
    def sizes_add_up(self) -> None:
        """Count anew."""
        entries = self.waiting.entries()
        in_memory = [entry.batch for entry in entries if entry.batch]
        on_disk = [entry.stored for entry in entries if entry.stored]
        assert len(in_memory) + len(on_disk) == len(entries) == len(self.waiting)
        assert self.waiting.memory_bytes == sum(len(batch.body) for batch in in_memory) <= 1000
        assert self.waiting.disk_bytes == sum(stored.disk_bytes for stored in on_disk)

    @invariant()
    def the_oldest_is_known(self) -> None:
        """Both ways out start at the old end."""
        by_age: list[Entry] = self.waiting.entries()
        assert self.waiting.oldest_on_disk() is next((entry for entry in by_age if entry.stored), None)
        assert self.waiting.oldest_in_memory() is next((entry for entry in by_age if entry.batch), None)


TestAnyOrder = AnyOrder.TestCase
