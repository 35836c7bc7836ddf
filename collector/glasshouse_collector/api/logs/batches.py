"""Batches of log records in the order they were stored, and how far somebody has been told of them.

Records become visible by inserts, in no order of their times. What has an order is where they came from:
a collector's journal delivers its runs one after the other, so of one journal a batch is stored only when
all before it are. A batch may come in several inserts, one a day and one a shard: its *units*. Each of
these is there as a whole, or not at all.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

NANOSECONDS_A_DAY: Final = 86_400 * 10**9
_BATCH: Final = re.compile(r"([0-9A-Za-z_-]{1,80})-([0-9a-f]{1,16})-([0-9a-f]{1,16})")
_ENTRY: Final = re.compile(
    rf"(?P<batch>{_BATCH.pattern})\.(?P<day>[0-9a-f]{{1,6}})\.(?P<shard>[0-9a-f]{{1,6}})\.(?P<row>[0-9a-f]{{1,9}})"
)
WHOLE: Final = 2**32
"""Stands for the row after every row of a unit."""
MOST_JOURNALS: Final = 100


@dataclass(frozen=True, slots=True, order=True)
class BatchName:
    """A batch id: its journal, and where in that it begins; of one journal, the later is the greater."""

    journal: str
    segment: int
    first: int

    @property
    def id(self) -> str:
        """As it stands in the column `BatchId`."""
        return f"{self.journal}-{self.segment:x}-{self.first:x}"


def parse_batch(written: str) -> BatchName | None:
    """Return the batch that an id names; None where it is no journal's, whose order is not known."""
    match = _BATCH.fullmatch(written)
    name = BatchName(match[1], int(match[2], 16), int(match[3], 16)) if match else None
    return name if name and name.id == written else None


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """What one insert stored: rows of one batch, of one day (since the Unix epoch), on one shard."""

    batch: BatchName
    day: int
    shard: int

    @property
    def key(self) -> str:
        """The same as `UNIT_KEY` makes of a row."""
        return f"{self.batch.id}.{self.day}.{self.shard}"


UNIT_KEY: Final = (
    f"concat(BatchId, '.', toString(intDiv(toUnixTimestamp64Nano(Timestamp), {NANOSECONDS_A_DAY})), "
    "'.', toString(shardNum()))"
)
"""Of a row, in SQL."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A unit that came: its rows by project, and between which times they lie (both included)."""

    unit: Unit
    start: int
    end: int
    projects: dict[str, int]


@dataclass(slots=True)
class _Newest:
    """The newest batch of a journal that was told of, and up to which row, unit by unit."""

    batch: BatchName
    rows: dict[tuple[int, int], int] = field(default_factory=dict)


class Told:
    """How far somebody has been told: of each journal the newest batch, up to a row."""

    def __init__(self) -> None:
        self._journals: dict[str, _Newest] = {}

    def copy(self) -> "Told":
        """Return one that goes its own way from here."""
        copied = Told()
        for journal, newest in self._journals.items():
            copied._journals[journal] = _Newest(newest.batch, {**newest.rows})
        return copied

    def row(self, unit: Unit) -> int:
        """Return the last row of the unit that was told; -1: none yet, `WHOLE`: all."""
        newest = self._journals.get(unit.batch.journal)
        if newest is None or unit.batch > newest.batch:
            return -1
        if unit.batch < newest.batch:
            return WHOLE
        return newest.rows.get((unit.day, unit.shard), -1)

    def may_lack(self, batch: BatchName) -> bool:
        """Whether there may be units of the batch that were not told of."""
        newest = self._journals.get(batch.journal)
        return newest is None or batch >= newest.batch

    def has(self, batch: BatchName, day: int) -> bool:
        """Whether rows of that batch and day were told."""
        newest = self._journals.get(batch.journal)
        if newest is None or batch > newest.batch:
            return False
        return batch < newest.batch or any(day == known for known, _ in newest.rows)

    def advance(self, unit: Unit, row: int = WHOLE) -> None:
        """Take down that the unit was told up to and with that row."""
        newest = self._journals.pop(unit.batch.journal, None)
        if newest is None or unit.batch > newest.batch:
            newest = _Newest(unit.batch)
        if unit.batch == newest.batch:
            newest.rows[unit.day, unit.shard] = row
        self._journals[unit.batch.journal] = newest  # those that move are the last

    def written(self) -> str:
        """Return it as text: an entry a unit, with `~` between."""
        return "~".join(
            f"{newest.batch.id}.{day:x}.{shard:x}.{row:x}"
            for newest in list(self._journals.values())[-MOST_JOURNALS:]
            for (day, shard), row in newest.rows.items()
        )


def parse_told(written: str) -> Told:
    """Return what `Told.written` gave; raises `ValueError` where it is nothing such."""
    told = Told()
    for unit, row in _entries(written):
        told.advance(unit, row)
    return told


def _entries(written: str) -> Iterator[tuple[Unit, int]]:
    for text in written.split("~") if written else ():
        match = _ENTRY.fullmatch(text)
        batch = parse_batch(match["batch"]) if match else None
        if match is None or batch is None:
            raise ValueError(text)
        yield Unit(batch, int(match["day"], 16), int(match["shard"], 16)), int(match["row"], 16)
