"""What moves through the collector: frames of OTLP bytes, then Arrow batches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

import pyarrow as pa


class RequestKind(StrEnum):
    """Which OTLP service a request was made to."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


class Signal(StrEnum):
    """What one row of a batch is; each has an Arrow schema and a table of its own."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS_GAUGE = "metrics_gauge"
    METRICS_SUM = "metrics_sum"
    METRICS_HISTOGRAM = "metrics_histogram"
    METRICS_EXP_HISTOGRAM = "metrics_exp_histogram"
    METRICS_SUMMARY = "metrics_summary"


SIGNALS_OF: dict[RequestKind, tuple[Signal, ...]] = {
    RequestKind.TRACES: (Signal.TRACES,),
    RequestKind.LOGS: (Signal.LOGS,),
    RequestKind.METRICS: (
        Signal.METRICS_GAUGE,
        Signal.METRICS_SUM,
        Signal.METRICS_HISTOGRAM,
        Signal.METRICS_EXP_HISTOGRAM,
        Signal.METRICS_SUMMARY,
    ),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One accepted request: an uncompressed `Export…ServiceRequest` in protobuf.

    `records` is what the check counted as acceptable: spans, log records or data points.
    `received_ns` is nanoseconds since the Unix epoch, at acceptance.
    """

    kind: RequestKind
    project: str
    records: int
    received_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a batch came from: a run of journal frames, `first` to `last` inclusive, in one segment.

    `in_doubt` says that an earlier delivery of the same run may have reached its destination,
    wholly or in part (a crash, a timeout, a lost connection).
    """

    journal: str
    segment: int
    first: int
    last: int
    in_doubt: bool = False

    @property
    def batch_id(self) -> str:
        """The name of this run, the same whenever it is formed again."""
        return f"{self.journal}-{self.segment:x}-{self.first:x}"


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive frames of the journal, read together."""

    origin: Origin
    frames: Sequence[Frame]


@dataclass(frozen=True, slots=True)
class Batch:
    """One signal's rows of one journal run, in the columns of `core.schema`.

    Formed again from the same run with the same configuration, a batch is the same, row for row.
    """

    signal: Signal
    records: pa.RecordBatch
    origin: Origin

    def with_records(self, records: pa.RecordBatch) -> Self:
        """Return this batch with other rows."""
        return replace(self, records=records)
