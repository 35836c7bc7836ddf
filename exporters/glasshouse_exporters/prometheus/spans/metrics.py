"""Calls and durations of spans, by service, operation, kind and status.

Names and labels are those of the OpenTelemetry Collector's span metrics connector as Prometheus shows them.
A batch costs a few passes over whole columns; Python looks at each distinct series, not at each span.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from glasshouse_exporters.prometheus.columns import Coded, Groups, coded, column, find_keys, group
from glasshouse_exporters.prometheus.histograms import buckets_of, histogram_rows, newest
from glasshouse_exporters.prometheus.labels import label, label_name
from glasshouse_exporters.prometheus.resources import OWN_PROJECT, Resources, resource_labels
from glasshouse_exporters.prometheus.series import EXEMPLAR, Exemplars, Kind, Numbers, Rows, SeriesTable
from glasshouse_exporters.prometheus.spans.ids import SPAN_ID_LENGTH, TRACE_ID_LENGTH, fixed

CALLS = "traces_span_metrics_calls_total"
DURATION = "traces_span_metrics_duration_milliseconds"
LABELS = ("project", "service_name", "span_name", "span_kind", "status_code")
"""What every series of spans is told apart by."""

_NANOSECONDS_A_MILLISECOND = 1e6


@dataclass(frozen=True, slots=True)
class SpanMetricsSettings:
    """What spans are told apart by beside `LABELS`; bounds of durations in milliseconds."""

    buckets: tuple[float, ...]
    dimensions: tuple[str, ...]
    resource_labels: tuple[str, ...]
    expire_seconds: float


@dataclass(frozen=True, slots=True)
class _Labelled:
    """What each row is told apart by, and how a code of it is written as labels."""

    coded: Coded
    write: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class _Summed:
    """A batch's spans by series: labels, project, count, histogram row and exemplars of each."""

    labels: list[bytes]
    projects: list[str]
    calls: Numbers
    histogram: Numbers
    exemplars: tuple[Rows, Rows, Exemplars]


class SpanMetrics:
    """Counts spans and their durations."""

    def __init__(self, table: SeriesTable, settings: SpanMetricsSettings) -> None:
        self._table, self._settings = table, settings

    def take(self, records: pa.RecordBatch, resources: Resources) -> None:
        """Count the spans of a batch, without those of the collector itself."""
        labelled = self._labelled(records, resources)
        groups = group([each.coded for each in labelled])
        summed = self._summed(records, labelled, groups)
        with self._table.lock:
            self._add(summed)

    def _labelled(self, records: pa.RecordBatch, resources: Resources) -> list[_Labelled]:
        """Return what the rows are told apart by, the project first."""
        kept = self._settings
        columns = [
            _named("project", coded(records, "Project")),
            _named("service_name", coded(records, "ServiceName")),
            _named("span_name", coded(records, "SpanName")),
            _named("span_kind", coded(records, "SpanKind"), lambda kind: f"SPAN_KIND_{kind.upper()}"),
            _named("status_code", coded(records, "StatusCode"), lambda code: f"STATUS_CODE_{code.upper()}"),
        ]
        others = [key for key in kept.resource_labels if label_name(key) not in LABELS]
        if others:
            written = [resource_labels(others, each) for each in resources.attributes]
            distinct = {text: code for code, text in enumerate(dict.fromkeys(written))}
            codes = np.array([distinct[text] for text in written], dtype=np.int64)[resources.codes]
            texts = list(distinct)
            columns.append(_Labelled(Coded(codes, len(texts), lambda _code: ""), texts.__getitem__))
        columns += [_named(label_name(key), _dimension(records, resources, key)) for key in kept.dimensions]
        return columns

    def _summed(self, records: pa.RecordBatch, labelled: Sequence[_Labelled], groups: Groups) -> _Summed:
        codes = [each.coded.codes[groups.a_row].tolist() for each in labelled]
        pieces = [_written(each, of_groups) for each, of_groups in zip(labelled, codes, strict=True)]
        labels = [b",".join(filter(None, parts)) for parts in zip(*pieces, strict=True)]
        projects = [labelled[0].coded.text(code) for code in codes[0]]
        bounds = self._settings.buckets
        durations = np.asarray(column(records, "Duration")).astype(np.float64) / _NANOSECONDS_A_MILLISECOND
        buckets = buckets_of(durations, bounds)
        width = len(bounds) + 1
        histogram = histogram_rows(groups.of_row, len(groups), durations, buckets, width)
        of_groups, of_buckets, rows = newest(groups.of_row, len(groups), buckets, width)
        exemplars = _exemplars(records, rows, durations)
        calls = histogram[:, :-1].sum(axis=1)
        return _Summed(labels, projects, calls, histogram, (of_groups, of_buckets, exemplars))

    def _add(self, summed: _Summed) -> None:
        """Add to the series; the lock is held."""
        shown = np.flatnonzero([project != OWN_PROJECT for project in summed.projects])
        if not len(shown):
            return
        labels = [summed.labels[i] for i in shown]
        projects = [summed.projects[i] for i in shown]
        expire = self._settings.expire_seconds
        calls = self._table.family(CALLS, Kind.COUNTER, "Spans", expire).block()
        calls.add(labels, projects, summed.calls[shown, None])
        durations = self._table.family(DURATION, Kind.HISTOGRAM, "Duration of spans in milliseconds", expire)
        block = durations.block(self._settings.buckets)
        rows = np.full(len(summed.labels), -1, dtype=np.int64)
        rows[shown] = block.add(labels, projects, summed.histogram[shown])
        of_groups, of_buckets, exemplars = summed.exemplars
        kept = rows[of_groups] >= 0
        block.exemplify(rows[of_groups[kept]], of_buckets[kept], exemplars[kept])


def _same(text: str) -> str:
    return text


def _named(name: str, coded: Coded, change: Callable[[str], str] = _same) -> _Labelled:
    def write(code: int) -> bytes:
        text = coded.text(code)
        return label(name, change(text)) if text else b""

    return _Labelled(coded, write)


def _written(labelled: _Labelled, codes: Sequence[int]) -> list[bytes]:
    """Return the labels of codes; each is written once."""
    texts = {code: labelled.write(code) for code in set(codes)}
    return [texts[code] for code in codes]


def _dimension(records: pa.RecordBatch, resources: Resources, key: str) -> Coded:
    """Return an attribute of the span, or of its resource where the span has none."""
    maps = column(records, "SpanAttributes")
    found = find_keys(maps, (key,))
    values = maps.items.take(pa.array(found.places)).cast(pa.string()).dictionary_encode()
    texts: list[str] = values.dictionary.to_pylist()
    of_resource = resources.coded(key)
    codes = of_resource.codes + len(texts)
    codes[found.rows] = np.asarray(values.indices)

    def text(code: int) -> str:
        return texts[code] if code < len(texts) else of_resource.text(code - len(texts))

    return Coded(codes, len(texts) + of_resource.size, text)


def _exemplars(records: pa.RecordBatch, rows: Rows, durations: Numbers) -> Exemplars:
    """Return the spans of `rows` as exemplars, each at its end."""
    exemplars = np.zeros(len(rows), dtype=EXEMPLAR)
    started = np.asarray(column(records, "Timestamp").cast(pa.int64()))[rows]
    exemplars["time"] = started + np.asarray(column(records, "Duration"))[rows].astype(np.int64)
    exemplars["value"] = durations[rows]
    exemplars["trace_id"] = fixed(column(records, "TraceId"), TRACE_ID_LENGTH)[rows]
    exemplars["span_id"] = fixed(column(records, "SpanId"), SPAN_ID_LENGTH)[rows]
    return exemplars
