"""Deltas of any senders, times and batches add up to what a slow count finds."""

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from shown_metrics import ShownMetrics, attributes, request

_BOUNDS = (0.5, 2.0, 8.0)
_Point = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.integers(0, 20),
    st.lists(st.integers(0, 1000), min_size=4, max_size=4),
)
_Batches = st.lists(st.lists(st.lists(_Point, min_size=1, max_size=6), min_size=1, max_size=3), max_size=4)
_Drawn = list[list[list[tuple[str, int, list[int]]]]]


def _sum(points: list[tuple[str, int, list[int]]]) -> otlp.Metric:
    return otlp.Metric(
        name="c",
        sum=otlp.Sum(
            is_monotonic=True,
            aggregation_temporality=otlp.AGGREGATION_TEMPORALITY_DELTA,
            data_points=[
                otlp.NumberDataPoint(as_int=counts[0], time_unix_nano=time, attributes=attributes({"k": key}))
                for key, time, counts in points
            ],
        ),
    )


def _histogram(points: list[tuple[str, int, list[int]]]) -> otlp.Metric:
    return otlp.Metric(
        name="h",
        histogram=otlp.Histogram(
            aggregation_temporality=otlp.AGGREGATION_TEMPORALITY_DELTA,
            data_points=[
                otlp.HistogramDataPoint(
                    time_unix_nano=time,
                    count=sum(counts),
                    sum=0.5 * sum(counts),
                    bucket_counts=counts,
                    explicit_bounds=_BOUNDS,
                    attributes=attributes({"k": key}),
                )
                for key, time, counts in points
            ],
        ),
    )


@given(_Batches)
def test_deltas_add_up(batches: _Drawn) -> None:
    """Sums and histograms: every point once, in its series."""
    shown = ShownMetrics()
    sums: Counter[str] = Counter()
    buckets: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for requests in batches:
        shown.take(*(request([_sum(points), _histogram(points)]) for points in requests))
        for key, _, counts in (point for points in requests for point in points):
            sums[key] += counts[0]
            buckets[key] = [old + new for old, new in zip(buckets[key], counts, strict=True)]
    assert {dict(labels)["k"]: value for labels, value in shown.values("c_total").items()} == dict(sums)
    found = shown.values("h_bucket")
    for key, counts in buckets.items():
        below = [found[("k", key), ("le", str(bound))] for bound in (*_BOUNDS, "+Inf")]
        assert below == [sum(counts[: i + 1]) for i in range(4)]
        assert shown.values("h_sum")[("k", key),] == 0.5 * sum(counts)
    assert not shown.dropped


@given(st.lists(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.integers()), max_size=5)))
def test_the_newest_cumulative_point_stays(batches: list[list[tuple[str, int, int]]]) -> None:
    """One by one or many at a time: the point with the latest time is shown, of equal times the later."""
    shown = ShownMetrics()
    newest: dict[str, tuple[int, float]] = {}
    for batch in batches:
        points = [
            otlp.NumberDataPoint(
                as_double=float(value % 1000), time_unix_nano=time, attributes=attributes({"k": key})
            )
            for key, time, value in batch
        ]
        shown.take(request([otlp.Metric(name="g", gauge=otlp.Gauge(data_points=points))]))
        for key, time, value in batch:
            if key not in newest or time >= newest[key][0]:
                newest[key] = (time, float(value % 1000))
    assert {dict(labels)["k"]: value for labels, value in shown.values("g").items()} == {
        key: value for key, (_, value) in newest.items()
    }
