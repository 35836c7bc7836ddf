"""Dead letters as files: a batch in Arrow IPC, an undecodable request in its own bytes with a sidecar."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from glasshouse_collector.core.batch import Batch, Frame, Origin, RequestKind, Run, Signal
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.journal.files import write_atomically

BATCH_SUFFIX = ".arrow"
FRAME_SUFFIX = ".json"
PAYLOAD_SUFFIX = ".otlp"
REPLAY_SUFFIX = ".replay"
_METADATA_KEY = b"glasshouse.dead_letter"
_ID = re.compile(r"[a-z0-9_][a-z0-9_-]{0,159}")
_MAX_NAME = 60
_NANOSECONDS = 1e9
_DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError)
"""What Arrow and JSON raise for bytes that are not theirs (Arrow also a plain OSError)."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What was refused, by whom and why; `what` is a signal, or the kind of an undecodable request."""

    id: str
    exporter: str
    what: str
    records: int
    reason: str
    time: datetime
    bytes: int
    replay: bool = False


def checked_id(letter: str) -> str:
    """Return `letter` if it has the form of an id; `ConfigurationError` where it has not."""
    if not _ID.fullmatch(letter):
        raise ConfigurationError(f"{letter!r} is no dead letter's id: 'glasshouse dlq list' shows them")
    return letter


def id_of_batch(batch: Batch, exporter: str) -> str:
    """Return the id, the same whenever the batch is refused again."""
    return checked_id(f"{_file_name_of(exporter)}-{batch.signal}-{_file_name_of(batch.origin.batch_id)}")


def id_of_frame(frame: Frame, exporter: str) -> str:
    """Return the id, the same whenever the frame is refused again."""
    return checked_id(f"{_file_name_of(exporter)}-{frame.kind}-{_digest(frame)}")


def _file_name_of(name: str) -> str:
    plain = re.sub(r"[^a-z0-9_-]", "_", name.lower()).lstrip("-")[:_MAX_NAME]
    return plain if plain == name else f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _digest(frame: Frame) -> str:
    named = f"{frame.kind}\0{frame.project}\0{frame.received_ns}\0".encode()
    return hashlib.sha256(named + frame.payload).hexdigest()[:16]


def write_batch(path: Path, batch: Batch, exporter: str, reason: str, time_ns: int) -> None:
    """Write the batch as an Arrow IPC file, atomically. Raises OSError."""
    said = json.dumps(
        {
            "exporter": exporter,
            "signal": batch.signal,
            "origin": asdict(batch.origin),
            "reason": reason,
            "time_ns": time_ns,
            "records": batch.records.num_rows,
        }
    )
    schema = batch.records.schema.with_metadata({_METADATA_KEY: said.encode()})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(sink, schema, options=options) as writer:
        writer.write_batch(batch.records.replace_schema_metadata(schema.metadata))
    write_atomically(path, sink.getvalue())


def write_frame(path: Path, frame: Frame, exporter: str, reason: str, time_ns: int) -> None:
    """Write payload and sidecar; the sidecar, last, makes it a dead letter. Raises OSError."""
    said = {
        "exporter": exporter,
        "kind": frame.kind,
        "project": frame.project,
        "received_ns": frame.received_ns,
        "reason": reason,
        "time_ns": time_ns,
        "records": frame.records,
    }
    write_atomically(payload_of(path), frame.payload)
    write_atomically(path, json.dumps(said, indent=2).encode())


def payload_of(path: Path) -> Path:
    """Return where the payload beside a sidecar lies."""
    return path.with_name(f"{letter_id(path)}{PAYLOAD_SUFFIX}")


def letter_id(path: Path) -> str:
    """Return the id of the dead letter in the file."""
    return path.name.partition(".")[0]


def is_batch(path: Path) -> bool:
    """Whether the file holds a batch."""
    return BATCH_SUFFIX in path.suffixes


def describe(path: Path) -> DeadLetter:
    """Return what the file says of itself; a damaged one is described as that. Raises FileNotFoundError."""
    replay = path.suffix == REPLAY_SUFFIX
    try:
        size = path.stat().st_size if is_batch(path) else payload_of(path).stat().st_size
        said = _said(path)
        return DeadLetter(
            id=letter_id(path),
            exporter=str(said["exporter"]),
            what=str(said["signal"] if is_batch(path) else said["kind"]),
            records=int(said["records"]),
            reason=str(said["reason"]),
            time=datetime.fromtimestamp(int(said["time_ns"]) / _NANOSECONDS, UTC),
            bytes=size,
            replay=replay,
        )
    except _DAMAGE:
        found = path.stat()
        when = datetime.fromtimestamp(found.st_mtime, UTC)
        return DeadLetter(
            letter_id(path), "", "damaged", 0, "the file is damaged", when, found.st_size, replay
        )


def read(path: Path) -> Batch | Run:
    """Return the batch, in doubt, or an undecodable request as a run of its own.

    Raises `ConfigurationError` where the file is damaged, FileNotFoundError.
    """
    try:
        return _read_batch(path) if is_batch(path) else _read_frame(path)
    except FileNotFoundError:
        raise
    except _DAMAGE as damaged:
        raise ConfigurationError(f"dead letter {letter_id(path)} is damaged: {damaged}") from None


def _said(path: Path) -> dict[str, Any]:
    if not is_batch(path):
        said = json.loads(path.read_bytes())
    else:
        with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
            said = json.loads((reader.schema.metadata or {})[_METADATA_KEY])
    if not isinstance(said, dict):
        raise TypeError("no JSON object")
    return said


def _read_batch(path: Path) -> Batch:
    said = _said(path)
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
        records = reader.get_batch(0).replace_schema_metadata(None)
    records.validate(full=True)
    list(records.schema.names)  # which validation leaves out; raises UnicodeDecodeError
    origin = Origin(**{**said["origin"], "in_doubt": True})
    return Batch(Signal(said["signal"]), records, origin)


def _read_frame(path: Path) -> Run:
    said = _said(path)
    frame = Frame(
        RequestKind(said["kind"]),
        said["project"],
        said["records"],
        said["received_ns"],
        payload_of(path).read_bytes(),
    )
    # The batch id must not be that of the run the frame was in: other rows have gone out under it.
    digest = _digest(frame)
    origin = Origin(digest[:8], int(digest[8:], 16), 0, 0, in_doubt=True)
    return Run(origin, (frame,))
