"""What was not delivered, and why, as people look at it."""

import contextlib
import gzip
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse.delivery import batch_file
from glasshouse.delivery.batch import Batch, Signal
from glasshouse.delivery.process_folder import folders
from glasshouse.delivery.waiting import Entry

_MOST_BYTES = 64 << 20
_GZIP, _ZLIB = 31, 15
_UNREADABLE = (batch_file.DamagedFileError, DecodeError, json_format.ParseError, zlib.error, OSError)
_REQUESTS: Mapping[Signal, type[Message]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A batch that is not delivered: it waits for its endpoint, or was refused for good.

    `time` is when it was made, `bytes` its size (on disk, in whole blocks), `reason` why it was refused,
    `path` its file; None in memory.
    """

    state: Literal["waiting", "refused"]
    signal: Signal
    time: datetime
    bytes: int
    reason: str | None = None
    path: Path | None = None
    batch: Batch | None = field(default=None, repr=False)

    def request(self) -> Message:
        """Return the OTLP request that it holds; ValueError where it is damaged or gone."""
        try:
            batch = self.batch or batch_file.read(self.path or Path())
            body = _decompressed(batch)
            message = _REQUESTS[self.signal]()
            if batch.content_type == "application/json":
                return json_format.Parse(body, message)
            message.ParseFromString(body)
        except _UNREADABLE as failure:
            raise ValueError(f"this dead letter cannot be read: {failure}") from failure
        return message


def in_folders(root: Path) -> list[DeadLetter]:
    """Return what lies in the folders of all processes of a spool, oldest first; nothing without a spool."""
    found = []
    # Other processes work there: what was listed may be delivered a moment later.
    with contextlib.suppress(OSError):
        for folder in folders(root):
            with contextlib.suppress(OSError):
                for stored in batch_file.find(folder):
                    with contextlib.suppress(FileNotFoundError):
                        found.append(_on_disk(folder, stored))
    return sorted(found, key=lambda letter: letter.time)


def in_memory(entries: Iterable[Entry]) -> list[DeadLetter]:
    """Return what is not on disk."""
    batches = (entry.batch for entry in entries)
    return [
        DeadLetter("waiting", batch.signal, _time(batch.created_ns), len(batch.body), batch=batch)
        for batch in batches
        if batch is not None
    ]


def _on_disk(folder: Path, stored: batch_file.Stored) -> DeadLetter:
    path = folder / stored.name
    reason = batch_file.reason(path)
    state: Literal["waiting", "refused"] = "refused" if stored.refused else "waiting"
    return DeadLetter(state, stored.signal, _time(stored.created_ns), stored.disk_bytes, reason, path)


def _time(created_ns: int) -> datetime:
    return datetime.fromtimestamp(created_ns / 1e9, UTC)


def _decompressed(batch: Batch) -> bytes:
    if batch.content_encoding is None:
        return batch.body
    inflater = zlib.decompressobj(_GZIP if batch.content_encoding == "gzip" else _ZLIB)
    body = inflater.decompress(batch.body, _MOST_BYTES)
    if inflater.unconsumed_tail or not inflater.eof:
        raise gzip.BadGzipFile("too large, or not whole")
    return body
