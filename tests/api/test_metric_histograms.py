"""Distributions: counts, sums and quantiles of histograms of every kind, held against exact ones."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

from glasshouse_collector.api import create_app
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import Store
from sent_metrics import CUMULATIVE, DELTA, ask, at, labelled, send, values

Serve = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def client(shared_services: Services, store: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with the store."""
    shared_services.provide(Store, store)
    return shared_serve(create_app(shared_services))


def explicit(
    seconds: float,
    counts: Sequence[int],
    bounds: Sequence[float] = (1, 2, 4),
    *,
    start: float | None = None,
    **fields: Any,
) -> otlp.HistogramDataPoint:
    """Return a point of a histogram; `fields` are its other fields, and the attribute `host`."""
    host = {"host": fields.pop("host")} if "host" in fields else {}
    fields = {"count": sum(counts), "sum": float(sum(counts))} | fields
    point = otlp.HistogramDataPoint(
        time_unix_nano=at(seconds), bucket_counts=counts, explicit_bounds=bounds, **fields
    )
    made: otlp.HistogramDataPoint = labelled(point, start, host)
    return made


def histogram(
    name: str,
    *points: otlp.HistogramDataPoint,
    temporality: otlp.AggregationTemporality.ValueType = CUMULATIVE,
) -> otlp.Metric:
    """Return an explicit histogram."""
    data = otlp.Histogram(data_points=points, aggregation_temporality=temporality)
    return otlp.Metric(name=name, unit="s", histogram=data)


def exponential(
    seconds: float,
    scale: int,
    offset: int,
    counts: Sequence[int],
    *,
    start: float | None = None,
    **fields: Any,
) -> otlp.ExponentialHistogramDataPoint:
    """Return a point of an exponential histogram; `fields` are its other fields, and the attribute `host`."""
    host = {"host": fields.pop("host")} if "host" in fields else {}
    negative = fields.pop("negative", None)
    point = otlp.ExponentialHistogramDataPoint(
        time_unix_nano=at(seconds),
        scale=scale,
        count=sum(counts) + fields.get("zero_count", 0) + (sum(negative[1]) if negative else 0),
        **fields,
    )
    point.positive.offset, point.positive.bucket_counts[:] = offset, counts
    if negative:
        point.negative.offset, point.negative.bucket_counts[:] = negative
    made: otlp.ExponentialHistogramDataPoint = labelled(point, start, host)
    return made


def exponential_histogram(
    name: str,
    *points: otlp.ExponentialHistogramDataPoint,
    temporality: otlp.AggregationTemporality.ValueType = CUMULATIVE,
) -> otlp.Metric:
    """Return an exponential histogram."""
    data = otlp.ExponentialHistogram(data_points=points, aggregation_temporality=temporality)
    return otlp.Metric(name=name, unit="s", exponential_histogram=data)


def test_a_cumulative_histogram_tells_what_a_step_measured(client: httpx.Client, store: Store) -> None:
    """Its counts, sums and buckets are those since the point before."""
    points = [
        explicit(0, [9, 9, 9, 9], start=-99),
        explicit(60, [9, 19, 9, 9]),
        explicit(120, [9, 19, 9, 29]),
    ]
    send(store, histogram("h", *points))
    asked = {"increase": [10, 20], "count": [10, 20], "sum": [10, 20], "avg": [1, 1], "p50": [1.5, 4]}
    assert {function: values(ask(client, "h", function)) for function in asked} == asked
    assert values(ask(client, "h", "rate")) == pytest.approx([1 / 6, 1 / 3])
    assert [ask(client, "h", function)["unit"] for function in ("rate", "count", "p50")] == ["1/s", "1", "s"]


def test_quantiles_lie_on_the_line_within_their_bucket(client: httpx.Client, store: Store) -> None:
    """The first bucket begins at 0, the last is its beginning, empty ones are passed over."""
    send(store, histogram("line", explicit(60, [4, 0, 4, 2], start=0), temporality=DELTA))
    expected = {0: 0, 0.2: 0.5, 0.4: 1, 0.6: 3, 0.8: 4, 0.9: 4, 1: 4}
    found = {q: values(ask(client, "line", "quantile", 60, quantile=q))[0] for q in expected}
    assert found == expected
    send(store, histogram("below", explicit(60, [4, 4], [-2], start=0), temporality=DELTA))
    assert values(ask(client, "below", "p25", 60)) == [-2]


def test_resets_of_histograms_count_from_nothing(client: httpx.Client, store: Store) -> None:
    """Where the count fell, every bucket began anew."""
    points = [explicit(0, [50, 0, 0, 0], start=-99), explicit(60, [0, 0, 8, 0], start=-99)]
    send(store, histogram("fell", *points))
    assert values(ask(client, "fell", "p50", 60)) == [3]
    assert ask(client, "fell", "count", 60)["notes"] == ["cumulative", "1 reset"]


def test_histograms_of_other_bounds_are_cut_where_they_meet(client: httpx.Client, store: Store) -> None:
    """On the union of bounds each is on its own lines, so the sum of both is found exactly."""
    points = [
        explicit(60, [0, 8, 0], [2, 6], start=0, host="a"),
        explicit(60, [0, 8, 0], [4, 8], start=0, host="b"),
    ]
    send(store, histogram("union", *points, temporality=DELTA))
    # a has 2 a unit from 2 to 6, b 2 a unit from 4 to 8: 4 at 4, 12 at 6, 16 at 8.
    for quantile, expected in ((0.125, 3), (0.25, 4), (0.5, 5), (0.75, 6), (0.875, 7)):
        assert values(ask(client, "union", "quantile", 60, quantile=quantile)) == [expected]
    changed = [
        explicit(0, [5, 5], [1], start=-99),
        explicit(60, [9, 5], [1], start=-99),
        explicit(90, [0, 4, 0], [2, 6], start=70),
        explicit(120, [0, 8, 0], [2, 6], start=70),
    ]
    send(store, histogram("changed", *changed))
    assert values(ask(client, "changed", "p50")) == [0.5, 4]


def test_least_and_greatest_are_told_where_they_are_kept(client: httpx.Client, store: Store) -> None:
    """Of deltas those of the step; a point that tells none is passed over."""
    points = [
        explicit(30, [1, 1, 1, 0], start=0, min=0.5, max=3.5),
        explicit(60 - 1, [1, 1, 0, 0], start=30, min=0.25, max=1.5),
        explicit(90, [1, 1, 0, 0], start=60),
    ]
    send(store, histogram("extremes", *points, temporality=DELTA))
    assert values(ask(client, "extremes", "min")) == [0.25, None]
    assert values(ask(client, "extremes", "max")) == [3.5, None]


def test_exponential_buckets_are_even_in_the_logarithm(client: httpx.Client, store: Store) -> None:
    """Scale 0: bucket 2 is from 4 to 8."""
    send(store, exponential_histogram("powers", exponential(60, 0, 2, [4, 4], start=0), temporality=DELTA))
    expected = {0: 4, 0.25: 4 * 2**0.5, 0.5: 8, 0.75: 8 * 2**0.5, 1: 16}
    found = {q: values(ask(client, "powers", "quantile", 60, quantile=q))[0] for q in expected}
    assert found == pytest.approx(expected)


def test_negative_and_zero_buckets_have_their_place(client: httpx.Client, store: Store) -> None:
    """From the most negative up, with zero between."""
    point = exponential(60, 0, 0, [2], start=0, zero_count=4, negative=(1, [1, 3]))
    send(store, exponential_histogram("signed", point, temporality=DELTA))
    # -8 to -4: 3, -4 to -2: 1, zero: 4, 1 to 2: 2.
    expected = {0: -8, 0.3: -4, 0.4: -2, 0.5: 0, 0.8: 0, 0.9: 2**0.5, 1: 2}
    found = {q: values(ask(client, "signed", "quantile", 60, quantile=q))[0] for q in expected}
    assert found == pytest.approx(expected)


def test_scales_meet_on_the_smallest(client: httpx.Client, store: Store) -> None:
    """Finer buckets fall together, of several series and of one that changed its scale on the way."""
    points = [
        exponential(60, 1, 4, [2, 2], start=0, host="a"),  # 4 to 8 in two
        exponential(60, 0, 2, [0, 4], start=0, host="b"),  # 8 to 16
    ]
    send(store, exponential_histogram("scales", *points, temporality=DELTA))
    assert values(ask(client, "scales", "p50", 60)) == pytest.approx([8])
    assert values(ask(client, "scales", "p25", 60)) == pytest.approx([4 * 2**0.5])
    coarser = [
        exponential(0, 1, -2, [1, 1, 0, 0, 0, 0, 3, 3], start=-99),  # 0.5 to 1: 2, 4 to 8: 6
        exponential(60, 0, -1, [2, 0, 0, 10], start=-99),
    ]
    send(store, exponential_histogram("coarser", *coarser))
    assert values(ask(client, "coarser", "increase", 60)) == [4]
    assert values(ask(client, "coarser", "p50", 60)) == pytest.approx([4 * 2**0.5])


@pytest.mark.parametrize("kind", ["explicit", "exponential"])
@pytest.mark.parametrize("temporality", [AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE])
def test_what_the_sdk_measures_is_found_again(
    client: httpx.Client, store: Store, kind: str, temporality: AggregationTemporality
) -> None:
    """Quantiles of real instruments are those of the measurements, as near as the buckets are."""
    chance = random.Random(3)
    measured = [chance.lognormvariate(0, 1) for _ in range(2000)]
    name = f"sdk-{kind}-{temporality.name.lower()}"
    views = [View(instrument_name="*", aggregation=ExponentialBucketHistogramAggregation())]
    reader = InMemoryMetricReader(preferred_temporality={Histogram: temporality})
    provider = MeterProvider([reader], views=views if kind == "exponential" else [])
    bounds = [1.1**power for power in range(-40, 41)]
    instrument = provider.get_meter("m").create_histogram(
        name, "s", explicit_bucket_boundaries_advisory=bounds
    )
    for value in measured:
        instrument.record(value)
    request = encode_metrics(reader.get_metrics_data())  # type: ignore[arg-type]
    provider.shutdown()
    metric = request.resource_metrics[0].scope_metrics[0].metrics[0]
    data = getattr(metric, str(metric.WhichOneof("data")))
    data.data_points[0].start_time_unix_nano, data.data_points[0].time_unix_nano = at(0), at(60)
    send(store, metric)
    measured.sort()
    for quantile in (0.1, 0.5, 0.9, 0.99):
        exact = measured[math.ceil(quantile * len(measured)) - 1]
        found = values(ask(client, name, "quantile", 60, quantile=quantile))[0]
        assert found == pytest.approx(exact, rel=0.1)  # how wide a bucket is, in both
    assert values(ask(client, name, "count", 60)) == [2000]
    assert values(ask(client, name, "sum", 60)) == pytest.approx([sum(measured)])
