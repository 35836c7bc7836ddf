"""Reads the spans of an analysis as columns: traces that began in one of its windows, whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glasshouse_collector.insights.tree import NONE, Tree, grow
from glasshouse_collector.insights.windows import SECOND, Question, Window
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_SPANS: Final = 150_000
"""Of more in the incident, or in its baselines, one trace in so many is looked at."""
SEARCHED_AROUND: Final = 60 * SECOND
"""How long before and after a window the spans of its traces are looked for."""

Ints = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_COUNT: Final = "SELECT count() AS Spans FROM otel_traces WHERE {when}"
_READ: Final = """
SELECT TraceId, cityHash64(TraceId, SpanId) AS Id,
    if(ParentSpanId = '', 0, cityHash64(TraceId, ParentSpanId)) AS Parent,
    toUnixTimestamp64Nano(Timestamp) AS Start, toInt64(least(Duration, 1000000000000000)) AS Duration,
    toString(ServiceName) AS Service, toString(SpanName) AS Operation,
    SpanKind IN ('Client', 'Producer', 'SPAN_KIND_CLIENT', 'SPAN_KIND_PRODUCER') AS Outgoing,
    StatusCode IN ('Error', 'STATUS_CODE_ERROR') AS Failed,
    indexOf(Events.Name, 'exception') AS Raised,
    if(Raised > 0, Events.Attributes[Raised]['exception.type'], SpanAttributes['error.type']) AS Exception,
    if(Raised > 0, Events.Attributes[Raised]['exception.message'], StatusMessage) AS Told,
    if(Failed, replaceRegexpAll(substringUTF8(Told, 1, 200), '[0-9]+', '0'), '') AS Message,
    multiIf(SpanAttributes['peer.service'] != '', SpanAttributes['peer.service'],
        SpanAttributes['db.system.name'] != '', SpanAttributes['db.system.name'],
        SpanAttributes['db.system'] != '', SpanAttributes['db.system'],
        SpanAttributes['server.address'] != '' AND SpanAttributes['server.port'] != '',
            concat(SpanAttributes['server.address'], ':', SpanAttributes['server.port']),
        SpanAttributes['server.address'] != '', SpanAttributes['server.address'],
        SpanAttributes['net.peer.name']) AS Peer,
    ResourceAttributes['service.version'] AS Version,
    multiIf(ResourceAttributes['k8s.pod.name'] != '', ResourceAttributes['k8s.pod.name'],
        ResourceAttributes['service.instance.id'] != '', ResourceAttributes['service.instance.id'],
        ResourceAttributes['host.name']) AS Instance
FROM otel_traces WHERE {when} LIMIT 1 BY Id
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where work is done: a service's operation."""

    service: str
    operation: str


@dataclass(frozen=True, slots=True)
class Names:
    """A column of few different texts: each row's place in `texts`; the empty text is a text too."""

    codes: Places
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spans:
    """Columns of equal length, a row a span, each trace in whole; times are in nanoseconds.

    `place` is a row's place in `places`, `service` that of its service in `services`, `trace` that of its
    trace in `trace_ids`. `incident` tells the spans of the incident's traces from those of the baselines.
    `ids` are hashes of trace id and span id, by which log records find their span.
    """

    ids: npt.NDArray[np.uint64]
    trace: Places
    trace_ids: tuple[str, ...]
    start: Ints
    duration: Ints
    place: Places
    places: tuple[Place, ...]
    service: Places
    services: tuple[str, ...]
    outgoing: Flags
    failed: Flags
    exception: Names
    message: Names
    """Of failed spans the beginning of what the exception or the status says, without numbers."""
    peer: Names
    version: Names
    instance: Names
    window: Places
    """0 for the incident, 1 and on for the baselines in their order."""
    tree: Tree
    one_in: tuple[int, int]
    """Of so many traces one was looked at: in the incident, in the baselines."""

    def __len__(self) -> int:
        return len(self.start)

    @property
    def incident(self) -> Flags:
        """Which rows are of the incident."""
        incident: Flags = self.window == 0
        return incident

    def baselines(self) -> list[Flags]:
        """Return which rows are of the baselines: of all together, and of each where there are several."""
        numbers = [number for number in np.unique(self.window) if number]
        each = [self.window == number for number in numbers]
        return [~self.incident, *each] if len(each) > 1 else [~self.incident]

    def traces(self, rows: npt.NDArray[Any]) -> int:
        """Return how many traces these rows (places or flags) are of."""
        return len(np.unique(self.trace[rows]))


def read_spans(store: ProjectStore, question: Question, limits: QueryLimits) -> Spans:
    """Return the spans of all traces that began in a window of the question; raises `EngineFailure`."""
    incident, baselines = (question.incident,), question.baselines
    tables, one_in = [], []
    for windows in (incident, baselines):
        every = _sampling(store, windows, limits)
        one_in.append(every)
        if windows:
            tables.append(
                store.query_arrow(_READ.format(when=_when(windows, every, around=True)), limits=limits)
            )
    return _columns(pa.concat_tables(tables), question, (one_in[0], one_in[1]))


def _sampling(store: ProjectStore, windows: Sequence[Window], limits: QueryLimits) -> int:
    """Return of how many traces one is looked at, so that there are at most `MOST_SPANS`."""
    if not windows:
        return 1
    counted = store.query_arrow(_COUNT.format(when=_when(windows, 1, around=False)), limits=limits)
    return max(1, -(-int(counted.column("Spans")[0].as_py()) // MOST_SPANS))


def _when(windows: Sequence[Window], one_in: int, *, around: bool) -> str:
    return f"({times(windows, SEARCHED_AROUND if around else 0)}) AND {sample(one_in)}"


def times(windows: Sequence[Window], around: int, column: str = "Timestamp") -> str:
    """Return the condition that a row's time is within one of the windows, or so many nanoseconds off."""
    return " OR ".join(
        f"({column} >= fromUnixTimestamp64Nano({window.start - around})"
        f" AND {column} < fromUnixTimestamp64Nano({window.end + around}))"
        for window in windows
    )


def sample(one_in: int) -> str:
    """Return the condition that a row's trace is looked at; the same traces for spans and log records."""
    return "TraceId != ''" if one_in == 1 else f"TraceId != '' AND cityHash64(TraceId) % {one_in} = 0"


def _columns(table: pa.Table, question: Question, one_in: tuple[int, int]) -> Spans:
    trace, trace_ids = _coded(table, "TraceId")
    began = np.full(len(trace_ids), np.iinfo(np.int64).max)
    np.minimum.at(began, trace, _numbers(table, "Start", np.int64))
    window = _windows(began, (question.incident, *question.baselines))[trace]
    wanted = window != NONE
    wanted &= _first_of_each(_numbers(table, "Id", np.uint64))  # where windows meet, it was read twice
    table = table.filter(pa.array(wanted))
    trace = trace[wanted]
    ids, start, duration = (
        _numbers(table, "Id", np.uint64),
        _numbers(table, "Start", np.int64),
        _numbers(table, "Duration", np.int64),
    )
    service, services = _coded(table, "Service")
    operation, operations = _coded(table, "Operation")
    pairs, place = np.unique(service.astype(np.int64) * len(operations) + operation, return_inverse=True)
    places = tuple(
        Place(services[pair // len(operations)], operations[pair % len(operations)]) for pair in pairs
    )
    return Spans(
        ids=ids,
        trace=trace,
        trace_ids=trace_ids,
        start=start,
        duration=duration,
        place=place.astype(np.int32),
        places=places,
        service=service,
        services=services,
        outgoing=_flags(table, "Outgoing"),
        failed=_flags(table, "Failed"),
        exception=Names(*_coded(table, "Exception")),
        message=Names(*_coded(table, "Message")),
        peer=Names(*_coded(table, "Peer")),
        version=Names(*_coded(table, "Version")),
        instance=Names(*_coded(table, "Instance")),
        window=window[wanted],
        tree=grow(ids, _numbers(table, "Parent", np.uint64), start, duration),
        one_in=one_in,
    )


def _numbers(table: pa.Table, name: str, kind: type[Any]) -> npt.NDArray[Any]:
    numbers: npt.NDArray[Any] = table.column(name).to_numpy().astype(kind, copy=False)
    return numbers


def _flags(table: pa.Table, name: str) -> Flags:
    flags: Flags = table.column(name).to_numpy().astype(np.bool_)
    return flags


def _coded(table: pa.Table, name: str) -> tuple[Places, tuple[str, ...]]:
    """Return each row's place among the different texts of a column, and these."""
    return coded(table.column(name).combine_chunks())


def coded(texts: pa.Array) -> tuple[Places, tuple[str, ...]]:
    """Return each text's place among the different ones, and these."""
    found = texts.cast(pa.string()).dictionary_encode()
    return found.indices.to_numpy(zero_copy_only=False).astype(np.int32), tuple(found.dictionary.to_pylist())


def _first_of_each(ids: npt.NDArray[np.uint64]) -> Flags:
    found = np.zeros(len(ids), np.bool_)
    found[np.unique(ids, return_index=True)[1]] = True
    return found


def _windows(moments: Ints, windows: Sequence[Window]) -> Places:
    found = np.full(len(moments), NONE, np.int32)
    for number, window in reversed(list(enumerate(windows))):
        found[(moments >= window.start) & (moments < window.end)] = number
    return found
