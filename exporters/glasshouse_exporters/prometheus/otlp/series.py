"""The series that a batch of data points belongs to, each looked at once, however many points it has.

Rows are told apart by one number made of what their columns say, the same in every batch of this process.
So a series that was seen before costs one look into a dictionary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glasshouse_collector.core.batch import Signal
from glasshouse_exporters.prometheus.columns import Codes, Hashes, column, mixed
from glasshouse_exporters.prometheus.labels import label_name, label_set
from glasshouse_exporters.prometheus.otlp.naming import attribute_labels, instance, job, metric_name
from glasshouse_exporters.prometheus.series import Kind, Rows

NO_NAME = "no_name"
RESERVED_NAME = "reserved_name"

_RESERVED = ("traces_span_metrics_", "traces_service_graph_")
_RESERVED_NAMES = frozenset({"target_info", "otel_scope_info"})
_IDENTITY = ("project", "job", "instance")
_SCOPE = ("otel_scope_name", "otel_scope_version")
_BUCKET_LABEL = {Kind.HISTOGRAM: "le", Kind.SUMMARY: "quantile"}
_NO_RECORDED_VALUE = 1
_SEED = np.random.default_rng().integers(2**63, size=2, dtype=np.uint64)
"""So that nobody can foretell which series get the same number; two of n do with about n² / 2⁶⁵."""
_NAMES = ("Project", "ScopeName", "ScopeVersion", "MetricName", "MetricUnit")
_TEXTS = (*_NAMES, "MetricDescription")
_MAPS = ("ResourceAttributes", "ScopeAttributes", "Attributes")


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """Which attributes of the resource become labels, and whether the scope does."""

    resource_labels: tuple[str, ...]
    scope_labels: bool


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """One series: its family, its label set, or the reason why it is not shown."""

    family: str
    kind: Kind
    help: str
    unit: str
    project: str
    labels: bytes
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Points:
    """The data points of a batch: row i is one of `series[of_row[i]]`.

    `times` are nanoseconds since the Unix epoch. `ends` says of each series that its newest point is a
    sign that it has ended; `newest` is the row of that point. `shown` are the rows that have a value of a
    series that has not ended and is not refused.
    """

    series: Sequence[MetricSeries]
    of_row: Codes
    times: Rows
    newest: Rows
    ends: npt.NDArray[np.bool_]
    shown: npt.NDArray[np.bool_]


class SeriesOfPoints:
    """Finds the series of data points, and remembers up to `most` of them."""

    def __init__(self, settings: LabelSettings, most: int) -> None:
        self._settings, self._most = settings, most
        self._known: dict[int, MetricSeries] = {}

    def points(self, signal: Signal, records: pa.RecordBatch) -> Points:
        """Return the points of a batch of metrics."""
        numbers, a_row, of_row = np.unique(
            _row_numbers(signal, records), return_index=True, return_inverse=True
        )
        series = self._series(signal, records, numbers, a_row)
        times = np.asarray(column(records, "TimeUnix").cast(pa.int64()))
        flags = np.asarray(column(records, "Flags"))
        newest = newest_rows(of_row, times)
        ended = (flags & _NO_RECORDED_VALUE) != 0
        ends = ended[newest]
        refused = np.array([bool(each.refused) for each in series], dtype=bool)
        shown = ~ended & ~(ends | refused)[of_row]
        return Points(series, of_row, times, newest, ends & ~refused, shown)

    def _series(
        self, signal: Signal, records: pa.RecordBatch, numbers: Hashes, a_row: Codes
    ) -> list[MetricSeries]:
        found = [self._known.get(number) for number in numbers.tolist()]
        new = [i for i, series in enumerate(found) if series is None]
        if new:
            if len(self._known) + len(new) > self._most:
                self._known.clear()
            rows = records.take(pa.array(a_row[new]))
            columns = [_texts(column(rows, name)) for name in _TEXTS]
            columns += [_maps(column(rows, name)) for name in _MAPS]
            kinds = kinds_of(signal, rows)
            for i, kind, values in zip(new, kinds, zip(*columns, strict=True), strict=True):
                named = dict(zip((*_TEXTS, *_MAPS), values, strict=True))
                found[i] = self._known[int(numbers[i])] = self._made(named, kind)
        return [series for series in found if series is not None]

    def _made(self, values: dict[str, Any], kind: Kind) -> MetricSeries:
        name = metric_name(values["MetricName"], values["MetricUnit"], kind)
        refused = ""
        if not name:
            refused = NO_NAME
        elif name.startswith(_RESERVED) or name in _RESERVED_NAMES:
            refused = RESERVED_NAME
        labels = b"" if refused else self._labels(values, kind)
        return MetricSeries(
            name, kind, values["MetricDescription"], values["MetricUnit"], values["Project"], labels, refused
        )

    def _labels(self, values: dict[str, Any], kind: Kind) -> bytes:
        resource = dict(values["ResourceAttributes"])
        pairs = [("project", values["Project"]), ("job", job(resource)), ("instance", instance(resource))]
        asked = [key for key in self._settings.resource_labels if key in resource]
        pairs += attribute_labels(((key, resource[key]) for key in asked), _IDENTITY)
        taken = {*_IDENTITY, *map(label_name, self._settings.resource_labels), *_SCOPE}
        if self._settings.scope_labels:
            pairs += zip(_SCOPE, (values["ScopeName"], values["ScopeVersion"]), strict=True)
            scope = ((f"otel.scope.{key}", value) for key, value in values["ScopeAttributes"])
            pairs += attribute_labels(scope, taken)
        taken |= {name for name, _ in pairs} | {_BUCKET_LABEL.get(kind, "project")}
        return label_set(pairs + attribute_labels(values["Attributes"], taken))


def kinds_of(signal: Signal, records: pa.RecordBatch) -> Sequence[Kind]:
    """Return what Prometheus calls the type of each row: a sum that may fall is a gauge."""
    if signal is Signal.METRICS_SUM:
        monotonic = column(records, "IsMonotonic").to_pylist()
        return [Kind.COUNTER if each else Kind.GAUGE for each in monotonic]
    kind = {Signal.METRICS_GAUGE: Kind.GAUGE, Signal.METRICS_SUMMARY: Kind.SUMMARY}.get(
        signal, Kind.HISTOGRAM
    )
    return [kind] * records.num_rows


def newest_rows(of_row: Codes, times: Rows) -> Rows:
    """Return the row of the newest point of each series; of the same time, the later row."""
    order = np.lexsort((times, of_row))
    last = np.flatnonzero(np.diff(of_row[order], append=-1))
    return order[last]


def _texts(texts: Any) -> list[Any]:
    return list(texts.cast(pa.string()).to_pylist())


def _maps(maps: Any) -> list[Any]:
    """Return each map as its entries."""
    offsets = np.asarray(maps.offsets).tolist()
    entries = list(zip(_texts(maps.keys), _texts(maps.items), strict=True))
    return [entries[start:end] for start, end in pairwise(offsets)]


def _row_numbers(signal: Signal, records: pa.RecordBatch) -> Hashes:
    """Return a number for each row, the same for rows of the same series, also in other batches."""
    start = np.uint64(hash(signal.value) % 2**64) ^ _SEED[0]
    numbers: Hashes = np.full(records.num_rows, start, dtype=np.uint64)
    for name in _NAMES:
        numbers = mixed(numbers ^ _text_numbers(column(records, name)))
    for name in _MAPS:
        numbers = mixed(numbers ^ _map_numbers(column(records, name)))
    if signal is Signal.METRICS_SUM:
        monotonic = np.asarray(column(records, "IsMonotonic").cast(pa.uint8()))
        numbers = mixed(numbers ^ monotonic.astype(np.uint64))
    return numbers


def _text_numbers(texts: Any) -> Hashes:
    """Return a number for each text; each distinct one is hashed once."""
    if not isinstance(texts, pa.DictionaryArray):
        texts = texts.dictionary_encode()
    hashes = [hash(text) for text in texts.dictionary.to_pylist()]
    numbers: Hashes = np.array(hashes, dtype=np.int64).view(np.uint64)[np.asarray(texts.indices)]
    return numbers


def _map_numbers(maps: Any) -> Hashes:
    """Return a number for each map, whatever the order of its entries."""
    offsets = np.asarray(maps.offsets).astype(np.int64)
    start, end = int(offsets[0]), int(offsets[-1])
    keys, values = maps.keys[start:end], maps.items[start:end]
    entries = mixed(mixed(_text_numbers(keys) ^ _SEED[1]) ^ _text_numbers(values))
    sums = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(entries, dtype=np.uint64)))
    places = offsets - start
    return sums[places[1:]] - sums[places[:-1]]
