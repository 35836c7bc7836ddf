"""Data points in, rows out."""

from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp
from rows import SPAN_ID, TRACE_ID, attribute, metrics, nanoseconds, only_row, rows

from glasshouse_collector.codec import Checked, Codec
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.schema import DECODED

_COMMON = {
    "ResourceAttributes": [("service.name", "shop")],
    "ResourceSchemaUrl": "resource-schema",
    "ScopeName": "lib",
    "ScopeVersion": "1",
    "ScopeAttributes": [("s", "1")],
    "ScopeDroppedAttrCount": 3,
    "ScopeSchemaUrl": "scope-schema",
    "ServiceName": "shop",
    "MetricName": "m",
    "MetricDescription": "what",
    "MetricUnit": "By",
    "Attributes": [("k", "v")],
    "StartTimeUnix": 5,
    "TimeUnix": 6,
    "Flags": 1,
}
_EXEMPLARS = {
    "Exemplars.FilteredAttributes": [[("f", "true")], []],
    "Exemplars.TimeUnix": [7, 0],
    "Exemplars.Value": [2.5, -3.0],
    "Exemplars.SpanId": [SPAN_ID.hex(), ""],
    "Exemplars.TraceId": [TRACE_ID.hex(), ""],
}


def _request(metric: otlp.Metric) -> ExportMetricsServiceRequest:
    metric.name, metric.description, metric.unit = "m", "what", "By"
    request = metrics(metric)
    (group,) = request.resource_metrics
    group.schema_url, group.scope_metrics[0].schema_url = "resource-schema", "scope-schema"
    group.resource.attributes.append(attribute("service.name", string_value="shop"))
    scope = group.scope_metrics[0].scope
    scope.name, scope.version, scope.dropped_attributes_count = "lib", "1", 3
    scope.attributes.append(attribute("s", int_value=1))
    return request


def _point(**fields: Any) -> dict[str, Any]:
    """Return the fields that points of all kinds have, and more."""
    return {
        "attributes": [attribute("k", string_value="v")],
        "start_time_unix_nano": 5,
        "time_unix_nano": 6,
        "flags": otlp.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK,
        **fields,
    }


def _exemplars() -> list[otlp.Exemplar]:
    attributes = [attribute("f", bool_value=True)]
    return [
        otlp.Exemplar(
            filtered_attributes=attributes,
            time_unix_nano=7,
            as_double=2.5,
            span_id=SPAN_ID,
            trace_id=TRACE_ID,
        ),
        otlp.Exemplar(as_int=-3, span_id=b"a", trace_id=b"\x00" * 16),
    ]


def test_gauge_becomes_a_row(codec: Codec) -> None:
    """A point of a gauge; an integer stands as a double, and the flag of no recorded value is kept."""
    point = otlp.NumberDataPoint(**_point(as_int=2**53, exemplars=_exemplars()))
    row = only_row(codec, _request(otlp.Metric(gauge=otlp.Gauge(data_points=[point]))))
    assert row == {**_COMMON, "Value": 2.0**53, **_EXEMPLARS}


def test_sum_becomes_a_row(codec: Codec) -> None:
    """A point of a sum comes with its temporality and whether it only rises."""
    point = otlp.NumberDataPoint(**_point(as_double=1.5, exemplars=_exemplars()))
    total = otlp.Sum(
        data_points=[point], aggregation_temporality=otlp.AGGREGATION_TEMPORALITY_DELTA, is_monotonic=True
    )
    row = only_row(codec, _request(otlp.Metric(sum=total)))
    assert row == {**_COMMON, "Value": 1.5, **_EXEMPLARS, "AggregationTemporality": 1, "IsMonotonic": True}


def test_histogram_becomes_a_row(codec: Codec) -> None:
    """A point of a histogram has its buckets as lists."""
    point = otlp.HistogramDataPoint(
        **_point(
            exemplars=_exemplars(),
            count=3,
            sum=4.5,
            bucket_counts=[1, 2],
            explicit_bounds=[0.5],
            min=1,
            max=2,
        )
    )
    histogram = otlp.Histogram(
        data_points=[point], aggregation_temporality=otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
    )
    row = only_row(codec, _request(otlp.Metric(histogram=histogram)))
    assert row == {
        **_COMMON,
        "Count": 3,
        "Sum": 4.5,
        "BucketCounts": [1, 2],
        "ExplicitBounds": [0.5],
        **_EXEMPLARS,
        "Min": 1.0,
        "Max": 2.0,
        "AggregationTemporality": 2,
    }


def test_exponential_histogram_becomes_a_row(codec: Codec) -> None:
    """A point of an exponential histogram has scale, offsets and buckets of both signs."""
    buckets = otlp.ExponentialHistogramDataPoint.Buckets
    point = otlp.ExponentialHistogramDataPoint(
        **_point(exemplars=_exemplars(), count=3, sum=-1.0, scale=-4, zero_count=1, min=-1.0),
        positive=buckets(offset=-7, bucket_counts=[1, 2**64 - 1]),
        negative=buckets(offset=8, bucket_counts=[300]),
    )
    histogram = otlp.ExponentialHistogram(data_points=[point])
    row = only_row(codec, _request(otlp.Metric(exponential_histogram=histogram)))
    assert row == {
        **_COMMON,
        "Count": 3,
        "Sum": -1.0,
        "Scale": -4,
        "ZeroCount": 1,
        "PositiveOffset": -7,
        "PositiveBucketCounts": [1, 2**64 - 1],
        "NegativeOffset": 8,
        "NegativeBucketCounts": [300],
        **_EXEMPLARS,
        "Min": -1.0,
        "Max": 0.0,
        "AggregationTemporality": 0,
    }


def test_summary_becomes_a_row(codec: Codec) -> None:
    """A point of a summary has quantiles and their values."""
    at = otlp.SummaryDataPoint.ValueAtQuantile
    point = otlp.SummaryDataPoint(
        **_point(count=3, sum=4.5, quantile_values=[at(quantile=0.5, value=1), at(quantile=1, value=2)])
    )
    row = only_row(codec, _request(otlp.Metric(summary=otlp.Summary(data_points=[point]))))
    assert row == {
        **_COMMON,
        "Count": 3,
        "Sum": 4.5,
        "ValueAtQuantiles.Quantile": [0.5, 1.0],
        "ValueAtQuantiles.Value": [1.0, 2.0],
    }


def test_kinds_go_to_batches_of_their_own(codec: Codec) -> None:
    """Each kind of point has its signal and the columns of it, and rows are counted by request."""
    mixed = metrics(
        otlp.Metric(gauge=otlp.Gauge(data_points=[otlp.NumberDataPoint()] * 2)),
        otlp.Metric(sum=otlp.Sum(data_points=[otlp.NumberDataPoint()])),
        otlp.Metric(histogram=otlp.Histogram(data_points=[otlp.HistogramDataPoint()])),
        otlp.Metric(
            exponential_histogram=otlp.ExponentialHistogram(
                data_points=[otlp.ExponentialHistogramDataPoint()]
            )
        ),
        otlp.Metric(summary=otlp.Summary(data_points=[otlp.SummaryDataPoint()])),
        otlp.Metric(name="without data"),
    ).SerializeToString()
    gauge = metrics(otlp.Metric(gauge=otlp.Gauge(data_points=[otlp.NumberDataPoint()]))).SerializeToString()
    assert codec.check(RequestKind.METRICS, mixed) == Checked(6, 0)
    decoded = codec.decode(RequestKind.METRICS, [mixed, gauge])
    assert {signal: list(one.rows_of) for signal, one in decoded.items()} == {
        Signal.METRICS_GAUGE: [2, 1],
        Signal.METRICS_SUM: [1, 0],
        Signal.METRICS_HISTOGRAM: [1, 0],
        Signal.METRICS_EXP_HISTOGRAM: [1, 0],
        Signal.METRICS_SUMMARY: [1, 0],
    }
    for signal, one in decoded.items():
        assert one.records.schema.equals(DECODED[signal])
        one.records.validate(full=True)


def test_what_is_not_there_is_zero(codec: Codec) -> None:
    """Values, sums, minima and maxima that were not sent stand as 0."""
    found = rows(
        codec,
        metrics(
            otlp.Metric(gauge=otlp.Gauge(data_points=[otlp.NumberDataPoint()])),
            otlp.Metric(histogram=otlp.Histogram(data_points=[otlp.HistogramDataPoint()])),
        ),
    )
    ((gauge,), (histogram,)) = found.values()
    assert nanoseconds(gauge["TimeUnix"]) == 0
    assert gauge["Value"] == 0.0
    assert (histogram["Sum"], histogram["Min"], histogram["Max"]) == (0.0, 0.0, 0.0)
