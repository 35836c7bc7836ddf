"""Exponential histograms become classic ones, exactly where both have a bound."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ExponentialHistogramDataPoint, InMemoryMetricReader, MetricsData
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

from glasshouse_exporters.prometheus.otlp.exponential import exponential_bounds
from shown_metrics import ShownMetrics, request

_DELTA = otlp.AGGREGATION_TEMPORALITY_DELTA
_CUMULATIVE = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE

_Buckets = st.tuples(st.integers(-400, 400), st.lists(st.integers(0, 2**40), max_size=12))
_Points = st.lists(
    st.tuples(st.integers(-3, 20), _Buckets, st.integers(0, 1000), st.lists(st.integers(0, 9), max_size=3)),
    min_size=1,
    max_size=5,
)


def _metric(points: list[otlp.ExponentialHistogramDataPoint], temporality: int, unit: str) -> otlp.Metric:
    return otlp.Metric(
        name="e",
        unit=unit,
        exponential_histogram=otlp.ExponentialHistogram(
            data_points=points,
            aggregation_temporality=otlp.AggregationTemporality.ValueType(temporality),
        ),
    )


def _point(
    scale: int, offset: int, counts: list[int], zeros: int, negative: list[int]
) -> otlp.ExponentialHistogramDataPoint:
    return otlp.ExponentialHistogramDataPoint(
        time_unix_nano=1,
        scale=scale,
        count=sum(counts) + zeros + sum(negative),
        sum=1.5,
        zero_count=zeros,
        positive=otlp.ExponentialHistogramDataPoint.Buckets(offset=offset, bucket_counts=counts),
        negative=otlp.ExponentialHistogramDataPoint.Buckets(offset=0, bucket_counts=negative),
    )


def _counted_below(points: list[otlp.ExponentialHistogramDataPoint], power: int, scale: int) -> int:
    """Count bucket by bucket what lies wholly at or below 2^(power / 2^scale), in whole numbers."""
    count = 0
    for point in points:
        count += point.zero_count + sum(point.negative.bucket_counts)
        for i, each in enumerate(point.positive.bucket_counts):
            upper = point.positive.offset + i + 1
            # By the exponents of two, upper over 2 to the point's scale and power over 2 to ours.
            if upper * 2 ** (40 + scale) <= power * 2 ** (40 + point.scale):
                count += each
    return count


@given(_Points, st.integers(0, 3), st.sampled_from(["s", "By", "{thing}"]), st.booleans())
def test_each_bound_counts_what_a_slow_count_finds(
    drawn: list[tuple[int, tuple[int, list[int]], int, list[int]]], scale: int, unit: str, delta: bool
) -> None:
    """Any scale, offset, zero and negative counts: the same as going through all buckets one by one."""
    points = [_point(s, offset, counts, zeros, neg) for s, (offset, counts), zeros, neg in drawn]
    shown = ShownMetrics(scale=scale)
    shown.take(request([_metric(points, _DELTA if delta else _CUMULATIVE, unit)]))
    (name,) = shown.families()
    counted = points if delta else points[-1:]
    buckets = shown.buckets(name)
    bounds = exponential_bounds(unit, scale)
    assert list(buckets) == [*bounds, math.inf]
    assert buckets[math.inf] == sum(point.count for point in counted)
    for bound in bounds:
        assert buckets[bound] == _counted_below(counted, round(math.log2(bound) * 2**scale), scale)
    assert shown.value(f"{name}_sum") == 1.5 * len(counted)


@pytest.mark.parametrize(
    ("scale", "offset", "bound"),
    [
        (-(2**31), 2**31 - 1, math.inf),
        (2**31 - 1, -(2**31), 1.0),  # 2^(-2^31 / 2^(2^31 - 1)), just below 1
        (-20, 5, math.inf),
        (-20, -5, 2.0**-14),
        (20, 14 * 2**20, math.inf),
    ],
)
def test_extreme_scales_and_offsets_are_counted(scale: int, offset: int, bound: float) -> None:
    """What no float64 can be is below the first bound or above the last; nothing wraps around."""
    shown = ShownMetrics()
    shown.take(request([_metric([_point(scale, offset, [1, 2], 0, [])], _CUMULATIVE, "s")]))
    counts = shown.buckets("e_seconds")
    assert all(count == (3 if upper >= bound else 0) for upper, count in counts.items())


def test_the_bounds_stay_while_the_sender_changes_its_scale() -> None:
    """As values spread the SDK makes its buckets coarser; the page's stay, and no count ever falls."""
    reader = InMemoryMetricReader()
    view = View(instrument_name="e", aggregation=ExponentialBucketHistogramAggregation(max_size=160))
    provider = MeterProvider([reader], views=[view], shutdown_on_exit=False)
    histogram = provider.get_meter("m").create_histogram("e", "s")
    shown, scales = ShownMetrics(), set()
    before: dict[float, float] = {}
    for exponent in range(12):
        histogram.record(0.001 * 1.7**exponent)
        data = reader.get_metrics_data()
        assert data
        shown.take(encode_metrics(data))
        scales.add(_scale(data))
        buckets = shown.buckets("e_seconds")
        assert not before or list(buckets) == list(before)
        assert all(buckets[bound] >= count for bound, count in before.items())
        before = buckets
    assert len(scales) > 1
    provider.shutdown()


def _scale(data: MetricsData) -> int:
    (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert isinstance(point, ExponentialHistogramDataPoint)
    return point.scale
