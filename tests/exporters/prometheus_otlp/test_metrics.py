"""Gauges, sums, histograms and summaries of applications on the page."""

import math

from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from glasshouse_collector.core.metrics import Metrics
from glasshouse_exporters.prometheus.otlp.series import LabelSettings
from glasshouse_exporters.prometheus.own_names import own_names
from shown_metrics import IDENTITY, ShownMetrics, attributes, request

_DELTA = otlp.AGGREGATION_TEMPORALITY_DELTA
_CUMULATIVE = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
_ENDED = otlp.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK


def _number(
    value: float, time: int, flags: int = 0, labels: dict[str, str] | None = None
) -> otlp.NumberDataPoint:
    return otlp.NumberDataPoint(
        as_double=value, time_unix_nano=time, flags=flags, attributes=attributes(labels or {})
    )


def _gauge(*points: otlp.NumberDataPoint, name: str = "g", unit: str = "") -> otlp.Metric:
    return otlp.Metric(name=name, unit=unit, gauge=otlp.Gauge(data_points=points))


def _sum(
    *points: otlp.NumberDataPoint, temporality: int = _CUMULATIVE, monotonic: bool = True, name: str = "c"
) -> otlp.Metric:
    return otlp.Metric(
        name=name,
        sum=otlp.Sum(
            data_points=points,
            aggregation_temporality=otlp.AggregationTemporality.ValueType(temporality),
            is_monotonic=monotonic,
        ),
    )


def _histogram(
    *points: tuple[int, list[int], float], bounds: tuple[float, ...], temporality: int, name: str = "h"
) -> otlp.Metric:
    return otlp.Metric(
        name=name,
        unit="s",
        histogram=otlp.Histogram(
            aggregation_temporality=otlp.AggregationTemporality.ValueType(temporality),
            data_points=[
                otlp.HistogramDataPoint(
                    time_unix_nano=time,
                    count=sum(counts),
                    sum=total,
                    bucket_counts=counts,
                    explicit_bounds=bounds,
                )
                for time, counts, total in points
            ],
        ),
    )


def test_a_series_carries_who_sent_it() -> None:
    """Project, job, instance, asked resource attributes and the scope stand beside the attributes."""
    shown = ShownMetrics(
        labels=LabelSettings(("service.name", "deployment.environment.name"), scope_labels=True)
    )
    resource = {
        "service.name": "cart",
        "service.namespace": "shop",
        "service.instance.id": "7",
        "deployment.environment.name": "test",
    }
    point = _number(1, 5, labels={"http.route": "/x", "job": "mine", "empty": ""})
    shown.take(request([_gauge(point)], resource, ("lib", "1.2")))
    (sample,) = shown.families()["g"].samples
    assert sample.labels == {
        **IDENTITY,
        "service_name": "cart",
        "deployment_environment_name": "test",
        "otel_scope_name": "lib",
        "otel_scope_version": "1.2",
        "http_route": "/x",
        "exported_job": "mine",
    }


def test_the_newest_point_of_a_gauge_is_shown_whatever_the_order() -> None:
    """Older points are passed over, within a batch and in a later one, where they are counted."""
    shown = ShownMetrics()
    shown.take(request([_gauge(_number(3, 30), _number(1, 10), _number(2, 20))]))
    assert shown.value("g") == 3
    shown.take(request([_gauge(_number(2.5, 25))]))
    assert shown.value("g") == 3
    assert shown.dropped == {"out_of_order": 1}
    shown.take(request([_gauge(_number(4, 30))]))
    assert shown.value("g") == 4


def test_a_sender_that_sets_its_clock_back_is_shown_again_after_a_while() -> None:
    """Points from before what is held do not keep it alive: it ends, and the series begins anew."""
    shown = ShownMetrics()
    shown.take(request([_gauge(_number(1, 10_000))]))
    for minute in range(6):
        shown.clock += 60
        shown.take(request([_gauge(_number(2, 100 + minute))]))
        shown.table.expire()
    assert shown.value("g") == 2
    assert shown.dropped == {"out_of_order": 5}


def test_a_late_point_with_other_bounds_changes_nothing() -> None:
    """The newer bounds stay."""
    shown = ShownMetrics()
    shown.take(request([_histogram((5, [1, 2], 3.0), bounds=(1.0,), temporality=_CUMULATIVE)]))
    shown.take(request([_histogram((4, [1, 2, 3], 3.0), bounds=(1.0, 2.0), temporality=_CUMULATIVE)]))
    assert shown.buckets("h_seconds") == {1.0: 1, math.inf: 3}
    assert shown.dropped == {"out_of_order": 1}


def test_numbers_that_are_none_are_shown_as_such() -> None:
    """NaN and infinities are values too."""
    shown = ShownMetrics()
    shown.take(
        request([_gauge(_number(math.inf, 1, labels={"a": "1"}), _number(math.nan, 1, labels={"a": "2"}))])
    )
    values = shown.values("g")
    assert values[("a", "1"),] == math.inf
    assert math.isnan(values[("a", "2"),])


def test_a_sum_that_may_fall_is_a_gauge() -> None:
    """An up-down counter is shown as a gauge, a monotonic one as a counter."""
    shown = ShownMetrics()
    shown.take(request([_sum(_number(3, 1), monotonic=False, name="open"), _sum(_number(4, 1), name="done")]))
    families = shown.families()
    assert (families["open"].type, shown.value("open")) == ("gauge", 3)
    assert (families["done"].type, shown.value("done_total")) == ("counter", 4)


def test_a_reset_of_a_cumulative_sum_shows_as_it_is() -> None:
    """The counter falls, as Prometheus expects of a process that began anew."""
    shown = ShownMetrics()
    shown.take(request([_sum(_number(100, 1))]))
    shown.take(request([_sum(_number(2, 2))]))
    assert shown.value("c_total") == 2


def test_deltas_are_added_up_once_each() -> None:
    """Each point counts once, whatever its place in time."""
    shown = ShownMetrics()
    shown.take(request([_sum(_number(1, 30), _number(2, 10), temporality=_DELTA)]))
    shown.take(request([_sum(_number(4, 20), temporality=_DELTA)]))
    assert shown.value("c_total") == 7
    assert not shown.dropped


def test_a_sender_that_changes_temporality_keeps_one_counter() -> None:
    """Deltas go on from the cumulative value; a cumulative value takes the place of what was added up."""
    shown = ShownMetrics()
    shown.take(request([_sum(_number(100, 1))]))
    shown.take(request([_sum(_number(5, 2), temporality=_DELTA)]))
    assert shown.value("c_total") == 105
    shown.take(request([_sum(_number(3, 3))]))
    assert shown.value("c_total") == 3


def test_what_cannot_be_shown_rightly_is_counted() -> None:
    """Deltas without a known level, and points without temporality."""
    shown = ShownMetrics()
    shown.take(
        request(
            [_sum(_number(1, 1), temporality=_DELTA, monotonic=False), _sum(_number(1, 1), temporality=0)]
        )
    )
    assert not shown.page()
    assert shown.dropped == {"delta_not_monotonic": 1, "no_temporality": 1}


def test_a_point_without_recorded_value_ends_its_series() -> None:
    """The series is gone, its sisters are not, and it may come again."""
    shown = ShownMetrics()
    shown.take(request([_gauge(_number(1, 1, labels={"a": "1"}), _number(2, 1, labels={"a": "2"}))]))
    shown.take(request([_gauge(_number(0, 2, _ENDED, {"a": "1"}))]))
    assert shown.values("g") == {(("a", "2"),): 2}
    shown.take(request([_gauge(_number(0, 3, _ENDED, {"a": "2"}), _number(5, 4, labels={"a": "2"}))]))
    assert shown.values("g") == {(("a", "2"),): 5}
    shown.take(request([_gauge(_number(0, 2, _ENDED, {"a": "2"}))]))
    assert shown.values("g") == {(("a", "2"),): 5}


def test_a_series_without_news_is_left_out() -> None:
    """After the time of expiry it is not shown, and its name is free for another type."""
    shown = ShownMetrics()
    shown.take(request([_gauge(_number(1, 1), name="x")]))
    shown.clock += 301
    assert not shown.page()
    shown.take(request([_histogram((2, [1], 1.0), bounds=(), temporality=_DELTA, name="x")]))
    shown.take(request([_gauge(_number(1, 1), name="x", unit="s")]))
    assert shown.families()["x_seconds"].type == "histogram"
    assert shown.dropped == {"conflicting_name": 1}


def test_reserved_names_are_not_shown() -> None:
    """Names of the series that spans make stay theirs."""
    shown = ShownMetrics()
    names = ["traces.span.metrics.calls", "traces_service_graph_request", "target_info", "@"]
    shown.take(request([_gauge(_number(1, 1), _number(2, 2), name=name) for name in names]))
    assert not shown.page()
    assert shown.dropped == {"reserved_name": 6, "no_name": 2}


def test_names_that_others_show_are_not_shown_again() -> None:
    """A family of the collector's own page is not redefined; what our SDK counts beside them is shown."""
    shown = ShownMetrics()
    own = Metrics().registry
    shown.table.reserve(own_names(own))
    names = ["process.cpu.seconds", "glasshouse.received.records", "glasshouse.heartbeats"]
    shown.take(request([_sum(_number(1, 1), name=name) for name in names]))
    assert list(shown.families()) == ["glasshouse_heartbeats"]
    assert shown.dropped == {"conflicting_name": 2}


def test_two_types_of_one_name_are_not_mixed() -> None:
    """The first stays, the other is counted."""
    shown = ShownMetrics()
    shown.take(request([_sum(_number(1, 1), name="x", monotonic=False)]))
    shown.take(request([_histogram((1, [1], 1.0), bounds=(), temporality=_DELTA, name="x")], {}))
    shown.take(request([_gauge(_number(2, 2), name="x_seconds_count")], {}))
    assert shown.families()["x_seconds"].type == "histogram"
    assert shown.dropped == {"conflicting_name": 1}


def test_histograms_are_shown_with_their_bounds() -> None:
    """Cumulative ones as they are, deltas added up."""
    for temporality, expected in ((_CUMULATIVE, [3, 5, 9]), (_DELTA, [4, 7, 12])):
        shown = ShownMetrics()
        points = ((1, [1, 1, 1], 5.0), (2, [3, 2, 4], 7.0))
        shown.take(request([_histogram(*points, bounds=(0.5, 1.0), temporality=temporality)]))
        assert list(shown.buckets("h_seconds").values()) == expected
        assert shown.value("h_seconds_count") == expected[-1]
        assert shown.value("h_seconds_sum") == (7 if temporality == _CUMULATIVE else 12)


def test_other_bounds_begin_a_histogram_anew() -> None:
    """Nothing counted under the old bounds is shown under the new."""
    shown = ShownMetrics()
    shown.take(request([_histogram((1, [1, 2], 3.0), bounds=(1.0,), temporality=_DELTA)]))
    shown.take(
        request(
            [
                _histogram((2, [1, 2], 3.0), bounds=(1.0,), temporality=_DELTA),
                _histogram((3, [4, 5, 6], 7.0), bounds=(1.0, 2.0), temporality=_DELTA),
            ]
        )
    )
    assert shown.buckets("h_seconds") == {1.0: 4, 2.0: 9, math.inf: 15}
    assert shown.value("h_seconds_sum") == 7


def test_a_histogram_without_buckets_has_count_and_sum() -> None:
    """All it counted is below +Inf."""
    shown = ShownMetrics()
    point = otlp.HistogramDataPoint(time_unix_nano=1, count=7, sum=3.5)
    metric = otlp.Metric(
        name="h", histogram=otlp.Histogram(data_points=[point], aggregation_temporality=_CUMULATIVE)
    )
    shown.take(request([metric]))
    assert shown.buckets("h") == {math.inf: 7}
    assert shown.value("h_sum") == 3.5


def test_malformed_histograms_are_counted() -> None:
    """Bounds that do not ascend, or another number of buckets than they make."""
    shown = ShownMetrics()
    for counts, bounds in (
        ([1], (1.0,)),
        ([1, 1, 1], (2.0, 1.0)),
        ([1, 1], (math.nan,)),
        ([1, 1], (math.inf,)),
    ):
        shown.take(request([_histogram((1, counts, 1.0), bounds=bounds, temporality=_CUMULATIVE)]))
    assert not shown.page()
    assert shown.dropped == {"malformed": 4}


def test_summaries_are_shown_with_their_quantiles() -> None:
    """Quantiles, sum and count of the newest point."""
    shown = ShownMetrics()
    points = [
        otlp.SummaryDataPoint(
            time_unix_nano=time,
            count=10 * time,
            sum=2.5 * time,
            quantile_values=[
                otlp.SummaryDataPoint.ValueAtQuantile(quantile=at, value=at * time) for at in (0.5, 0.99)
            ],
        )
        for time in (2, 1)
    ]
    shown.take(request([otlp.Metric(name="q", unit="ms", summary=otlp.Summary(data_points=points))]))
    assert shown.families()["q_milliseconds"].type == "summary"
    assert shown.values("q_milliseconds") == {(("quantile", "0.5"),): 1.0, (("quantile", "0.99"),): 1.98}
    assert shown.value("q_milliseconds_sum") == 5
    assert shown.value("q_milliseconds_count") == 20


def test_above_the_limit_deltas_go_to_the_rest_and_gauges_are_left_out() -> None:
    """No sum is lost: what finds no room is in its project's overflow series. All is counted."""
    shown = ShownMetrics(max_lines=100)
    points = [_number(1, 1, labels={"n": str(n)}) for n in range(130)]
    shown.take(request([_sum(*points, temporality=_DELTA)]), project="p")
    values = shown.values("c_total")
    assert len(values) == 101
    assert values[("otel_metric_overflow", "true"),] == 30
    shown.take(request([_gauge(_number(1, 1))]))
    assert not shown.values("g")
    assert shown.overflowed == {"c_total": 30, "other": 1}


def test_exemplars_are_shown_in_openmetrics() -> None:
    """The newest exemplar with a trace of each bucket, and of a counter."""
    trace, span = bytes(range(16)), bytes(range(8))
    named = {"trace_id": trace, "span_id": span}
    exemplars = [
        otlp.Exemplar(time_unix_nano=2_000_000_000, as_double=0.2, trace_id=trace, span_id=span),
        otlp.Exemplar(time_unix_nano=1_000_000_000, as_double=0.1, trace_id=trace, span_id=span),
        otlp.Exemplar(time_unix_nano=3_000_000_000, as_double=0.3),
        otlp.Exemplar(time_unix_nano=3_000_000_000, as_double=9.0, trace_id=trace, span_id=span),
    ]
    histogram = _histogram((5, [3, 0, 1], 9.6), bounds=(0.5, 1.0), temporality=_CUMULATIVE)
    histogram.histogram.data_points[0].exemplars.extend(exemplars)
    counter = _sum(_number(4, 5), temporality=_DELTA)
    counter.sum.data_points[0].exemplars.extend(exemplars)
    shown = ShownMetrics()
    shown.take(request([histogram, counter]))
    families = shown.families(openmetrics=True)
    ids = {key: value.hex() for key, value in named.items()}
    found = {
        sample.labels["le"]: (
            sample.exemplar.value,
            float(sample.exemplar.timestamp or 0),
            sample.exemplar.labels,
        )
        for sample in families["h_seconds"].samples
        if sample.exemplar
    }
    assert found == {"0.5": (0.2, 2.0, ids), "+Inf": (9.0, 3.0, ids)}
    (counted,) = families["c"].samples
    assert counted.exemplar
    assert (counted.exemplar.value, counted.exemplar.labels) == (9.0, ids)


def test_projects_and_processes_do_not_meet() -> None:
    """The same metric of two projects, or of two instances, is two series."""
    shown = ShownMetrics()
    for project in ("a", "b"):
        for who in ("1", "2"):
            resource = {"service.name": "cart", "service.instance.id": who}
            shown.take(request([_sum(_number(1, 1), temporality=_DELTA)], resource), project=project)
    assert [sample.value for sample in shown.families()["c"].samples] == [1, 1, 1, 1]
