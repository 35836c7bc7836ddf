"""Forms the batches of a run: decodes its frames and adds the columns of our own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glasshouse_collector.codec import Codec, Decoded
from glasshouse_collector.core.batch import Batch, Frame, Origin, RequestKind, Run, Signal
from glasshouse_collector.core.errors import Undecodable
from glasshouse_collector.core.schema import TABLE_COLUMNS, TIME_COLUMN


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Formed:
    """The batches of a run, in a fixed order, and the frames that no decoder could read.

    `received[i]` is when the request of each row of batch i came in, as decoded: nanoseconds since
    the Unix epoch.
    """

    batches: Sequence[Batch]
    received: Sequence[NDArray[np.int64]]
    undecodable: Sequence[tuple[Frame, Undecodable]]


def form(codec: Codec, run: Run) -> Formed:
    """Decode a run, one native call a request kind.

    The same run gives the same batches, row for row, each time: a row's number is its place among
    the rows of its signal in the run, whatever processors do to the batch afterwards.
    """
    batches: list[tuple[Batch, NDArray[np.int64]]] = []
    undecodable: list[tuple[Frame, Undecodable]] = []
    for kind in RequestKind:
        frames = [frame for frame in run.frames if frame.kind is kind]
        if not frames:
            continue
        try:
            decoded = codec.decode(kind, [frame.payload for frame in frames])
        except Undecodable:
            frames, refused = _readable(codec, frames)
            undecodable += refused
            decoded = codec.decode(kind, [frame.payload for frame in frames])
        batches += _batches(decoded, frames, run.origin)
    return Formed([batch for batch, _ in batches], [received for _, received in batches], undecodable)


def _readable(codec: Codec, frames: Sequence[Frame]) -> tuple[list[Frame], list[tuple[Frame, Undecodable]]]:
    """Tell the frames that decode from those that do not: a door with another decoder let them in."""
    readable: list[Frame] = []
    refused: list[tuple[Frame, Undecodable]] = []
    for frame in frames:
        try:
            codec.decode(frame.kind, [frame.payload])
        except Undecodable as reason:
            refused.append((frame, reason))
        else:
            readable.append(frame)
    return readable, refused


def _batches(
    decoded: dict[Signal, Decoded], frames: Sequence[Frame], origin: Origin
) -> Iterator[tuple[Batch, NDArray[np.int64]]]:
    times = np.asarray([frame.received_ns for frame in frames], dtype=np.int64)
    for signal in Signal:
        if signal in decoded and decoded[signal].records.num_rows:
            received = np.repeat(times, decoded[signal].rows_of)
            timed = replace(decoded[signal], records=_timed(signal, decoded[signal].records, received))
            yield Batch(signal, _with_ours(signal, timed, frames, origin), origin), received


def _with_ours(signal: Signal, decoded: Decoded, frames: Sequence[Frame], origin: Origin) -> pa.RecordBatch:
    rows = decoded.records.num_rows
    projects = np.asarray([frame.project for frame in frames], dtype=object)
    names, of_request = np.unique(projects, return_inverse=True)
    project = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(of_request.astype(np.int32), decoded.rows_of)), pa.array(names, pa.string())
    )
    batch_id = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(rows, dtype=np.int32)), pa.array([origin.batch_id])
    )
    row = pa.array(np.arange(rows, dtype=np.uint32))
    return pa.RecordBatch.from_arrays(
        [*decoded.records.columns, project, batch_id, row], schema=TABLE_COLUMNS[signal]
    )


def _timed(signal: Signal, records: pa.RecordBatch, received: NDArray[np.int64]) -> pa.RecordBatch:
    """Return the records, those without a time at the time their request was received."""
    index = records.schema.get_field_index(TIME_COLUMN[signal])
    times = np.asarray(records.column(index).cast(pa.int64()))
    if times.all():
        return records
    field = records.schema.field(index)
    told = pa.array(np.where(times == 0, received, times)).cast(field.type)
    return records.set_column(index, field, told)
