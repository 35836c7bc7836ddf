"""The metrics of applications in Prometheus' form.

    gauge                   gauge
    sum                     counter; gauge where it is not monotonic
    histogram               histogram, with the bounds it has
    exponential histogram   histogram, with bounds that are powers of two
    summary                 summary

Cumulative points are shown as they are, a reset too; deltas are added up from when this process started. What
cannot be shown is counted by reason, never shown wrongly: two metrics of one name and different types, names
of our own, a sum of deltas that is not monotonic (its level is not known), points without temporality.
Source: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glasshouse_collector.core.batch import Signal
from glasshouse_exporters.prometheus.columns import column
from glasshouse_exporters.prometheus.otlp.exemplars import PointExemplars
from glasshouse_exporters.prometheus.otlp.exponential import exponential_bounds, exponential_numbers
from glasshouse_exporters.prometheus.otlp.histograms import (
    histogram_numbers,
    histograms,
    summaries,
    summary_numbers,
)
from glasshouse_exporters.prometheus.otlp.points import Drop, Layout, PointWriter
from glasshouse_exporters.prometheus.otlp.series import LabelSettings, Points, SeriesOfPoints
from glasshouse_exporters.prometheus.series import Numbers, Rows, SeriesTable

DELTA_GAUGE = "delta_not_monotonic"
NO_TEMPORALITY = "no_temporality"
MALFORMED = "malformed"

_DELTA, _CUMULATIVE = 1, 2


@dataclass(frozen=True, slots=True)
class OtlpMetricsSettings:
    """How metrics of applications are shown.

    `exponential_scale`: exponential histograms get 2^scale buckets to each doubling.
    """

    labels: LabelSettings
    exponential_scale: int
    expire_seconds: float


class OtlpMetrics:
    """Shows the points of METRICS_… batches. `drop(reason, count)` hears of points that are not shown."""

    def __init__(self, table: SeriesTable, settings: OtlpMetricsSettings, drop: Drop) -> None:
        self._scale, self._drop = settings.exponential_scale, drop
        self._series = SeriesOfPoints(settings.labels, table.max_lines)
        self._writer = PointWriter(table, settings.expire_seconds, drop)
        self._takers: dict[Signal, Callable[[pa.RecordBatch, Points], None]] = {
            Signal.METRICS_GAUGE: self._take_gauges,
            Signal.METRICS_SUM: self._take_sums,
            Signal.METRICS_HISTOGRAM: self._take_histograms,
            Signal.METRICS_EXP_HISTOGRAM: self._take_exponential_histograms,
            Signal.METRICS_SUMMARY: self._take_summaries,
        }

    def take(self, signal: Signal, records: pa.RecordBatch) -> None:
        """Show the rows of a batch of metrics, without those of the collector itself."""
        if not records.num_rows:
            return
        points = self._series.points(signal, records)
        for reason, count in _refused(points).items():
            self._drop(reason, count)
        if points.ends.any():
            self._writer.end(points)
        self._takers[signal](records, points)

    def _take_gauges(self, records: pa.RecordBatch, points: Points) -> None:
        self._writer.put(points, np.flatnonzero(points.shown), (), _values(records))

    def _take_sums(self, records: pa.RecordBatch, points: Points) -> None:
        monotonic = np.asarray(column(records, "IsMonotonic").cast(pa.uint8())).astype(bool)
        cumulative, delta = self._temporality(records, points)
        levels = delta & ~monotonic
        self._drop_if_any(DELTA_GAUGE, levels)
        exemplars = PointExemplars.of(records)
        values = _values(records)
        self._writer.put(points, np.flatnonzero(cumulative & ~monotonic), (), values)
        self._writer.put(points, np.flatnonzero(cumulative & monotonic), (), values, exemplars)
        self._writer.add(points, np.flatnonzero(delta & monotonic), (), values, exemplars)

    def _take_histograms(self, records: pa.RecordBatch, points: Points) -> None:
        cumulative, delta = self._temporality(records, points)
        laid, wrong = histograms(records, points)
        self._drop_rows(MALFORMED, wrong)
        exemplars = PointExemplars.of(records)
        for each in laid:
            numbers = _Numbers(histogram_numbers, records, each.layout)
            self._writer.put(points, each.rows[cumulative[each.rows]], each.layout, numbers, exemplars)
            self._writer.add(points, each.rows[delta[each.rows]], each.layout, numbers, exemplars)

    def _take_exponential_histograms(self, records: pa.RecordBatch, points: Points) -> None:
        cumulative, delta = self._temporality(records, points)
        exemplars = PointExemplars.of(records)
        units = np.array([series.unit for series in points.series], dtype=object)[points.of_row]
        for unit in sorted(set(units[points.shown])):
            layout = exponential_bounds(unit, self._scale)

            def numbers(rows: Rows, unit: str = unit) -> Numbers:
                return exponential_numbers(records, rows, unit, self._scale)

            of_unit = units == unit
            self._writer.put(points, np.flatnonzero(cumulative & of_unit), layout, numbers, exemplars)
            self._writer.add(points, np.flatnonzero(delta & of_unit), layout, numbers, exemplars)

    def _take_summaries(self, records: pa.RecordBatch, points: Points) -> None:
        laid, wrong = summaries(records, points)
        self._drop_rows(MALFORMED, wrong)
        for each in laid:
            self._writer.put(points, each.rows, each.layout, _Numbers(summary_numbers, records, each.layout))

    def _temporality(
        self, records: pa.RecordBatch, points: Points
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Return which rows are cumulative and which are deltas, of those that are shown."""
        temporality = np.asarray(column(records, "AggregationTemporality"))
        cumulative, delta = temporality == _CUMULATIVE, temporality == _DELTA
        self._drop_if_any(NO_TEMPORALITY, points.shown & ~cumulative & ~delta)
        return points.shown & cumulative, points.shown & delta

    def _drop_if_any(self, reason: str, rows: npt.NDArray[np.bool_]) -> None:
        self._drop_rows(reason, np.flatnonzero(rows))

    def _drop_rows(self, reason: str, rows: Rows) -> None:
        if len(rows):
            self._drop(reason, len(rows))


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Gives the numbers of rows of a batch that have the same layout."""

    read: Callable[[pa.RecordBatch, Rows, Layout], Numbers]
    records: pa.RecordBatch
    layout: Layout

    def __call__(self, rows: Rows) -> Numbers:
        return self.read(self.records, rows, self.layout)


def _values(records: pa.RecordBatch) -> Callable[[Rows], Numbers]:
    values = np.asarray(column(records, "Value"))

    def numbers(rows: Rows) -> Numbers:
        picked: Numbers = values[rows][:, None]
        return picked

    return numbers


def _refused(points: Points) -> dict[str, int]:
    """Return how many points are refused for what their series is called, by reason."""
    counts = np.bincount(points.of_row, minlength=len(points.series))
    refused: dict[str, int] = {}
    for series, count in zip(points.series, counts.tolist(), strict=True):
        if series.refused:
            refused[series.refused] = refused.get(series.refused, 0) + count
    return refused
