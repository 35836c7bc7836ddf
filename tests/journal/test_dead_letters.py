"""What is refused for good is kept whole, found again, replayed or removed."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glasshouse_collector.core.batch import Batch, Frame, Origin, RequestKind, Run, Signal
from glasshouse_collector.core.errors import ConfigurationError, Retryable
from glasshouse_collector.core.schema import TABLE_COLUMNS
from glasshouse_collector.journal import DeadLetters

NANOSECONDS = 10**9


class StoppedClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NANOSECONDS

    def time_ns(self) -> int:
        """Return what was set, in nanoseconds since the Unix epoch."""
        return self.now

    def monotonic(self) -> float:
        """Return the same in seconds."""
        return self.now / NANOSECONDS


def _value(kind: pa.DataType, row: int) -> Any:
    if pa.types.is_dictionary(kind):
        return _value(kind.value_type, row)
    if pa.types.is_map(kind):
        return [(f"key {row % 3}", _value(kind.item_type, row))]
    if pa.types.is_list(kind):
        return [_value(kind.value_type, row)] * (row % 3)
    if pa.types.is_boolean(kind):
        return row % 2 == 0
    return f"text {row}" if pa.types.is_string(kind) else row % 2


def batch_of(signal: Signal, rows: int = 5) -> Batch:
    """Return a batch with every column of the signal."""
    schema = TABLE_COLUMNS[signal]
    values = [{column.name: _value(column.type, row) for column in schema} for row in range(rows)]
    return Batch(signal, pa.RecordBatch.from_pylist(values, schema=schema), Origin("0a1b2c3d", 7, 40, 99))


@pytest.fixture
def clock() -> StoppedClock:
    """Stop the time."""
    return StoppedClock()


@pytest.fixture
def letters(tmp_path: Path, clock: StoppedClock) -> DeadLetters:
    """Have a folder of dead letters, not made yet."""
    return DeadLetters(tmp_path / "dead-letters", clock)


UNDECODABLE = Frame(RequestKind.LOGS, "project", 3, 123, b"\xff\xfe no protobuf")


@pytest.mark.parametrize("signal", Signal)
def test_a_batch_comes_back_as_it_was(letters: DeadLetters, signal: Signal) -> None:
    """Rows, types and batch id are the same for every signal; it is in doubt, as parts may have arrived."""
    batch = batch_of(signal)
    back = letters.read(letters.write(batch, exporter="clickhouse", reason="no such column"))
    assert isinstance(back, Batch)
    assert back.records.equals(batch.records)
    assert back.records.schema.equals(batch.records.schema, check_metadata=True)
    assert (back.signal, back.origin.batch_id) == (signal, batch.origin.batch_id)
    assert back.origin.in_doubt


def test_an_undecodable_request_comes_back_as_it_was(letters: DeadLetters) -> None:
    """It becomes a run of its own, whose batch id no other rows have."""
    back = letters.read(letters.write_frame(UNDECODABLE, exporter="clickhouse", reason="truncated"))
    assert isinstance(back, Run)
    assert list(back.frames) == [UNDECODABLE]
    other = Frame(RequestKind.LOGS, "project", 3, 124, UNDECODABLE.payload)
    second = letters.read(letters.write_frame(other, exporter="clickhouse", reason="truncated"))
    assert isinstance(second, Run)
    assert back.origin.batch_id != second.origin.batch_id


def test_the_list_tells_who_what_and_why(letters: DeadLetters, clock: StoppedClock) -> None:
    """Oldest first, with everything a user decides by; an absent folder holds none."""
    assert letters.list() == []
    first = letters.write(batch_of(Signal.TRACES), exporter="clickhouse", reason="no such column")
    clock.now += NANOSECONDS
    second = letters.write_frame(UNDECODABLE, exporter="forward", reason="truncated ☃")
    told = [
        (it.id, it.exporter, it.what, it.records, it.reason, it.time.timestamp()) for it in letters.list()
    ]
    assert told == [
        (first, "clickhouse", "traces", 5, "no such column", 1.0),
        (second, "forward", "logs", 3, "truncated ☃", 2.0),
    ]
    assert letters.list()[1].bytes == len(UNDECODABLE.payload)
    assert "text 4" in letters.describe(first)
    assert "truncated ☃" in letters.describe(second)


def test_refused_again_it_is_the_same_dead_letter(letters: DeadLetters, clock: StoppedClock) -> None:
    """A crash between writing and committing leaves one, not two; another exporter's is another."""
    for exporter in ("clickhouse", "click/house", "click_house", "clickhouse"):
        letters.write(batch_of(Signal.LOGS), exporter=exporter, reason="refused")
        letters.write_frame(UNDECODABLE, exporter=exporter, reason="refused")
        clock.now += NANOSECONDS
    assert len(letters.list()) == 6


def test_a_replay_is_seen_by_another_process(letters: DeadLetters, tmp_path: Path) -> None:
    """A request for a replay is on disk, for the exporter it belongs to, and stays until it is settled."""
    batch = letters.write(batch_of(Signal.LOGS), exporter="clickhouse", reason="refused")
    frame = letters.write_frame(UNDECODABLE, exporter="forward", reason="truncated")
    letters.request_replay(batch)
    letters.request_replay(batch)
    collector = DeadLetters(tmp_path / "dead-letters")
    assert [letter.id for letter in collector.pending_replays("clickhouse")] == [batch]
    assert collector.pending_replays("forward") == []
    letters.request_replay(frame)
    assert [letter.id for letter in collector.pending_replays("forward")] == [frame]
    assert isinstance(collector.read(batch), Batch)
    for letter in (batch, frame):
        collector.remove(letter)
    assert letters.list() == []
    assert list((tmp_path / "dead-letters").iterdir()) == []


@pytest.mark.parametrize("again", [False, True])
def test_a_replay_refused_again_is_put_back(letters: DeadLetters, again: bool) -> None:
    """It keeps its content, has the new reason, and waits for another request."""
    batch = batch_of(Signal.METRICS_SUM)
    ids = [
        letters.write(batch, exporter="clickhouse", reason="first"),
        letters.write_frame(UNDECODABLE, exporter="clickhouse", reason="first"),
    ]
    before = [letters.read(letter) for letter in ids]
    for letter in ids:
        letters.request_replay(letter)
        if again:  # refused anew by a collector that died before it could settle the replay
            letters.write(batch, exporter="clickhouse", reason="anew")
        letters.put_back(letter, "second")
    assert letters.pending_replays("clickhouse") == []
    assert {letter.reason for letter in letters.list()} <= {"second", "anew"}
    after = [letters.read(letter) for letter in ids]
    assert isinstance(before[0], Batch)
    assert isinstance(after[0], Batch)
    assert after[0].records.equals(before[0].records)
    assert after[1] == before[1]


HOSTILE = [
    "",
    ".",
    "..",
    "../secret",
    "a/b",
    "/etc/passwd",
    "a\0b",
    "a.arrow",
    "-x",
    "A",
    "ä",
    "x" * 500,
    "a\n",
]


@pytest.mark.parametrize("letter", [*HOSTILE, "unknown"])
@pytest.mark.parametrize(
    "call",
    [
        lambda letters, letter: letters.read(letter),
        lambda letters, letter: letters.describe(letter),
        lambda letters, letter: letters.request_replay(letter),
        lambda letters, letter: letters.put_back(letter, "x"),
        lambda letters, letter: letters.remove(letter),
    ],
)
def test_an_id_that_is_none_touches_nothing(
    letters: DeadLetters, tmp_path: Path, call: Callable[[DeadLetters, str], None], letter: str
) -> None:
    """Ids that leave the folder, or are unknown, are refused in plain words."""
    letters.write(batch_of(Signal.LOGS), exporter="clickhouse", reason="refused")
    secret = tmp_path / "secret.arrow"
    secret.write_bytes(b"secret")
    with pytest.raises(ConfigurationError, match="dead letter"):
        call(letters, letter)
    assert secret.read_bytes() == b"secret"
    assert len(letters.list()) == 1


@pytest.mark.parametrize("exporter", ["../../up", "/root", "a\0b", "ünï ☃", "x" * 300, "-", "A"])
def test_a_strange_exporter_stays_inside_the_folder(
    letters: DeadLetters, tmp_path: Path, exporter: str
) -> None:
    """Whatever an exporter is called, its dead letters lie in the folder and are found by its name."""
    letter = letters.write(batch_of(Signal.LOGS), exporter=exporter, reason="refused")
    letters.request_replay(letter)
    assert [it.id for it in letters.pending_replays(exporter)] == [letter]
    assert [path.name for path in tmp_path.iterdir()] == ["dead-letters"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1), junk=st.binary(max_size=20), cut=st.booleans())
def test_a_damaged_file_is_said_to_be_one(tmp_path: Path, at: float, junk: bytes, cut: bool) -> None:
    """It is listed and can be removed; reading it gives rows or a plain refusal, never a traceback."""
    folder = tmp_path / "damaged"
    letters = DeadLetters(folder)
    ids = [
        letters.write(batch_of(Signal.LOGS), exporter="clickhouse", reason="refused"),
        letters.write_frame(UNDECODABLE, exporter="clickhouse", reason="refused"),
    ]
    for letter, suffix in zip(ids, (".arrow", ".json"), strict=True):
        path = folder / f"{letter}{suffix}"
        content = path.read_bytes()
        place = round(at * len(content))
        path.write_bytes(content[:place] + junk + (b"" if cut else content[place + len(junk) :]))
        with contextlib.suppress(ConfigurationError):
            letters.read(letter)
            letters.describe(letter)
    assert {letter.id for letter in letters.list()} == set(ids)
    for letter in ids:
        letters.remove(letter)
    assert letters.list() == []


def test_no_room_is_worth_another_try(tmp_path: Path) -> None:
    """Where the folder cannot be written, the batch is not lost: the delivery is to be tried again."""
    (tmp_path / "file").write_text("")
    letters = DeadLetters(tmp_path / "file" / "dead-letters")
    with pytest.raises(Retryable):
        letters.write(batch_of(Signal.LOGS), exporter="clickhouse", reason="refused")
