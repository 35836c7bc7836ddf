"""The dead-letter folder: what an exporter refused for good, kept until someone decides."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from glasshouse_collector.core.batch import Batch, Frame, Run
from glasshouse_collector.core.clock import Clock, SystemClock
from glasshouse_collector.core.errors import ConfigurationError, Retryable
from glasshouse_collector.journal import letter_file
from glasshouse_collector.journal.files import sync_directory
from glasshouse_collector.journal.letter_file import (
    BATCH_SUFFIX,
    FRAME_SUFFIX,
    REPLAY_SUFFIX,
    DeadLetter,
    checked_id,
)

_SUFFIXES = tuple(suffix + mark for suffix in (BATCH_SUFFIX, FRAME_SUFFIX) for mark in ("", REPLAY_SUFFIX))
_SHOWN_ROWS = 5


class DeadLetters:
    """Refused batches and undecodable requests, a file each (an undecodable request: two).

    Once `write` or `write_frame` returns, the dead letter is on disk, whole; written again after a
    crash it is the same one. Several processes may use a folder: a command asks for a replay by
    renaming the file, the collector that finds it delivers, then removes it or puts it back.

    Methods that take an id raise `ConfigurationError` where there is no such dead letter.
    """

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()

    def write(self, batch: Batch, *, exporter: str, reason: str) -> str:
        """Keep a batch that `exporter` refused for good; return its id. Raises `Retryable`: no room."""
        letter = letter_file.id_of_batch(batch, exporter)
        with _disk(self._folder):
            letter_file.write_batch(
                self._folder / f"{letter}{BATCH_SUFFIX}", batch, exporter, reason, self._clock.time_ns()
            )
        return letter

    def write_frame(self, frame: Frame, *, exporter: str, reason: str) -> str:
        """Keep a request that no decoder could read; return its id. Raises `Retryable`: no room."""
        letter = letter_file.id_of_frame(frame, exporter)
        with _disk(self._folder):
            letter_file.write_frame(
                self._folder / f"{letter}{FRAME_SUFFIX}", frame, exporter, reason, self._clock.time_ns()
            )
        return letter

    def list(self) -> Sequence[DeadLetter]:
        """Return all dead letters, oldest first."""
        return sorted(self._all(), key=lambda letter: (letter.time, letter.id))

    def read(self, letter: str) -> Batch | Run:
        """Return the batch, in doubt; an undecodable request as a run of one frame, its batch id its own."""
        with _known(letter):
            return letter_file.read(self._path_of(letter))

    def describe(self, letter: str) -> str:
        """Return what is known of a dead letter, and its first rows, as text."""
        with _known(letter):
            path = self._path_of(letter)
            said = letter_file.describe(path)
            content = letter_file.read(path)
        lines = [
            f"id: {said.id}",
            f"exporter: {said.exporter}",
            f"what: {said.what}",
            f"records: {said.records}",
            f"bytes: {said.bytes}",
            f"time: {said.time.isoformat()}",
            f"to be replayed: {'yes' if said.replay else 'no'}",
            f"reason: {said.reason}",
        ]
        if isinstance(content, Run):
            return "\n".join([*lines, f"payload: {letter_file.payload_of(path)}"])
        rows = content.records.slice(0, _SHOWN_ROWS).to_pylist()
        lines += [f"batch: {content.origin.batch_id}", f"first {len(rows)} rows:"]
        return "\n".join([*lines, *(json.dumps(row, default=str) for row in rows)])

    def request_replay(self, letter: str) -> None:
        """Have the collector, running or started next, deliver it again; repeatable."""
        with _known(letter):
            path = self._path_of(letter)
            if path.suffix != REPLAY_SUFFIX:
                path.rename(path.with_name(path.name + REPLAY_SUFFIX))
                sync_directory(self._folder)

    def pending_replays(self, exporter: str) -> Sequence[DeadLetter]:
        """Return the dead letters of `exporter` that someone has asked to replay, oldest first."""
        return [letter for letter in self.list() if letter.replay and letter.exporter == exporter]

    def put_back(self, letter: str, reason: str) -> None:
        """Keep it with a new reason, its replay having been refused. Raises `Retryable`: no room."""
        with _known(letter), _disk(self._folder):
            path = self._path_of(letter)
            said, content = letter_file.describe(path), letter_file.read(path)
            kept = self._folder / path.name.removesuffix(REPLAY_SUFFIX)
            now = self._clock.time_ns()
            if isinstance(content, Batch):
                letter_file.write_batch(kept, content, said.exporter, reason, now)
            else:
                letter_file.write_frame(kept, content.frames[0], said.exporter, reason, now)
            kept.with_name(kept.name + REPLAY_SUFFIX).unlink(missing_ok=True)

    def remove(self, letter: str) -> None:
        """Delete it: delivered after all, or not wanted."""
        with _known(letter):
            path = self._path_of(letter)
            for suffix in _SUFFIXES:
                (self._folder / f"{letter}{suffix}").unlink(missing_ok=True)
            letter_file.payload_of(path).unlink(missing_ok=True)
            sync_directory(self._folder)

    def _path_of(self, letter: str) -> Path:
        """Return the file; one marked for replay goes before one that was put back over it."""
        checked_id(letter)
        for suffix in reversed(_SUFFIXES):
            path = self._folder / f"{letter}{suffix}"
            if path.is_file():
                return path
        raise FileNotFoundError(letter)

    def _all(self) -> Iterator[DeadLetter]:
        if not self._folder.is_dir():
            return
        letters = {
            letter_file.letter_id(path) for path in self._folder.iterdir() if path.name.endswith(_SUFFIXES)
        }
        for letter in letters:
            with contextlib.suppress(FileNotFoundError, ConfigurationError):  # removed meanwhile; not ours
                yield letter_file.describe(self._path_of(letter))


@contextlib.contextmanager
def _known(letter: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise ConfigurationError(f"there is no dead letter {letter!r}: see 'glasshouse dlq list'") from None


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except FileNotFoundError:
        raise
    except OSError as refused:
        reason = f"the dead letter cannot be kept in {folder}: {refused.strerror or refused}"
        raise Retryable(reason) from None
